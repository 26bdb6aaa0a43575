import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LimitUse } from '#contract/limit.ts'
import type { Batch, Event } from '#contract/event.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import { testAsk } from '#contract/test-ask.ts'
import { OutputLengths, dearestPrice, estimate, inputTokens } from './estimate.ts'
import { meter } from './meter.ts'
import { type Held, type LimitDeps, admitHeld, reserve } from './reserve.ts'
import type { LimitRule } from './rule.ts'
import { TestLedger, testRule } from './test-gateways.ts'

const CALLER: Principal = {
  subject: 's',
  tenant: 't',
  kind: 'key',
  roles: [],
  groups: [],
  client: undefined,
  via: 'key',
  credentialId: 'k',
}
/** 2 and 10 millionths of a USD a token. */
const TARGETS = [price(1, 10), price(2, 5)]
const USE: LimitUse = { isCounted: true, tokens: 300, outputTokens: 200, microUsd: 1234.5, isEstimated: false }

function price(input: number, output: number): Target {
  return {
    price: { usdPerMillionInput: input, usdPerMillionCachedInput: 0, usdPerMillionOutput: output, source: 'x' },
  } as Target
}

async function deps(...rules: readonly LimitRule[]): Promise<LimitDeps & { readonly ledger: TestLedger }> {
  const ledger = new TestLedger()
  const gateway = ledger.gateway('one')
  await gateway.exchange()
  return { ledger, limiter: gateway.limiter, lengths: new OutputLengths(), rules, teams: [] }
}

function held(from: LimitDeps, maxTokens = 100, text = 'x'.repeat(400)): Held {
  const ask = testAsk({ messages: [{ role: 'user', parts: [{ type: 'text', text }] }], sampling: { maxTokens } })
  const made = reserve(from, { principal: CALLER, ask, alias: 'chat', targets: TARGETS })
  assert.ok(made !== undefined)
  return made
}

function state({ limiter }: LimitDeps): readonly (readonly number[])[] {
  return [...limiter.accounts()].flatMap(({ purses }) => purses.map(({ reserved, used }) => [reserved, used]))
}

test('an estimate: characters, tools and images in, the least of what is asked for and what is learnt out, at the dearest price', () => {
  const lengths = new OutputLengths()
  const ask = testAsk({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'x'.repeat(401) }] }] })
  const whole = estimate(ask, dearestPrice(TARGETS), lengths.of('chat'))
  assert.deepEqual(whole, {
    requests: { sure: 1, guess: 0 },
    tokens: { sure: 101, guess: 1024 },
    microUsd: { sure: 202, guess: 10_240 },
  })
  const tokens = (sampling: object) => estimate({ ...ask, sampling }, dearestPrice([]), lengths.of('chat')).tokens.guess
  assert.equal(tokens({ maxTokens: 50 }), 50)
  assert.equal(tokens({ maxTokens: 50, n: 3 }), 150)
  assert.equal(tokens({ maxTokens: 5000 }), 1024)
  for (let round = 0; round < 60; round += 1) lengths.learn('chat', 100)
  assert.equal(tokens({ maxTokens: 5000 }), 200)
  assert.equal(lengths.of('another'), 1024)
  assert.equal(estimate({ ...ask, operation: 'embed' }, dearestPrice([]), 1024).tokens.guess, 0)
  assert.equal(estimate({ ...ask, operation: 'count-tokens' }, dearestPrice([]), 1024).tokens.sure, 0)
  const image = { type: 'image', source: { kind: 'url', url: '' } } as const
  const result = { type: 'tool-result', id: '', text: '', isError: false, images: [image.source] } as const
  assert.equal(inputTokens(testAsk({ messages: [{ role: 'user', parts: [image, result] }] })), 2 * 1590)
})

test('no rule applies: nothing is held', async () => {
  const from = await deps(testRule({ aliases: ['other'] }))
  assert.equal(reserve(from, { principal: CALLER, ask: testAsk(), alias: 'chat', targets: [] }), undefined)
  admitHeld(undefined)
})

test('what is settled is what was really used, once, and nothing stays held', async () => {
  const from = await deps(testRule({ amounts: { requests: 10, tokens: 10_000, microUsd: 1e6 } }))
  const one = held(from)
  assert.deepEqual(state(from), [
    [1, 0],
    [200, 0],
    [1200, 0],
  ])
  const tally = one.settle(USE)
  assert.deepEqual(tally, {
    reserved: { microUsd: 1200, requests: 1, tokens: 200 },
    rules: ['r'],
    settled: { microUsd: 1235, requests: 1, tokens: 300 },
  })
  assert.deepEqual(state(from), [
    [0, 1],
    [0, 300],
    [0, 1235],
  ])
  assert.equal(one.settle(undefined), tally)
  assert.deepEqual(state(from), [
    [0, 1],
    [0, 300],
    [0, 1235],
  ])
})

test('a request that nothing was paid for is released wholly; one that nobody knows the end of counts as it was held', async () => {
  const from = await deps(testRule({ amounts: { requests: 10, tokens: 10_000 } }))
  held(from).settle({ ...USE, isCounted: false })
  assert.deepEqual(state(from), [
    [0, 0],
    [0, 0],
  ])
  held(from).settle(undefined)
  assert.deepEqual(state(from), [
    [0, 1],
    [0, 200],
  ])
})

test('negative and absurd usage of a target counts as nothing, or as the most that is believed', async () => {
  for (const [tokens, counted] of [
    [-5, 0],
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 0],
    [1e300, 1e12],
    [0.2, 1],
  ] as const) {
    const from = await deps(testRule({ amounts: { tokens: 10_000 } }))
    held(from).settle({ ...USE, tokens, outputTokens: tokens })
    assert.deepEqual(state(from), [[0, counted]])
    assert.ok(Number.isFinite(from.lengths.of('chat')))
  }
})

test('a guess is cut to what a small limit leaves, what is sure is not', async () => {
  const from = await deps(testRule({ amounts: { tokens: 150 } }))
  const one = held(from, 100)
  assert.equal(one.refusal, undefined)
  assert.deepEqual(state(from), [[150, 0]])
  one.settle({ ...USE, isCounted: false })
  assert.equal(held(from, 1, 'x'.repeat(604)).refusal?.code, 'LIMIT_RATE')
})

test('an answer holds more ahead of what is seen, and what was seen counts when the target said nothing', async () => {
  const from = await deps(testRule({ amounts: { tokens: 10_000 } }))
  const one = held(from, 100)
  assert.equal(one.meter(50), undefined)
  assert.deepEqual(state(from), [[406, 0]])
  one.meter(1000)
  assert.deepEqual(state(from), [[1356, 0]])
  const { settled, reserved } = one.settle({ ...USE, tokens: 10, isEstimated: true })
  assert.deepEqual([settled.tokens, reserved.tokens], [1100, 1356])
})

test('without room a rule that cuts says so, one that does not lets the answer go on and counts it', async () => {
  for (const cutOff of [true, false]) {
    const from = await deps(testRule({ amounts: { tokens: 300 }, cutOff }))
    const one = held(from, 100)
    assert.equal(one.meter(200), undefined)
    const cut = one.meter(201)
    assert.equal(cut?.code, cutOff ? 'LIMIT_RATE' : undefined)
    assert.deepEqual(state(from), [[cutOff ? 300 : 301, 0]])
    one.settle({ ...USE, tokens: 0, isEstimated: true })
    assert.deepEqual(state(from), [[0, 301]])
  }
})

test('the tightest rule is in the notes, and the refusal names the one that keeps the caller waiting longest', async () => {
  const from = await deps(
    testRule({ name: 'day', window: 'day', amounts: { requests: 2 } }),
    testRule({ name: 'minute', amounts: { requests: 2, tokens: 1000 } }),
    testRule({ name: 'money', window: 'hour', amounts: { microUsd: 1e9 } }),
  )
  const one = held(from)
  assert.deepEqual(one.rates.requests, { limit: 2, remaining: 1, resetS: 43_200 })
  assert.deepEqual(one.rates.tokens, { limit: 1000, remaining: 800, resetS: 60 })
  one.settle(USE)
  held(from).settle(USE)
  const third = held(from)
  assert.throws(() => admitHeld(third), {
    code: 'LIMIT_RATE',
    message: 'rule `day` allows 2 requests a day, and too little of it is left, try again in 43200 s',
    retryAfterS: 43_200,
  })
  assert.deepEqual(third.settle(USE), {
    reserved: { microUsd: 0, requests: 0, tokens: 0 },
    rules: ['day'],
    settled: { microUsd: 0, requests: 0, tokens: 0 },
  })
  assert.equal(third.meter(1e6), undefined)
})

test('an amount of nothing refuses also what costs nothing, until the window ends', async () => {
  const from = await deps(testRule({ amounts: { microUsd: 0 } }))
  const free = reserve(from, { principal: CALLER, ask: testAsk(), alias: 'chat', targets: [] })
  assert.equal(
    free?.refusal?.message,
    'rule `r` allows 0 USD a minute, and too little of it is left, try again in 60 s',
  )
})

test('what is held for others only is worth another try soon', async () => {
  const from = await deps(testRule({ name: 'money', amounts: { microUsd: 2000 } }))
  const one = held(from)
  const second = held(from).refusal
  assert.equal(
    second?.message,
    'rule `money` allows 0.002 USD a minute, and what is left is held for other requests or by other gateways, try again in 1 s',
  )
  assert.deepEqual([second?.code, second?.retryAfterS], ['LIMIT_BUDGET', 1])
  one.settle({ ...USE, microUsd: 10 })
  assert.equal(held(from).refusal, undefined)
})

const TEXT: Event = { type: 'text-delta', choice: 0, text: 'x'.repeat(800) }

async function* answer(log: string[], batches: readonly Batch[]): AsyncGenerator<Batch> {
  try {
    for (const batch of batches) yield await Promise.resolve(batch)
  } finally {
    log.push('ended')
  }
}

test('a stream that is cut ends the call upstream; one that is whole by then is given out', async () => {
  const rule = testRule({ amounts: { tokens: 300 }, cutOff: true })
  const log: string[] = []
  const seen: Batch[] = []
  await assert.rejects(async () => {
    for await (const batch of meter(held(await deps(rule)), answer(log, [[TEXT], [TEXT], [TEXT]]))) seen.push(batch)
  }, Refusal)
  assert.deepEqual([seen.length, log], [1, ['ended']])
  const whole: Batch = [TEXT, TEXT, { type: 'end' }]
  for await (const batch of meter(held(await deps(rule)), answer(log, [whole]))) assert.equal(batch, whole)
})

test('without a reservation an answer is handed on as it is', () => {
  const source = answer([], [])
  assert.equal(meter(undefined, source), source)
})
