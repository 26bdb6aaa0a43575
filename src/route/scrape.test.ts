import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isInUse, scrape } from './scrape.ts'
import { SLEEPS, teach, testRouter, testTarget } from './test-router.ts'

const GPU = testTarget('gpu', {
  scaling: SLEEPS,
  vllm: { metricsPath: '/metrics', everyMs: 1000, cacheSalt: true, maxConcurrent: 4 },
})

function metrics(running: number, waiting: number): string {
  return `vllm:num_requests_running ${running}\nvllm:num_requests_waiting ${waiting}\n`
}

test('nothing that may be asleep is read: not before its first content, not long after its last', () => {
  const made = testRouter()
  const state = made.router.stateOf(GPU)
  assert.equal(isInUse(state, made.router.options.clock()), false)
  const call = made.router.open(GPU, true)
  assert.equal(isInUse(state, made.router.options.clock()), false, 'it may be starting')
  call?.began()
  assert.equal(isInUse(state, made.router.options.clock()), true)
  call?.ended()
  made.pass(5001)
  assert.equal(isInUse(state, made.router.options.clock()), false, 'reading would keep it awake')
})

test('a queue that is read makes a target slower and fuller, and one that is old says nothing', async () => {
  const made = testRouter()
  const { router } = made
  const state = router.stateOf(GPU)
  teach(made, GPU, 200)
  const { cross, trip, clock } = router.options
  const read = async (text: string): Promise<void> => {
    const reading = scrape({ cross, trip, clock, stateOf: () => state }, GPU, state)
    await made.answer(200, text)
    await reading
  }
  const before = state.expectMs(true, clock())
  await read(metrics(4, 8))
  assert.ok(state.expectMs(true, clock()) > before + 300)
  assert.equal(state.fullness(clock()), 3)
  await read(metrics(-1, 3))
  assert.equal(state.readingTrouble, 'the numbers of requests can not be true')
  assert.equal(state.fullness(clock()), 3, 'the last good one counts while it is fresh')
  made.pass(3001)
  assert.deepEqual([state.fullness(clock()), state.freshReading(clock())], [0, undefined])
  assert.deepEqual(made.asked.at(-1)?.url, 'http://gpu/metrics')
})
