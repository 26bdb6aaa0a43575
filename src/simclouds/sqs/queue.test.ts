import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from './queue.ts'

const SETTINGS = {
  visibilityTimeoutS: 30,
  retentionS: 0.05,
  delayS: 0,
  receiveWaitS: 0,
  maxMessageBytes: 1_024,
  redrive: undefined,
}

test('a message that nobody took in time is gone', async () => {
  const queue = new Queue('q', 'arn', SETTINGS, () => undefined)
  queue.send('old')
  await sleep(80)
  queue.send('new')
  const taken = await queue.receive(10, 1_000, 0, new AbortController().signal)
  assert.deepEqual(
    taken.map(({ body }) => body),
    ['new'],
  )
})
