import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { folderWith } from '#dataplane/test-agent.ts'
import { openManifest } from './manifest.ts'
import type { ManifestEntry } from './manifest.ts'

const ENTRY: ManifestEntry = {
  version: '"e" 4',
  digest: 'd',
  bytes: 4,
  modifiedEpochMs: 1.5,
  passages: 2,
  parser: '1',
  rules: '7',
  access: 'open',
  fate: 'indexed',
  note: '',
  sequence: '9007199254740993000',
  atEpochMs: 3,
}

async function pathOf(): Promise<string> {
  return join(await folderWith({}), 'deep', 'manifest.sqlite')
}

function opened(t: TestContext, path: string) {
  const manifest = openManifest(path)
  t.after(() => manifest.close())
  return manifest
}

test('what was put is there after another opening', async (t) => {
  const path = await pathOf()
  const first = opened(t, path)
  assert.equal(first.get('a'), undefined)
  first.put('a', ENTRY)
  first.put('a', { ...ENTRY, passages: 3 })
  first.setFact('made', 'x')
  first.close()
  const second = opened(t, path)
  assert.deepEqual(second.get('a'), { ...ENTRY, passages: 3 })
  assert.deepEqual([second.fact('made'), second.fact('other')], ['x', undefined])
})

test('what is put together is there together or not at all', async (t) => {
  const manifest = opened(t, await pathOf())
  assert.throws(() => {
    manifest.together(() => {
      manifest.put('a', ENTRY)
      throw new Error('killed')
    })
  }, /^Error: killed$/)
  assert.equal(manifest.get('a'), undefined)
  manifest.together(() => manifest.put('b', ENTRY))
  assert.deepEqual(manifest.get('b'), ENTRY)
})

test('counts and lists tell documents, failures and tombstones apart', async (t) => {
  const manifest = opened(t, await pathOf())
  const fates = { z: 'indexed', b: 'corrupt', a: 'too-large', d: 'deleted', c: 'pending', y: 'indexed' } as const
  for (const [document, fate] of Object.entries(fates)) {
    manifest.put(document, { ...ENTRY, fate, note: `why ${document}`, passages: fate === 'indexed' ? 2 : 0 })
  }
  assert.deepEqual({ ...manifest.counts() }, { documents: 2, passages: 4, failed: 3, deleted: 1 })
  assert.deepEqual(manifest.indexed(), ['y', 'z'])
  assert.deepEqual(
    manifest.failed(2).map((each) => ({ ...each })),
    [
      { document: 'a', fate: 'too-large', note: 'why a' },
      { document: 'b', fate: 'corrupt', note: 'why b' },
    ],
  )
  manifest.beginListing()
  for (const document of ['z', 'new', 'c', 'z']) manifest.seen(document)
  assert.deepEqual(manifest.unseen().toSorted(), ['a', 'b', 'y'])
  manifest.beginListing()
  assert.equal(manifest.unseen().length, 5)
})

test('readers are kept whole: a tenant or a subject that was lost would open or shut a document', async (t) => {
  const path = await pathOf()
  const first = opened(t, path)
  const rules = [{ roles: ['r'], groups: ['g'], tenants: ['nordwind'], subjects: ['kim'] }]
  first.addClass('id', rules)
  first.addClass('id', [])
  first.addClass('open', [])
  first.addClass('plain', [{ roles: [], groups: ['g'] }])
  first.close()
  assert.deepEqual(
    opened(t, path).classes(),
    new Map([
      ['id', rules],
      ['open', []],
      ['plain', [{ roles: [], groups: ['g'], tenants: [], subjects: [] }]],
    ]),
  )
})

test('changes count up, whichever process makes them', async (t) => {
  const path = await pathOf()
  const [one, other] = [opened(t, path), opened(t, path)]
  const before = one.changes()
  other.put('a', ENTRY)
  const after = one.changes()
  assert.ok(after > before)
  assert.equal(one.changes(), after)
  one.put('b', ENTRY)
  assert.ok(one.changes() > after)
})

test('a copy becomes another manifest in one step; what is no manifest of this layout changes nothing', async (t) => {
  const one = opened(t, await pathOf())
  const other = opened(t, await pathOf())
  one.put('a', ENTRY)
  one.addClass('open', [])
  one.setFact('made', 'x')
  other.put('b', ENTRY)
  other.addClass('old', [])
  const copy = join(await folderWith({}), 'copy')
  one.copyTo(copy)
  other.takeFrom(copy)
  assert.deepEqual([other.get('a'), other.get('b'), other.fact('made')], [ENTRY, undefined, 'x'])
  assert.deepEqual([...other.classes().keys()], ['open'])
  const changed = new DatabaseSync(copy)
  changed.exec("UPDATE facts SET value = '0' WHERE name = 'layout'; DELETE FROM documents")
  changed.close()
  assert.throws(() => other.takeFrom(copy), /the manifest has layout 0, not \d+/)
  assert.deepEqual(other.get('a'), ENTRY)
  // The other file has been let go of.
  one.put('c', ENTRY)
  const second = join(await folderWith({}), 'copy')
  one.copyTo(second)
  other.takeFrom(second)
  assert.deepEqual(other.get('c'), ENTRY)
})

test('a manifest of another layout counts as empty', async (t) => {
  const path = await pathOf()
  const first = opened(t, path)
  first.put('a', ENTRY)
  first.addClass('open', [])
  first.setFact('made', 'x')
  first.setFact('layout', '0')
  first.close()
  const second = opened(t, path)
  assert.deepEqual([second.get('a'), second.fact('made'), second.classes().size], [undefined, undefined, 0])
  second.put('a', ENTRY)
  second.close()
  assert.deepEqual(opened(t, path).get('a'), ENTRY)
})
