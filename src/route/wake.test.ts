import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SLEEPS, testRouter, testTarget } from './test-router.ts'

const GPU = testTarget('gpu', { scaling: { ...SLEEPS, coldStartMs: 1000 } })

test('however many want it awake, it is asked once, with its own path', () => {
  const { router, asked } = testRouter()
  const state = router.stateOf(GPU)
  assert.deepEqual([router.waker.wake(GPU, state), router.waker.wake(GPU, state)], [true, true])
  assert.deepEqual(
    asked.map(({ url, body }) => [url, body]),
    [['http://gpu/health', undefined]],
  )
  assert.equal(state.warmth?.state(1000), 'waking')
})

test('a wake that took as long as a start is a sample of one, and a quick answer says that it was warm', async () => {
  const made = testRouter()
  const state = made.router.stateOf(GPU)
  made.router.waker.wake(GPU, state)
  made.pass(900)
  await made.answer(200)
  assert.deepEqual([state.warmth?.seenStarts, state.warmth?.state(made.router.options.clock())], [1, 'warm'])
  made.pass(800_000)
  const before = state.warmth?.coldAfter(800_000) ?? 0
  made.router.waker.wake(GPU, state)
  made.pass(5)
  await made.answer(404)
  assert.equal(state.warmth?.seenStarts, 1, 'a server without the path is awake as well')
  assert.ok((state.warmth?.coldAfter(800_000) ?? 1) < before)
})

test('Cloud Run without an instance is asked again; a door that is shut is not', async () => {
  const made = testRouter()
  const state = made.router.stateOf(GPU)
  made.router.waker.wake(GPU, state)
  await made.answer(503)
  assert.deepEqual([state.wakeTrouble, state.warmth?.state(1000)], ['it answered 503', 'waking'])
  await sleep(600)
  assert.equal(made.asked.length, 2)
  await made.answer(403)
  assert.equal(state.wakeTrouble, 'it answered 403')
  assert.equal(router403(made), false, 'and left alone for a while')
  await assert.rejects(made.router.waker.awake(GPU, state, 1000, new AbortController().signal), {
    code: 'INFER_COLD',
    message: /^target `gpu` could not be woken \(it answered 403\), try again in \d+ s$/,
  })
  made.pass(10_001)
  assert.equal(made.router.waker.wake(GPU, state), true)
  made.router.waker.close()
})

function router403({ router }: ReturnType<typeof testRouter>): boolean {
  return router.waker.wake(GPU, router.stateOf(GPU))
}

test('a health check that lies opens nothing: the breaker goes by real calls', async () => {
  const made = testRouter()
  const state = made.router.stateOf(GPU)
  made.router.waker.wake(GPU, state)
  made.pass(10)
  await made.answer(200)
  for (let time = 0; time < 5; time += 1) made.router.open(GPU, true)?.failed()
  assert.equal(state.breaker.state, 'out')
  made.router.waker.wake(GPU, state)
  made.pass(10)
  await made.answer(200)
  assert.equal(state.breaker.state, 'out')
})

test('a failure of one that was idle for long is put down to sleep, not to illness', () => {
  const { router, pass } = testRouter()
  const state = router.stateOf(GPU)
  for (let time = 0; time < 9; time += 1) {
    router.open(GPU, true)?.failed(30)
    pass(1000)
  }
  assert.deepEqual([state.breaker.state, state.warmth?.state(router.options.clock())], ['ok', 'cold'])
})
