import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { openDeadline } from './deadline.ts'

const never = async (): Promise<never> => await new Promise<never>(() => undefined)
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

test('what is there in time is given, and nothing is left behind', async () => {
  const gone = new AbortController()
  const deadline = openDeadline(60_000, gone.signal)
  const before = timers()
  assert.equal(await deadline.within(async () => await Promise.resolve(7)), 7)
  assert.equal(timers(), before)
  assert.equal(getEventListeners(gone.signal, 'abort').length, 0)
  const left = deadline.leftMs()
  assert.ok(left > 50_000 && left < 60_000)
  assert.equal(deadline.totalMs, 60_000)
})

test('what is late is not waited for, and told so', async () => {
  const deadline = openDeadline(60, new AbortController().signal)
  const startedMs = performance.now()
  const signals: AbortSignal[] = []
  const late = await deadline.within(async (signal) => {
    signals.push(signal)
    assert.equal(signal.aborted, false)
    return await never()
  })
  const ms = performance.now() - startedMs
  assert.equal(late, undefined)
  assert.ok(ms > 50 && ms < 1000, `${ms} ms`)
  assert.match(String(signals[0]?.reason), /not waited for any more/)
  assert.ok(deadline.leftMs() < 2)
  // Nothing has time any more.
  assert.equal(await deadline.within(never), undefined)
})

test('a limit of its own counts when it is less', async () => {
  const deadline = openDeadline(60_000, new AbortController().signal)
  const startedMs = performance.now()
  assert.equal(await deadline.within(never, 40), undefined)
  const ms = performance.now() - startedMs
  assert.ok(ms > 30 && ms < 1000, `${ms} ms`)
  const short = openDeadline(40, new AbortController().signal)
  assert.equal(await short.within(never, 60_000), undefined)
  assert.ok(performance.now() - startedMs < 2000)
})

test('an error in time is thrown', async () => {
  const deadline = openDeadline(1000, new AbortController().signal)
  await assert.rejects(
    deadline.within(async () => await Promise.reject(new Error('broken'))),
    /^Error: broken$/,
  )
})

test('an error that comes when nobody waits any more is nobody’s', async (t) => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const deadline = openDeadline(20, new AbortController().signal)
  const failed = Promise.withResolvers<undefined>()
  const late = await deadline.within(async (signal) => {
    await wait(10_000, undefined, { signal }).catch(() => failed.resolve(undefined))
    throw new Error('too late')
  })
  assert.equal(late, undefined)
  await failed.promise
  await wait(10)
  assert.deepEqual(unhandled, [])
})

test('a caller who has gone is told from a deadline', async () => {
  const gone = new AbortController()
  const deadline = openDeadline(60_000, gone.signal)
  const reason = new Error('the caller hung up')
  const signals: AbortSignal[] = []
  const before = timers()
  const asked = assert.rejects(
    deadline.within(async (signal) => {
      signals.push(signal)
      return await never()
    }),
    reason,
  )
  gone.abort(reason)
  await asked
  assert.equal(signals[0]?.aborted, true)
  assert.equal(timers(), before)
  // Nothing is begun for nobody.
  let isBegun = false
  await assert.rejects(
    deadline.within(async () => {
      isBegun = true
      return await never()
    }),
    reason,
  )
  assert.equal(isBegun, false)
})
