import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '#contract/principal.ts'
import type { Alias } from '#contract/target.ts'
import { createSpend } from './spend.ts'

const DAY = 86_400_000
const ada = { tenant: 't', subject: 'ada' } as Principal
const bob = { tenant: 't', subject: 'bob' } as Principal
const chat = { name: 'chat', usdPerCallerAndDay: 0.01 } as Alias
const free = { name: 'chat', usdPerCallerAndDay: undefined } as Alias

function spending(subject: string, microUsd: number, atEpochMs: number, alias = 'chat') {
  return { atEpochMs, alias, principal: { tenant: 't', subject }, cost: { modelMicroUsd: microUsd, egressMicroUsd: 0 } }
}

test('a budget is under, near and over, for each caller and alias by itself', () => {
  const spend = createSpend(() => 5 * DAY)
  assert.equal(spend.state(ada, chat), 'under')
  assert.equal(spend.state(ada, free), 'none')
  spend.entry(spending('ada', 7999, 5 * DAY))
  assert.equal(spend.state(ada, chat), 'under')
  spend.entry(spending('ada', 1, 5 * DAY))
  assert.equal(spend.state(ada, chat), 'near')
  spend.entry(spending('ada', 2000, 5 * DAY, 'other'))
  assert.equal(spend.state(ada, chat), 'near')
  spend.entry(spending('ada', 2000, 5 * DAY))
  assert.equal(spend.state(ada, chat), 'over')
  assert.equal(spend.state(bob, chat), 'under')
})

test('a new day begins at midnight UTC, and yesterday counts for nothing', () => {
  let now = 6 * DAY - 1
  const spend = createSpend(() => now)
  spend.entry(spending('ada', 20_000, now))
  assert.equal(spend.state(ada, chat), 'over')
  now += 1
  assert.equal(spend.state(ada, chat), 'under')
  spend.entry(spending('ada', 20_000, now - 1))
  assert.equal(spend.state(ada, chat), 'under')
})
