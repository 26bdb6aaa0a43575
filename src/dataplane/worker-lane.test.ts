import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkerLane } from './worker-lane.ts'

const SCRIPT = `
  import { parentPort } from 'node:worker_threads'
  parentPort.on('message', (message) => {
    if (message === 'die') process.exit(3)
    if (message === 'throw') throw new Error('thrown')
    if (message !== 'hang') parentPort.postMessage(message)
  })`

test('a lane answers, outlives a worker that dies, and ends one that hangs', async (t) => {
  const lane = new WorkerLane(new URL(`data:text/javascript,${encodeURIComponent(SCRIPT)}`))
  t.after(async () => await lane.close())
  assert.equal(await lane.call('one', 5000), 'one')
  await assert.rejects(lane.call('die', 5000), { message: 'the worker died', timedOut: false })
  assert.equal(await lane.call('two', 5000), 'two')
  await assert.rejects(lane.call('throw', 5000), { timedOut: false })
  await assert.rejects(lane.call('hang', 50), { message: 'no answer within 50 ms', timedOut: true })
  assert.equal(await lane.call('three', 5000), 'three')
})
