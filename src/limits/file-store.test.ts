import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { FileStore } from './file-store.ts'
import { Limiter } from './limiter.ts'
import { storeSuite } from './store.suite.ts'

const folder = await mkdtemp(join(tmpdir(), 'thinplane-limits-'))
after(() => rm(folder, { recursive: true, force: true }))

storeSuite('file', () => Promise.resolve(new FileStore(join(folder, 'shared.sqlite'))), undefined)

function request() {
  return new Limiter({ replica: 'r', nowEpochMs: Date.now }).report().request
}

test('a file that is no database is said to be none, and one that is mended is used', async () => {
  const path = join(folder, 'text')
  await writeFile(path, 'not a database, and long enough to be seen as none\n'.repeat(100))
  const store = new FileStore(path)
  try {
    await assert.rejects(store.exchange(request()), { message: `${path}: file is not a database` })
    await rm(path)
    assert.equal((await store.exchange(request())).replicas, 1)
  } finally {
    await store.close()
  }
})

test('a file that another process holds fails within five seconds, and holds up nothing meanwhile', async () => {
  const path = join(folder, 'held.sqlite')
  const store = new FileStore(path)
  try {
    const mine = request()
    await store.exchange(mine)
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const startMs = performance.now()
    let turns = 0
    const timer = setInterval(() => (turns += 1), 20)
    await assert.rejects(store.exchange(mine), { message: `${path}: database is locked` })
    clearInterval(timer)
    assert.ok(performance.now() - startMs < 5000)
    assert.ok(turns > 20, `${turns} turns of the event loop`)
    other.exec('ROLLBACK')
    other.close()
    assert.equal((await store.exchange(mine)).replicas, 1)
  } finally {
    await store.close()
  }
})

test('nothing is said in the terminal about SQLite', async () => {
  const program = `
    const { FileStore } = await import(${JSON.stringify(new URL('file-store.ts', import.meta.url).href)})
    const { Limiter } = await import(${JSON.stringify(new URL('limiter.ts', import.meta.url).href)})
    const store = new FileStore(${JSON.stringify(join(folder, 'quiet.sqlite'))})
    await store.exchange(new Limiter({ replica: 'r', nowEpochMs: Date.now }).report().request)
    await store.close()
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)))
  const code = await new Promise((resolve) => child.once('exit', resolve))
  assert.deepEqual([code, said], [0, ''])
})
