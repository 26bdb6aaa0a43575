import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from './clock.suite.ts'
import { type Entry, Front, type ScalingOptions } from './cloud-run-front.ts'

const SURE: Partial<ScalingOptions> = { coldStartMs: 20_000, sigma: 0, idleMs: 60_000, concurrency: 2 }

/** A front whose containers are numbered, and callers that say where they went. */
function setUp(options: Partial<ScalingOptions> = {}) {
  const clock = new ManualClock()
  let made = 0
  const front = new Front<number>({ ...SURE, ...options }, clock, () => (made += 1))
  const ask = () => {
    const gone = new AbortController()
    const asked = { entry: undefined as Entry<number> | undefined, end: () => gone.abort() }
    void front.enter(gone.signal).then((entry) => (asked.entry = entry))
    return asked
  }
  return { clock, front, ask }
}

test('the first request starts an instance, and those that come meanwhile go through together when it is ready', async () => {
  const { clock, front, ask } = setUp()
  assert.equal(front.stats().state, 'asleep')
  const first = ask()
  await clock.advance(5_000)
  const second = ask()
  await clock.advance(14_999)
  assert.deepEqual([first.entry, second.entry, front.stats().state], [undefined, undefined, 'starting'])
  await clock.advance(1)
  assert.deepEqual([first.entry, second.entry], [{ container: 1 }, { container: 1 }])
  const { state, starts, held, inFlight } = front.stats()
  assert.deepEqual({ state, starts, held, inFlight }, { state: 'ready', starts: 1, held: 2, inFlight: 2 })
})

test('a warm instance takes requests at once, as many as its concurrency; more wait for a place, first come first', async () => {
  const { clock, front, ask } = setUp()
  ask().end()
  await clock.advance(20_000)
  const [first, second, third, fourth] = [ask(), ask(), ask(), ask()]
  await clock.advance(0)
  assert.deepEqual([first.entry, second.entry], [{ container: 1 }, { container: 1 }])
  assert.deepEqual([third.entry, front.stats().waiting, front.stats().starts], [undefined, 2, 1])
  second.end()
  await clock.advance(0)
  assert.deepEqual([third.entry, fourth.entry], [{ container: 1 }, undefined])
  third.end()
  assert.equal(front.stats().left, 1, 'the very first one; who had a place has not left the queue')
})

test('an instance goes when nothing came for the whole retention, and what it held goes too', async () => {
  const { clock, front, ask } = setUp()
  const first = ask()
  await clock.advance(20_000)
  await clock.advance(300_000)
  assert.equal(front.stats().state, 'ready', 'a request that runs keeps it')
  first.end()
  await clock.advance(59_999)
  const ping = ask()
  await clock.advance(0)
  ping.end()
  await clock.advance(59_999)
  assert.equal(front.stats().state, 'ready', 'any request keeps it for another while')
  await clock.advance(1)
  assert.deepEqual([front.stats().state, front.containers()], ['asleep', []])
  assert.equal(front.stats().billedS, 20 + 300 + 59.999 + 60, 'from the start of the start to the end')
  const again = ask()
  await clock.advance(20_000)
  assert.deepEqual(again.entry, { container: 2 })
})

test('an instance that nobody waits for any more is kept for the retention, and no longer', async () => {
  const { clock, front, ask } = setUp()
  const left = ask()
  await clock.advance(1_000)
  left.end()
  await clock.advance(0)
  assert.deepEqual([left.entry, front.stats().left, front.stats().waiting], ['left', 1, 0])
  await clock.advance(19_000)
  assert.equal(front.stats().state, 'ready', 'the start goes on')
  await clock.advance(60_000)
  assert.equal(front.stats().state, 'asleep')
  assert.equal(front.stats().billedS, 80)
})

test('whoever waits longer than three and a half average starts is refused, and never before ten seconds', async () => {
  const slow = setUp({ concurrency: 1 })
  slow.ask()
  await slow.clock.advance(20_000)
  const waiting = slow.ask()
  await slow.clock.advance(69_999)
  assert.equal(waiting.entry, undefined)
  await slow.clock.advance(1)
  assert.deepEqual([waiting.entry, slow.front.stats().refused], [{ status: 429 }, 1])
  const fast = setUp({ concurrency: 1, coldStartMs: 1_000 })
  fast.ask()
  await fast.clock.advance(1_000)
  const patient = fast.ask()
  await fast.clock.advance(9_999)
  assert.equal(patient.entry, undefined)
  await fast.clock.advance(1)
  assert.deepEqual(patient.entry, { status: 429 })
})

test('the average is that of the starts so far', async () => {
  const { clock, front, ask } = setUp({ sigma: 0.8, seed: 11 })
  assert.ok(Math.abs(front.stats().averageStartMs - 20_000 * Math.exp(0.32)) < 1e-6)
  ask()
  await clock.advance(1_000_000)
  const { averageStartMs, billedS } = front.stats()
  assert.ok(Math.abs(averageStartMs - 20_000 * Math.exp(0.32)) > 1)
  assert.equal(billedS, 1_000)
  const other = setUp({ sigma: 0.8, seed: 11 })
  other.ask()
  await other.clock.advance(1_000_000)
  assert.equal(other.front.stats().averageStartMs, averageStartMs, 'a seed repeats itself')
})

test('a start that fails answers all who waited for it with 503, and the next request tries again', async () => {
  const { clock, front, ask } = setUp({ coldStartFailures: 1 })
  const both = [ask(), ask()]
  await clock.advance(20_000)
  assert.deepEqual(
    both.map(({ entry }) => entry),
    [{ status: 503 }, { status: 503 }],
  )
  const { state, failed, failedStarts, billedS } = front.stats()
  assert.deepEqual(
    { state, failed, failedStarts, billedS },
    { state: 'asleep', failed: 2, failedStarts: 1, billedS: 20 },
  )
  ask()
  assert.equal(front.stats().starts, 2)
})

test('more requests than one instance takes start a second one where that is allowed', async () => {
  const { clock, front, ask } = setUp({ maxInstances: 2 })
  const five = [ask(), ask(), ask(), ask(), ask()]
  assert.equal(front.stats().instances, 2)
  await clock.advance(20_000)
  const went = five.map(({ entry }) => entry)
  assert.deepEqual(went.slice(0, 4).filter((entry) => entry !== undefined).length, 4)
  assert.equal(went[4], undefined)
  assert.equal(new Set(went.slice(0, 4).map((entry) => JSON.stringify(entry))).size, 2, 'spread over both')
})

test('a start that fails leaves those alone who wait for another instance', async () => {
  // This seed's first start succeeds and its second one fails.
  const { clock, front, ask } = setUp({ maxInstances: 2, concurrency: 1, coldStartFailures: 0.5, seed: 4 })
  const [first, second] = [ask(), ask()]
  await clock.advance(20_000)
  assert.deepEqual([front.stats().starts, front.stats().failedStarts], [2, 1])
  assert.deepEqual([first.entry, second.entry], [{ container: 1 }, undefined])
  first.end()
  await clock.advance(0)
  assert.deepEqual(second.entry, { container: 1 })
})

test('a client that is gone already starts nothing', async () => {
  const { front } = setUp()
  assert.equal(await front.enter(AbortSignal.abort()), 'left')
  assert.equal(front.stats().starts, 0)
})
