import { execFile } from 'node:child_process'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { ProcessLane } from '#dataplane/process-lane.ts'
import { folderWith } from '#dataplane/test-agent.ts'

const SCRIPT = `
  import { writeFileSync } from 'node:fs'
  const kept = []
  process.on('message', (message) => {
    if (message === 'die') process.exit(3)
    if (message === 'throw') throw new Error('thrown')
    if (message === 'grow') for (;;) kept.push(Array(1000).fill(kept.length))
    if (message === 'buffers') for (let at = 0; ; at += 1) if (at < 40) kept.push(new Uint8Array(10_000_000).fill(1))
    if (message === 'environment') return process.send(Object.keys(process.env).filter((name) => !name.startsWith('NODE_CHANNEL')))
    if (message === 'write') {
      try { writeFileSync(import.meta.filename + '.out', 'x') } catch (error) { return process.send(error.code) }
    }
    if (message !== 'hang') process.send(message)
  })`

const execute = promisify(execFile)
const folder = await folderWith({ 'script.mjs': SCRIPT })
const script = pathToFileURL(join(folder, 'script.mjs'))

test('a lane answers, outlives a process that ends, and ends one that hangs', async (t) => {
  const lane = new ProcessLane(script, { maxHeapMb: 64, maxResidentMb: 1000 })
  t.after(async () => await lane.close())
  assert.equal(await lane.call('one', 5000), 'one')
  await assert.rejects(lane.call('die', 5000), { message: 'the process ended', reason: 'died' })
  assert.equal(await lane.call('two', 5000), 'two')
  await assert.rejects(lane.call('throw', 5000), { reason: 'died' })
  await assert.rejects(lane.call('hang', 50), { message: 'no answer within 50 ms', reason: 'timed-out' })
  assert.equal(await lane.call('three', 5000), 'three')
})

test('a process that takes too much memory ends, and nothing else does', async (t) => {
  const lane = new ProcessLane(script, { maxHeapMb: 64, maxResidentMb: 250 })
  t.after(async () => await lane.close())
  const expected = { message: 'the process took too much memory', reason: 'out-of-memory' }
  await assert.rejects(lane.call('grow', 20_000), expected)
  await assert.rejects(lane.call('buffers', 20_000), expected)
  assert.equal(await lane.call('one', 5000), 'one')
})

test('a process sees nothing of the environment and can not write', async (t) => {
  const lane = new ProcessLane(script, { maxHeapMb: 64, maxResidentMb: 1000 })
  t.after(async () => await lane.close())
  assert.deepEqual(await lane.call('environment', 5000), [])
  assert.equal(await lane.call('write', 5000), 'ERR_ACCESS_DENIED')
})

test('an idle process keeps its parent not alive, and closing is waited for', async () => {
  const run = async (end: string) => {
    const source = `
      import { ProcessLane } from ${JSON.stringify(import.meta.resolve('#dataplane/process-lane.ts'))}
      const lane = new ProcessLane(new URL(${JSON.stringify(script.href)}), { maxHeapMb: 64, maxResidentMb: 1000 })
      console.log(await lane.call('one', 5000))
      ${end}`
    const { stdout } = await execute(process.execPath, ['--input-type=module', '--eval', source], { timeout: 10_000 })
    return stdout
  }
  assert.equal(await run(''), 'one\n')
  assert.equal(await run("await lane.close(); console.log('closed')"), 'one\nclosed\n')
})
