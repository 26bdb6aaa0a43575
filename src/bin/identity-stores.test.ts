import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AdminEvent } from '#contract/admin-event.ts'
import { showDenied } from '#identity/deny.ts'
import { type KeyRecord, createKey, identifyKey, rotateKey } from '#identity/key.ts'
import { parseKeys, showKeys } from '#identity/key-file.ts'
import { createLog } from '#observe/log.ts'
import { type IdentityStores, openIdentityStores } from './identity-stores.ts'

interface Scene {
  readonly folder: string
  readonly keysFile: string
  readonly deniedFile: string
  readonly events: AdminEvent[]
  readonly logged: string[]
  readonly open: () => Promise<IdentityStores>
}

async function withFolder(body: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-stores-'))
  const files = { keysFile: join(folder, 'keys.json'), deniedFile: join(folder, 'denied.json') }
  const events: AdminEvent[] = []
  const logged: string[] = []
  const log = createLog('info', (line) => logged.push(line))
  try {
    await body({
      folder,
      ...files,
      events,
      logged,
      open: () => openIdentityStores({ dataFolder: folder, files, log, onAdminEvent: (event) => events.push(event) }),
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

const FACTS = { tenant: 'local', subject: 'ci', roles: ['developer'] }
const seen = (events: readonly AdminEvent[]) => events.map(({ action, actor, subjectId }) => [action, actor, subjectId])

test('what happens to the files is in force after a look at them, and each change is an event', () =>
  withFolder(async ({ keysFile, deniedFile, events, open }) => {
    const { key, record } = createKey(FACTS)
    const stores = await open()
    const write = async (...keys: readonly KeyRecord[]): Promise<void> => {
      await writeFile(keysFile, showKeys(keys))
      await stores.reload()
    }
    await write(record)
    assert.equal(identifyKey(stores.keys, key).subject, 'ci')
    const next = rotateKey(record, { graceMs: 0, nowEpochMs: Date.now() })
    await write(next.record)
    assert.equal(identifyKey(stores.keys, next.key).subject, 'ci')
    await write({ ...next.record, roles: ['viewer'] })
    await write({ ...next.record, roles: ['viewer'], revoked: true })
    assert.throws(() => identifyKey(stores.keys, next.key), { message: 'the key was revoked, ask for a new one' })
    await write()
    await writeFile(deniedFile, showDenied([{ id: '0123456789ab', oid: 'ada', reason: 'private', atEpochMs: 1 }]))
    await stores.reload()
    await stores.reload()
    await writeFile(deniedFile, showDenied([]))
    await stores.reload()
    assert.deepEqual(seen(events), [
      ['created', 'file', record.id],
      ['rotated', 'file', record.id],
      ['changed', 'file', record.id],
      ['revoked', 'file', record.id],
      ['removed', 'file', record.id],
      ['added', 'file', '0123456789ab'],
      ['removed', 'file', '0123456789ab'],
    ])
    assert.ok(!JSON.stringify(events).includes('private'))
    assert.ok(!JSON.stringify(events).includes(record.hash))
  }))

test('a file that is broken or gone turns nobody away: what was read before stays, and it is said', () =>
  withFolder(async ({ keysFile, deniedFile, logged, open }) => {
    const { key, record } = createKey(FACTS)
    await writeFile(keysFile, showKeys([record]))
    await writeFile(deniedFile, showDenied([{ id: '0123456789ab', oid: 'ada', reason: '', atEpochMs: 1 }]))
    const stores = await open()
    for (const spoil of [
      async () => writeFile(keysFile, showKeys([record]).slice(0, 40)),
      async () => writeFile(keysFile, '{"keys":[{"id":"x"}]}'),
      async () => unlink(keysFile),
    ]) {
      await spoil()
      await stores.reload()
      await stores.reload()
      assert.equal(identifyKey(stores.keys, key).subject, 'ci')
      assert.ok(stores.trouble().includes(keysFile), stores.trouble())
    }
    await unlink(deniedFile)
    await stores.reload()
    assert.equal(stores.denied.entries.length, 1)
    assert.match(stores.trouble(), /denied\.json is gone, what it held stays in force/)
    assert.equal(logged.filter((line) => line.includes('"level":"error"')).length, 4)
    await writeFile(keysFile, showKeys([record]))
    await writeFile(deniedFile, showDenied([]))
    await stores.reload()
    assert.equal(stores.trouble(), '')
    assert.equal(stores.denied.entries.length, 0)
  }))

test('a gateway does not start with a file that it can not read', () =>
  withFolder(async ({ deniedFile, keysFile, open }) => {
    await writeFile(deniedFile, '{')
    await assert.rejects(open(), /denied\.json can not be used/)
    await unlink(deniedFile)
    await writeFile(keysFile, '[]')
    await assert.rejects(open(), /keys\.json can not be used/)
  }))

test('changes through the API and by others at the same time are all there, each with who made it', () =>
  withFolder(async ({ keysFile, events, open }) => {
    const [one, two] = [await open(), await open()]
    const made = Array.from({ length: 12 }, () => createKey(FACTS).record)
    await Promise.all(
      made.map(async (record, at) =>
        (at % 2 === 0 ? one : two).changeKeys(`key:local/admin-${at % 2}`, (keys) => [...keys, record]),
      ),
    )
    await Promise.all([one.reload(), two.reload()])
    assert.equal(parseKeys(await readFile(keysFile, 'utf8')).length, 12)
    assert.equal(one.keys.records().length, 12)
    const by = (actor: string) => events.filter((event) => event.actor === actor).length
    // Each store sees its own changes as its admin's, and those of the other as the file's or together with its own.
    assert.equal(by('key:local/admin-0') + by('key:local/admin-1') + by('file'), 24)
  }))

test('a look at the files in the middle of a change does not take it for somebody else', () =>
  withFolder(async ({ events, open }) => {
    const stores = await open()
    for (let round = 0; round < 5; round += 1) {
      let isDone = false
      const change = stores
        .changeKeys('key:local/admin', (keys) => [...keys, createKey(FACTS).record])
        .finally(() => (isDone = true))
      while (!isDone) await stores.reload()
      await change
    }
    assert.deepEqual([...new Set(events.map(({ actor }) => actor))], ['key:local/admin'])
  }))

test('a change that can not be made changes nothing', () =>
  withFolder(async ({ keysFile, open, events }) => {
    const { record } = createKey(FACTS)
    await writeFile(keysFile, showKeys([record]))
    const stores = await open()
    await assert.rejects(
      stores.changeKeys('a', () => {
        throw new Error('no')
      }),
      /^Error: no$/,
    )
    await writeFile(keysFile, 'broken')
    await assert.rejects(stores.changeKeys('a', () => []))
    assert.equal(await readFile(keysFile, 'utf8'), 'broken')
    assert.deepEqual(events, [])
    assert.equal(stores.keys.records().length, 1)
  }))

test('when a key was last used outlives a restart, and is written only when it is new', () =>
  withFolder(async ({ keysFile, folder, open }) => {
    const { key, record } = createKey(FACTS)
    await writeFile(keysFile, showKeys([record]))
    const stores = await open()
    await stores.flush()
    const usedFile = join(folder, 'keys-used.json')
    await assert.rejects(readFile(usedFile))
    identifyKey(stores.keys, key)
    await stores.flush()
    assert.ok((await open()).keys.lastUsed.has(record.id))
    await writeFile(usedFile, 'garbage')
    assert.equal((await open()).keys.lastUsed.size, 0)
  }))
