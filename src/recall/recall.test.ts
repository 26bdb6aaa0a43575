import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '#contract/event.ts'
import type { Permit } from '#contract/permit.ts'
import type { Principal } from '#contract/principal.ts'
import { testAsk } from '#contract/test-ask.ts'
import { Answers } from './answers.ts'
import { type RecallDeps, isKept, keep, recall } from './recall.ts'

const JANE: Principal = {
  subject: 'jane',
  tenant: 'acme',
  kind: 'user',
  roles: [],
  groups: [],
  client: undefined,
  via: 'test',
  credentialId: '',
}
const PERMIT = { retentionDays: undefined } as Permit
const ASK = testAsk({
  messages: [
    { role: 'system', parts: [{ type: 'text', text: 'old instructions' }] },
    { role: 'user', parts: [{ type: 'text', text: 'hi' }] },
  ],
  store: true,
})
const BATCHES: readonly Batch[] = [
  [
    { type: 'start', id: '', model: '' },
    { type: 'reasoning-delta', choice: 0, text: 'h' },
    { type: 'reasoning-delta', choice: 0, text: 'm' },
    { type: 'reasoning-signature', choice: 0, signature: 'sig', family: 'anthropic' },
  ],
  [
    { type: 'text-delta', choice: 0, text: 'we' },
    { type: 'text-delta', choice: 0, text: 'll' },
    { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'find', signature: 'proof' },
    { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{' },
    { type: 'tool-call-delta', choice: 0, index: 0, arguments: '}' },
    { type: 'finish', choice: 0, reason: 'tool-calls' },
    { type: 'end' },
  ],
]

function deps(limits = { minutes: 60, bytes: 1_000_000 }) {
  const clock = { now: 0 }
  const answers = new Answers(() => clock.now)
  return { clock, answers, limits } satisfies RecallDeps & { clock: object }
}

async function keepAll(own: RecallDeps, id: string, batches: readonly Batch[] = BATCHES, ask = ASK): Promise<Batch[]> {
  const source = (async function* all() {
    yield* batches
  })()
  return Array.fromAsync(keep(own, JANE, { ask, id }, source))
}

test('a request goes on from what was said, thought and called, under its own instructions', async () => {
  const own = deps()
  assert.deepEqual(await keepAll(own, 'resp_1'), BATCHES)
  const next = testAsk({
    messages: [
      { role: 'system', parts: [{ type: 'text', text: 'new instructions' }] },
      { role: 'tool', parts: [{ type: 'tool-result', id: 'c1', text: 'paid', isError: false }] },
    ],
    previous: 'resp_1',
  })
  assert.deepEqual(recall(own, JANE, next).messages, [
    next.messages[0],
    ASK.messages[1],
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'hm', signature: 'sig', data: '', family: 'anthropic' },
        { type: 'text', text: 'well' },
        { type: 'tool-call', id: 'c1', name: 'find', arguments: '{}', signature: 'proof' },
      ],
    },
    next.messages[1],
  ])
})

test('nobody else can go on from it: not another subject, not another tenant', async () => {
  const own = deps()
  await keepAll(own, 'resp_1')
  const next = testAsk({ previous: 'resp_1' })
  for (const other of [
    { ...JANE, subject: 'joe' },
    { ...JANE, tenant: 'other' },
  ])
    assert.throws(() => recall(own, other, next), { code: 'RECALL_UNKNOWN', param: 'previous_response_id' })
})

test('an answer that broke off is not kept', async () => {
  const own = deps()
  await keepAll(own, 'resp_1', BATCHES.slice(0, 1))
  assert.throws(() => recall(own, JANE, testAsk({ previous: 'resp_1' })), { code: 'RECALL_UNKNOWN' })
  assert.equal(own.answers.bytes, 0)
})

test('it is forgotten when its time is over, and when memory is', async () => {
  const own = deps({ minutes: 1, bytes: 3000 })
  await keepAll(own, 'resp_1')
  own.clock.now = 59_999
  recall(own, JANE, testAsk({ previous: 'resp_1' }))
  own.clock.now = 60_000
  assert.throws(() => recall(own, JANE, testAsk({ previous: 'resp_1' })), { code: 'RECALL_UNKNOWN' })
  for (let at = 0; at < 100; at += 1) await keepAll(own, `resp_${at}`)
  assert.ok(own.answers.bytes <= 3000 && own.answers.bytes > 0)
  assert.throws(() => recall(own, JANE, testAsk({ previous: 'resp_1' })), { code: 'RECALL_UNKNOWN' })
  recall(own, JANE, testAsk({ previous: 'resp_99' }))
  const huge = testAsk({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'x'.repeat(4000) }] }] })
  await keepAll(own, 'resp_huge', BATCHES, huge)
  recall(own, JANE, testAsk({ previous: 'resp_99' }))
})

test('caller, configuration and policy each can forbid keeping', () => {
  assert.equal(isKept(deps(), PERMIT, ASK), true)
  assert.equal(isKept(deps(), PERMIT, { ...ASK, store: false }), false)
  assert.equal(isKept(deps({ minutes: 0, bytes: 1000 }), PERMIT, ASK), false)
  assert.equal(isKept(deps(), { ...PERMIT, retentionDays: 0 }, ASK), false)
  assert.equal(isKept(deps(), { ...PERMIT, retentionDays: 30 }, ASK), true)
})

test('a result of a call that nobody made is refused, in whatever conversation it stands', async () => {
  const own = deps()
  const result = { role: 'tool', parts: [{ type: 'tool-result', id: 'c9', text: '', isError: false }] } as const
  const early = { role: 'assistant', parts: [{ type: 'tool-call', id: 'c9', name: 'f', arguments: '' }] } as const
  for (const messages of [[result], [result, early]])
    assert.throws(() => recall(own, JANE, testAsk({ messages })), {
      code: 'WIRE_MALFORMED',
      param: 'messages',
      message: /a result of the call `c9`, which no message before it makes/,
    })
  await keepAll(own, 'resp_1')
  const next = testAsk({ dialect: 'openai-responses', messages: [result], previous: 'resp_1' })
  assert.throws(() => recall(own, JANE, next), { code: 'WIRE_MALFORMED', param: 'input' })
  recall(own, JANE, testAsk({ messages: [early, result] }))
})
