import { RULES_VERSION } from '#detect/scan.ts'
import assert from 'node:assert/strict'
import { rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TestContext } from 'node:test'
import { permittedAccessIds } from '#dataplane/access/collection.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import { ingest, takeChanges } from './ingest.ts'
import { createPreparer } from './preparer.ts'
import { collectionOf, createWordEmbedder, engineIn, folderWith, skipWithoutIndex } from '#dataplane/test-agent.ts'

const FILES = {
  'wind.md': '# Wind\n\nThe anemometer measures the wind.\n\n## Calibration\n\nEvery 24 months.\n',
  'sea.txt': 'The tide gauge measures the sea.',
  'page.html': '<h1>Harbour</h1><p>The crane lifts containers.</p>',
  'empty.txt': ' \n',
  'broken.pdf': 'this is no PDF',
}

/** One worker for all: starting it takes longer than what the tests give it to do. */
const preparer = createPreparer()
after(async () => await preparer.close())

async function world(t: TestContext, files: Readonly<Record<string, string>>, changes: Partial<Collection> = {}) {
  const folder = await folderWith(files)
  const collection = collectionOf(folder, changes)
  const dataDir = await folderWith({})
  const tools = { embedder: createWordEmbedder(), preparer }
  const opened: CollectionIndex[] = []
  t.after(async () => await Promise.all(opened.map(async (index) => await index.close())))
  return {
    folder,
    dataDir,
    tools,
    open: async (own: Partial<Collection> = {}) => {
      const { embedder } = tools
      const index = await openCollection({ ...collection, ...own }, { dataDir, engine: engineIn(dataDir), embedder })
      opened.push(index)
      return index
    },
  }
}

async function rowsOf(index: CollectionIndex) {
  const documents = Object.keys(FILES).toSorted()
  const rows = await Promise.all(documents.map(async (document) => await Array.fromAsync(index.store.read(document))))
  return rows.flat(2)
}

test('a broken or an empty document is recorded and stops nothing', { skip: skipWithoutIndex }, async (t) => {
  const { open, tools } = await world(t, FILES)
  const index = await open()
  const report = await ingest(index, tools)
  assert.equal(report.documents, 3)
  assert.deepEqual(
    new Map(report.failed.map(({ document, fate }) => [document, fate])),
    new Map([
      ['broken.pdf', 'corrupt'],
      ['empty.txt', 'empty'],
    ]),
  )
  assert.equal(await index.store.countPassages(), report.passages)
})

test('what has not changed is not read again', { skip: skipWithoutIndex }, async (t) => {
  const { open, tools, folder } = await world(t, FILES)
  await ingest(await open(), tools)
  const embedded = tools.embedder.texts.length
  const again = await ingest(await open(), tools)
  assert.deepEqual([again.changed, again.unchanged], [0, 5])
  // Another time and the same contents: looked at, not embedded.
  await utimes(join(folder, 'sea.txt'), 1, 1)
  assert.equal((await ingest(await open(), tools)).changed, 0)
  assert.equal(tools.embedder.texts.length, embedded)
})

test('a changed document replaces its passages, a deleted one disappears', { skip: skipWithoutIndex }, async (t) => {
  const { open, tools, folder } = await world(t, FILES)
  const index = await open()
  await ingest(index, tools)
  await writeFile(join(folder, 'wind.md'), '# Wind\n\nThe lidar measures the wind.\n')
  await rm(join(folder, 'sea.txt'))
  const report = await ingest(index, tools)
  assert.deepEqual([report.changed, report.removed, report.documents], [1, 1, 2])
  const texts = (await rowsOf(index)).map(({ text }) => text)
  assert.deepEqual(texts, ['Harbour\n\nThe crane lifts containers.', '# Wind\n\nThe lidar measures the wind.'])
  assert.equal(await index.store.countPassages(), 2)
  assert.deepEqual(await index.store.searchText('tide gauge', ['open'], 5), [])
})

test('an ingest that was killed goes on, and ends with the same rows', { skip: skipWithoutIndex }, async (t) => {
  const whole = await world(t, FILES)
  const expected = await whole.open()
  await ingest(expected, whole.tools)
  const { open, tools } = await world(t, FILES)
  for (const deadAfter of [1, 2]) {
    const index = await open()
    await assert.rejects(
      ingest(index, tools, {
        onProgress: ({ done }) => {
          if (done === deadAfter) throw new Error('killed')
        },
      }),
      /killed/,
    )
  }
  // Killed after the passages were stored and before the manifest was written: it does not know them.
  const index = await open()
  for (const document of ['page.html', 'sea.txt']) {
    const entry = index.manifest.get(document)
    assert.ok(entry)
    index.manifest.put(document, { ...entry, fate: 'pending' })
  }
  await ingest(index, tools)
  assert.deepEqual(await rowsOf(index), await rowsOf(expected))
  assert.equal(await index.store.countPassages(), await expected.store.countPassages())
})

test(
  'other readers or other screening rules change the rows without the model',
  { skip: skipWithoutIndex },
  async (t) => {
    const { open, tools } = await world(t, FILES)
    const first = await open()
    await ingest(first, tools)
    const embedded = tools.embedder.texts.length
    for (const document of Object.keys(FILES)) {
      const entry = first.manifest.get(document)
      assert.ok(entry)
      first.manifest.put(document, { ...entry, rules: 'former' })
    }
    const index = await open({ rules: [{ documents: 'sea.txt', roles: ['sailor'], groups: [] }] })
    const report = await ingest(index, tools)
    assert.equal(report.changed, 5)
    assert.equal(tools.embedder.texts.length, embedded)
    assert.ok(Object.keys(FILES).every((document) => index.manifest.get(document)?.rules === RULES_VERSION))
    const find = async (roles: readonly string[]) =>
      await index.store.searchText(
        'tide gauge',
        permittedAccessIds(index.classes(), { sub: 'kim', tenant: 'nordwind', roles, groups: [] }),
        5,
      )
    assert.equal((await find([])).length, 0)
    assert.equal((await find(['sailor'])).length, 1)
  },
)

test('a folder that is named by its tenant or subject stays theirs', { skip: skipWithoutIndex }, async (t) => {
  const files = { 'customers/nordwind/a.md': 'wind', 'customers/globex/a.md': 'wind', 'mine/kim/a.md': 'wind' }
  const rules = [
    { documents: 'customers/{tenant}/**', roles: ['support'], groups: [] },
    { documents: 'mine/{subject}/**', roles: [], groups: [] },
  ]
  const { open, tools } = await world(t, files, { rules })
  await ingest(await open(), tools)
  // As another process reads it.
  const index = await open()
  const find = async (sub: string, tenant: string, roles: readonly string[]) => {
    const accessIds = permittedAccessIds(index.classes(), { sub, tenant, roles, groups: [] })
    const hits = await index.store.searchText('wind', accessIds, 5)
    return hits.map(({ passage }) => passage.document).toSorted()
  }
  assert.deepEqual(await find('bo', 'nordwind', ['support']), ['customers/nordwind/a.md'])
  assert.deepEqual(await find('bo', 'globex', ['support']), ['customers/globex/a.md'])
  assert.deepEqual(await find('bo', 'other', ['support']), [])
  assert.deepEqual(await find('bo', 'nordwind', []), [])
  assert.deepEqual(await find('kim', 'other', []), ['mine/kim/a.md'])
})

test('vectors of another model are refused, or made anew', { skip: skipWithoutIndex }, async (t) => {
  const { open, tools, folder, dataDir } = await world(t, { 'a.txt': 'wind' })
  const first = await open()
  await ingest(first, tools)
  await first.close()
  const other = { ...createWordEmbedder(), model: 'other' }
  const options = { dataDir, engine: engineIn(dataDir), embedder: other }
  await assert.rejects(
    openCollection(collectionOf(folder), options),
    /made with lance, words, not lance, other: .*--rebuild/,
  )
  const index = await openCollection(collectionOf(folder), { ...options, rebuild: true })
  assert.equal(await index.store.countPassages(), 0)
  assert.equal((await ingest(index, { ...tools, embedder: other })).changed, 1)
  await index.close()
})

test(
  'what was deleted is not brought back by an older event, even if nobody had seen it',
  { skip: skipWithoutIndex },
  async (t) => {
    const { open, tools } = await world(t, {})
    const index = await open({
      source: { name: 'stream', watch: async () => await Promise.resolve() },
    })
    const arrived = (sequence: string) => ({
      kind: 'arrived' as const,
      document: 'a',
      sequence,
      object: { document: 'a', version: sequence, bytes: 4, modifiedEpochMs: 0 },
      open: async () =>
        await Promise.resolve({
          input: { name: 'a.txt', bytes: new TextEncoder().encode('wind') },
          version: sequence,
          digest: sequence,
          close: async () => await Promise.resolve(),
        }),
    })
    const take = async (change: Parameters<typeof takeChanges>[2][number]) =>
      await takeChanges(index, tools, [change], new AbortController().signal)
    // A number of more digits than a double holds.
    await take({ kind: 'deleted', document: 'a', sequence: '9007199254740993000' })
    await take(arrived('9007199254740992999'))
    assert.equal(await index.store.countPassages(), 0)
    await take({ kind: 'deleted', document: 'a', sequence: '9007199254740993002' })
    await take(arrived('9007199254740993001'))
    assert.equal(await index.store.countPassages(), 0)
    await take(arrived('9007199254740993003'))
    assert.equal(await index.store.countPassages(), 1)
    await take({ kind: 'deleted', document: 'a', sequence: '9007199254740993002' })
    assert.equal(await index.store.countPassages(), 1)
  },
)
