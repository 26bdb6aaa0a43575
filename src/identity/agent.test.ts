import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentOf } from './agent.ts'
import { withEntra } from './entra.suite.ts'

test('what Entra says of an agent is on the caller, and on no other', () =>
  withEntra(async ({ ask, mint }) => {
    const claims = {
      xms_act_fct: '3 9 11',
      xms_idrel: '10 7',
      xms_sub_fct: '9 3 11',
      xms_tnt_fct: '3 9',
      xms_par_app_azp: '30CF4C22-9985-4ef7-8756-91cc888176bd',
    }
    const { agent } = await ask(await mint({ version: 1, claims }))
    assert.deepEqual(agent, {
      actor: ['3', '9', '11'],
      subject: ['3', '9', '11'],
      tenant: ['3', '9'],
      blueprint: '30cf4c22-9985-4ef7-8756-91cc888176bd',
      relation: ['7', '10'],
    })
    assert.ok(Object.isFrozen(agent) && Object.isFrozen(agent.actor))
    assert.equal((await ask(await mint())).agent, undefined)
  }))

test('what is no code or id stays out, and a long list is cut', () => {
  const agent = agentOf({ xms_act_fct: `x 1 <b> ${'2 '.repeat(50)}`, xms_par_app_azp: 'Ada', xms_idrel: 7 })
  assert.equal(agent?.actor.length, 16)
  assert.ok(agent.actor.every((code) => /^\d$/.test(code)))
  assert.deepEqual([agent.blueprint, agent.relation, agent.subject], ['', [], []])
})
