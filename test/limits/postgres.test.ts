import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { Limiter } from '#limits/limiter.ts'
import { PostgresStore } from '#limits/postgres-store.ts'
import { storeSuite } from '#limits/store.suite.ts'

const run = promisify(execFile)
const bin = serverFolder()
const server = bin === undefined ? undefined : await startServer(bin).catch((error: unknown) => String(error))
const skip =
  server === undefined
    ? 'no PostgreSQL server is installed here'
    : typeof server === 'string'
      ? `the PostgreSQL server did not start: ${server}`
      : undefined
const url = typeof server === 'object' ? server.url : ''
after(async () => {
  if (typeof server === 'object') await server.stop()
})

storeSuite('postgres', () => Promise.resolve(new PostgresStore(url)), skip)

function request() {
  return new Limiter({ replica: 'r', nowEpochMs: Date.now }).report().request
}

test('a server that is not there is said to be away, without what the URL holds', async () => {
  const store = new PostgresStore('postgres://user:very-secret@127.0.0.1:9/limits')
  await assert.rejects(store.exchange(request()), (error) => {
    assert.ok(error instanceof Error)
    assert.match(error.message, /^the database can not be used: .*ECONNREFUSED/)
    assert.ok(!error.message.includes('very-secret'))
    return true
  })
  await store.close()
})

test('a server that takes the connection and says nothing is given up within five seconds', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const address = silent.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const store = new PostgresStore(`postgres://u:p@127.0.0.1:${port}/x`)
  const startMs = performance.now()
  await assert.rejects(store.exchange(request()), /the database can not be used/)
  assert.ok(performance.now() - startMs < 5000)
  await store.close()
  silent.close()
})

/** Where a server's programs are, the newest version first. */
function serverFolder(): string | undefined {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return undefined
  return readdirSync(root)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(root, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')))
}

/** A server of its own in a folder that goes away. It does not run as root, so root starts it as its own user. */
async function startServer(programs: string): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-postgres-'))
  const user = process.getuid?.() === 0 ? await idsOf('postgres') : {}
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  await run(join(programs, 'initdb'), ['-D', data, '-U', 'limits', '--auth=trust', '--no-sync'], {
    ...user,
    cwd: folder,
  })
  const port = await freePort()
  const child = spawn(
    join(programs, 'postgres'),
    ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-c', 'fsync=off'],
    { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (text) => {
      if (String(text).includes('ready to accept connections')) resolve()
    })
    child.once('exit', (code) => reject(new Error(`it ended with ${String(code)}`)))
  })
  return {
    url: `postgres://limits@127.0.0.1:${port}/postgres`,
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGINT')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function idsOf(name: string): Promise<{ readonly uid?: number; readonly gid?: number }> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, name])).stdout)))
  return { ...(uid !== undefined && { uid }), ...(gid !== undefined && { gid }) }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
