import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Permit } from '#contract/permit.ts'
import type { Plan, Routing } from '#contract/route.ts'
import type { Alias, Target } from '#contract/target.ts'
import { TEST_ROUTING, testAlias } from '#contract/test-alias.ts'
import { testAsk } from '#contract/test-ask.ts'
import { choose, foresee, preview, targetsOf } from './choose.ts'
import { prefixOf } from './prefix.ts'
import { SLEEPS, type TestRouter, teach, testRouter, testTarget } from './test-router.ts'

const PERMIT: Permit = {
  alias: 'chat',
  collections: [],
  purpose: '',
  policies: [],
  guardProfile: 'balanced',
  jurisdictions: undefined,
  retentionDays: undefined,
  logging: 'standard',
  cache: 'caller',
}

interface Given {
  readonly test: TestRouter
  readonly targets: readonly Target[]
  readonly routing?: Partial<Routing>
  readonly released?: readonly string[]
  readonly text?: string
  readonly permit?: Permit
}

function aliasOf({ targets, routing }: Given): Alias {
  return testAlias({ targets: targets.map(({ name }) => name), routing: { ...TEST_ROUTING, ...routing } })
}

function plan(given: Given): Plan {
  const { test: made, targets, released, text = 'hello', permit = PERMIT } = given
  const names = targets.map(({ name }) => name)
  return choose(
    { targets: new Map(targets.map((target) => [target.name, target])), router: made.router },
    {
      alias: aliasOf(given),
      permit,
      release: {
        targets: released ?? names,
        forbidden: names
          .filter((name) => released !== undefined && !released.includes(name))
          .map((target) => ({ target, policies: ['eu-only'] })),
        policies: [],
      },
      ask: testAsk({ stream: true, messages: [{ role: 'user', parts: [{ type: 'text', text }] }] }),
      salt: 'tenant',
    },
  )
}

function legs(given: Given): string[] {
  return plan(given).legs.map(({ target }) => target.name)
}

const [A, B, C] = [testTarget('a'), testTarget('b'), testTarget('c')]
const GPU = testTarget('gpu', { scaling: SLEEPS })

test('targets that the configuration does not have are passed over', () => {
  const alias = testAlias({ targets: ['b', 'gone', 'a'] })
  const targets = new Map([A, B].map((target) => [target.name, target]))
  assert.deepEqual(
    targetsOf({ targets }, alias).map(({ name }) => name),
    ['b', 'a'],
  )
})

test('ordered: as listed, of those that are permitted and in', () => {
  const made = testRouter()
  assert.deepEqual(legs({ test: made, targets: [B, A, C] }), ['b', 'a', 'c'])
  assert.deepEqual(legs({ test: made, targets: [B, A, C], released: ['c', 'a'] }), ['a', 'c'])
  made.router.open(B, true)?.failed(5)
  const { legs: left, line } = plan({ test: made, targets: [B, A, C], released: ['a', 'b'] })
  assert.deepEqual(
    left.map(({ target }) => target.name),
    ['a'],
  )
  assert.match(line(), /^ordered: a first, 200 ms \$[\d.e-]+; b out for 5000 ms; c forbidden by eu-only$/)
})

test('when every released target is out the caller learns when to come back, whatever others could do', () => {
  const made = testRouter()
  made.router.open(A, true)?.failed(2.5)
  made.router.open(B, true)?.failed(9)
  assert.throws(() => plan({ test: made, targets: [B, A, C], released: ['b', 'a'] }), {
    code: 'ROUTE_NO_TARGET',
    message: 'every target of model `chat` is out, try again in 3 s',
    retryAfterS: 3,
  })
})

test('at most four are tried', () => {
  const targets = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => testTarget(name))
  assert.equal(legs({ test: testRouter(), targets }).length, 4)
})

test('fastest: by what was learnt; what nobody knows yet is tried', () => {
  const made = testRouter()
  teach(made, A, 900)
  teach(made, B, 300)
  assert.deepEqual(legs({ test: made, targets: [A, B], routing: { strategy: 'fastest' } }), ['b', 'a'])
  assert.equal(legs({ test: made, targets: [A, B, C], routing: { strategy: 'fastest' } })[0], 'c')
})

test('fastest: of two that are as good the less busy one is taken, not always the best', () => {
  const made = testRouter(0)
  teach(made, A, 300)
  teach(made, B, 310)
  made.router.open(A, true)?.began()
  assert.equal(legs({ test: made, targets: [A, B], routing: { strategy: 'fastest' } })[0], 'b')
  made.router.open(B, true)?.began()
  made.router.open(B, true)?.began()
  assert.equal(legs({ test: made, targets: [A, B], routing: { strategy: 'fastest' } })[0], 'a')
})

test('cheapest: by price, and those without one last', () => {
  const price = (usd: number, isKnown = true): Target['price'] => ({
    usdPerMillionInput: usd,
    usdPerMillionCachedInput: usd,
    usdPerMillionOutput: usd,
    source: '',
    isKnown,
  })
  const targets = [
    testTarget('none', { price: price(0, false) }),
    testTarget('dear', { price: price(5) }),
    testTarget('cheap', { price: price(1) }),
  ]
  const given = { test: testRouter(), targets, routing: { strategy: 'cheapest' as const } }
  assert.deepEqual(legs(given), ['cheap', 'dear', 'none'])
  assert.match(plan(given).line(), /none 200 ms price not given/)
})

test('balanced: a price that nobody gave counts as the dearest', () => {
  const priced = (name: string, usd: number, isKnown = true): Target =>
    testTarget(name, { price: { ...A.price, usdPerMillionInput: usd, usdPerMillionOutput: usd, isKnown } })
  const targets = [priced('none', 0, false), priced('cheap', 1), priced('dear', 50)]
  const routing = { strategy: 'balanced' as const, usdPerSecond: 0 }
  assert.equal(legs({ test: testRouter(), targets, routing })[0], 'cheap')
})

test('balanced: a second is worth what the alias says', () => {
  const made = testRouter()
  const dear = testTarget('dear', { price: { ...A.price, usdPerMillionOutput: 5 } })
  teach(made, dear, 100)
  teach(made, A, 2000)
  const strategy = 'balanced' as const
  assert.equal(legs({ test: made, targets: [A, dear], routing: { strategy, usdPerSecond: 0.01 } })[0], 'dear')
  assert.equal(legs({ test: made, targets: [A, dear], routing: { strategy, usdPerSecond: 0.000001 } })[0], 'a')
})

test('a cold first choice: another answers now while it is woken, once for all who come, and then it is back', async () => {
  const made = testRouter()
  const given = { test: made, targets: [GPU, B] }
  const { kind, line, legs: tried } = plan(given)
  assert.deepEqual([kind, tried.map(({ target }) => target.name)], ['detour', ['b', 'gpu']])
  assert.match(line(), /b as a detour, [^;]*; gpu passed over, cold 1\.00 \(not seen yet, \+\d+ s\); waking gpu/)
  plan(given)
  assert.deepEqual(
    made.asked.map(({ method, url, layer }) => [method, url, layer]),
    [['GET', 'http://gpu/health', 'probe']],
  )
  made.pass(24_000)
  await made.answer(200)
  assert.deepEqual([plan(given).kind, legs(given)], ['first', ['gpu', 'b']])
  assert.equal(made.router.stateOf(GPU).warmth?.seenStarts, 1, 'the wake call was a sample of a cold start')
  made.pass(20 * 60_000)
  assert.equal(plan(given).kind, 'detour')
})

test('a lone request wakes nothing where two are asked for', () => {
  const made = testRouter()
  const lazy = testTarget('gpu', { scaling: { ...SLEEPS, wakeAtRequests: 2 } })
  assert.equal(plan({ test: made, targets: [lazy, B] }).kind, 'detour')
  assert.equal(made.asked.length, 0)
  made.pass(900_001)
  plan({ test: made, targets: [lazy, B] })
  assert.equal(made.asked.length, 0, 'the first one is too long ago')
  made.pass(1000)
  plan({ test: made, targets: [lazy, B] })
  assert.equal(made.asked.length, 1)
})

test('no detour to what policy forbids: the caller is held until it is awake, or for so long as the alias says', async () => {
  const made = testRouter()
  const given = { test: made, targets: [GPU, B], released: ['gpu'], routing: { maxWaitMs: 20 } }
  const { kind, legs: tried } = plan(given)
  assert.equal(kind, 'hold')
  const held = tried[0]?.awake?.(new AbortController().signal)
  await assert.rejects(held ?? Promise.resolve(), {
    code: 'INFER_COLD',
    retryAfterS: 27,
    message: 'target `gpu` is starting and was not ready within 20 ms, try again in 27 s',
  })
  const again = plan(given).legs[0]?.awake?.(new AbortController().signal)
  await made.answer(200)
  await again
  assert.equal(made.asked.length, 1, 'both waited for one wake')
})

test('a caller who leaves while held is not held', async () => {
  const made = testRouter()
  const gone = new AbortController()
  const held = plan({ test: made, targets: [GPU] }).legs[0]?.awake?.(gone.signal)
  gone.abort()
  await assert.rejects(held ?? Promise.resolve(), { name: 'CrossFault', kind: 'aborted' })
})

test('where nobody else can answer, a target that may be cold after all is waited for a second time', () => {
  const made = testRouter()
  teach(made, GPU, 300)
  const { kind, legs: tried } = plan({ test: made, targets: [GPU] })
  assert.equal(kind, 'first')
  assert.deepEqual(
    tried.map(({ awake }) => awake === undefined),
    [true, false],
  )
})

test('a hedge comes after the 95th percentile of the first leg, never into a cold one, never without budget', () => {
  const made = testRouter()
  assert.equal(plan({ test: made, targets: [A, B] }).hedgeAfterMs, undefined, 'nothing is known yet')
  teach(made, A, 400)
  const { hedgeAfterMs, takeHedge } = plan({ test: made, targets: [A, B] })
  assert.ok(Math.abs((hedgeAfterMs ?? 0) / 400 - 1) < 0.1)
  assert.deepEqual([takeHedge(), takeHedge()], [true, false])
  for (let request = 0; request < 19; request += 1) plan({ test: made, targets: [A, B] })
  assert.equal(plan({ test: made, targets: [A, B] }).takeHedge(), true, 'twenty requests earned one')
  assert.equal(plan({ test: made, targets: [A, GPU] }).hedgeAfterMs, undefined)
  assert.equal(
    plan({ test: made, targets: [A, B], routing: { hedge: { percent: 0, minMs: 1 } } }).hedgeAfterMs,
    undefined,
  )
})

test('a target that may be cold is hedged after a part of a start before its own times are known', () => {
  const made = testRouter()
  teach(made, GPU, 300, 1)
  assert.equal(Math.round(plan({ test: made, targets: [GPU, B] }).hedgeAfterMs ?? 0), 2000)
})

test('the wake begins before the guard and the data plane are asked, for whom it was permitted before', () => {
  const made = testRouter()
  const given = { test: made, targets: [GPU, B] }
  const deps = { targets: new Map([GPU, B].map((target) => [target.name, target])), router: made.router }
  foresee(deps, aliasOf(given), { ...PERMIT })
  assert.equal(made.asked.length, 0, 'nobody knows yet what this caller may use')
  const forbidden = { ...PERMIT }
  plan({ ...given, released: ['b'], permit: forbidden })
  foresee(deps, aliasOf(given), forbidden)
  assert.equal(made.asked.length, 0)
  const permit = { ...PERMIT }
  teach(made, GPU, 300)
  plan({ ...given, permit })
  made.pass(30 * 60_000)
  foresee(deps, aliasOf(given), permit)
  assert.equal(made.asked.length, 1)
})

test('a preview wakes nothing and counts nothing', () => {
  const made = testRouter()
  const given = { test: made, targets: [GPU, B] }
  const deps = { targets: new Map([GPU, B].map((target) => [target.name, target])), router: made.router }
  assert.match(preview(deps, aliasOf(given)), /^ordered: b as a detour/)
  assert.equal(made.asked.length, 0)
})

const SHARDS = ['p-1', 'p-2', 'p-3'].map((name) =>
  testTarget(name, { pool: 'p', vllm: { metricsPath: '', everyMs: 1000, cacheSalt: true, maxConcurrent: 2 } }),
)
const BOOK = 'It was the best of rules, it was the worst of rules. '.repeat(40)

test('prompts with the same beginning go to the same shard, as long as it has room', () => {
  const made = testRouter()
  const first = legs({ test: made, targets: SHARDS, text: `${BOOK}one` })[0]
  for (const question of ['two', 'three', 'four'])
    assert.equal(legs({ test: made, targets: SHARDS, text: BOOK + question })[0], first)
  const other = testRouter()
  assert.equal(legs({ test: other, targets: SHARDS, text: `${BOOK}one` })[0], first, 'another gateway agrees')
  const busy = SHARDS.find(({ name }) => name === first) ?? SHARDS[0] ?? A
  for (let call = 0; call < 2; call += 1) made.router.open(busy, true)
  assert.notEqual(legs({ test: made, targets: SHARDS, text: `${BOOK}five` })[0], first, 'it is full')
})

test('a shard that is awake comes before one that may sleep, also where no start is too long', () => {
  const made = testRouter()
  const shards = SHARDS.map((shard) => ({ ...shard, scaling: SLEEPS }))
  teach(made, shards[1] ?? A, 300, 1)
  assert.equal(legs({ test: made, targets: shards, routing: { detourAboveMs: 3_600_000 } })[0], 'p-2')
})

test('what a shard held is forgotten when it started cold', () => {
  const made = testRouter()
  const shards = SHARDS.map((shard) => ({ ...shard, scaling: SLEEPS }))
  for (const shard of shards) teach(made, shard, 300, 1)
  const name = legs({ test: made, targets: shards, text: `${BOOK}one` })[0] ?? ''
  const prefix = made.router.prefixes
  const shard = shards.find((each) => each.name === name) ?? A
  made.pass(30 * 60_000)
  assert.ok(
    prefix.match(
      name,
      prefixOf(testAsk({ messages: [{ role: 'user', parts: [{ type: 'text', text: `${BOOK}one` }] }] }), 'tenant'),
    ) > 0.9,
  )
  const call = made.router.open(shard, true)
  made.pass(30_000)
  call?.began()
  const prompt = testAsk({ messages: [{ role: 'user', parts: [{ type: 'text', text: `${BOOK}one` }] }] })
  assert.equal(prefix.match(name, prefixOf(prompt, 'tenant')), 0)
  assert.equal(made.router.stateOf(shard).warmth?.seenStarts, 1)
})

test('a whole answer that takes its time is no cold start', () => {
  const made = testRouter()
  const call = made.router.open(GPU, false)
  made.pass(12_000)
  call?.began()
  assert.equal(made.router.stateOf(GPU).warmth?.seenStarts, 0)
  const slow = made.router.open(GPU, false)
  made.pass(20_000)
  assert.equal(made.router.stateOf(GPU).coldNow(made.router.options.clock()), 0)
  slow?.began()
})

test('a brown-out: a target that became ten times slower is left alone but for one call at a time, and is back after', () => {
  const made = testRouter()
  teach(made, A, 100, 40)
  teach(made, B, 110, 40)
  for (let call = 0; call < 3; call += 1) teach(made, A, 1000, 1)
  for (const strategy of ['ordered', 'fastest', 'cheapest', 'balanced'] as const) {
    const given: Given = { test: made, targets: [A, B], routing: { strategy } }
    const chosen = Array.from({ length: 20 }, () => legs(given)[0])
    assert.ok(
      chosen.every((name) => name === 'b'),
      strategy,
    )
    assert.match(plan(given).line(), /then a 1000 ms slow/)
  }
  made.pass(2000)
  assert.equal(legs({ test: made, targets: [A, B] })[0], 'a', 'somebody has to find out')
  teach(made, A, 100, 1)
  assert.equal(made.router.stateOf(A).slowness.isSlow, false)
})

test('whatever happens, nobody is sent where policy did not release', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(4), fc.constantFrom('ok', 'fail', 'slow', 'pass', 'retry')), { maxLength: 60 }),
      fc.subarray(['gpu', 'a', 'b', 'p-1', 'p-2']),
      fc.constantFrom('ordered', 'fastest', 'cheapest', 'balanced'),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (steps, released, strategy, random) => {
        const made = testRouter(random)
        const targets = [GPU, A, B, ...SHARDS.slice(0, 2)]
        for (const [at, what] of steps) {
          const call = made.router.open(targets[at] ?? A, true)
          made.pass(what === 'slow' ? 5000 : what === 'pass' ? 700_000 : 100)
          if (what === 'fail') call?.failed()
          else if (what === 'retry') call?.failed(31_536_000)
          else call?.ended()
        }
        try {
          const { legs: tried, line } = plan({ test: made, targets, released, routing: { strategy }, text: BOOK })
          assert.ok(tried.length > 0 && tried.length <= 4)
          assert.ok(tried.every(({ target }) => released.includes(target.name)))
          assert.ok(!line().includes('\n'))
        } catch (error) {
          assert.ok(error instanceof Error && 'code' in error && error.code === 'ROUTE_NO_TARGET', String(error))
        }
      },
    ),
    { numRuns: 300 },
  )
})
