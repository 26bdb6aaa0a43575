import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TooBusy, Turns } from './turns.ts'

const never = new AbortController().signal

function held(): { readonly job: () => Promise<void>; readonly release: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { job: () => promise, release: resolve }
}

test('jobs run one at a time in the order of arrival', async () => {
  const turns = new Turns(8)
  const order: string[] = []
  let running = 0
  const job = (name: string) => async () => {
    running += 1
    assert.equal(running, 1)
    await new Promise((resolve) => setImmediate(resolve))
    order.push(name)
    running -= 1
  }
  await Promise.all(['a', 'b', 'c', 'd'].map((name) => turns.take(never, job(name))))
  assert.deepEqual(order, ['a', 'b', 'c', 'd'])
})

test('a full line refuses at once', async () => {
  const turns = new Turns(1)
  const first = held()
  const taken = turns.take(never, first.job)
  const waiting = turns.take(never, () => Promise.resolve('second'))
  await assert.rejects(
    turns.take(never, () => Promise.resolve()),
    TooBusy,
  )
  first.release()
  await taken
  assert.equal(await waiting, 'second')
})

test('whoever leaves the line makes room, and a job that fails passes its turn on', async () => {
  const turns = new Turns(1)
  const first = held()
  const taken = turns.take(never, first.job)
  const leaver = new AbortController()
  const left = turns.take(leaver.signal, () => Promise.reject(new Error('must not run')))
  leaver.abort(new Error('gone'))
  await assert.rejects(left, /gone/)
  const failing = turns.take(never, () => Promise.reject(new Error('broken')))
  first.release()
  await taken
  await assert.rejects(failing, /broken/)
  assert.equal(await turns.take(never, () => Promise.resolve('free')), 'free')
})
