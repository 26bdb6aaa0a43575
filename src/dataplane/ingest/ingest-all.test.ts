import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { ingestAll } from './ingest-all.ts'
import { collectionOf, createWordEmbedder, folderWith, skipWithoutIndex } from '#dataplane/test-agent.ts'

test('an agent that runs takes over what a command ingested', { skip: skipWithoutIndex }, async () => {
  const collection = collectionOf(await folderWith({ 'a.txt': 'wind' }))
  const dataDir = await folderWith({})
  const embedder = createWordEmbedder()
  const collections = [collection]
  await ingestAll({ dataDir, collections, embedder })
  const running = await openCollection(collection, dataDir, embedder)
  await running.refresh(10_000)
  await writeFile(join(collection.folder, 'b.txt'), 'sea')
  const seen: string[] = []
  const [report] = await ingestAll({ dataDir, collections, embedder }, ({ document, isChanged }) => {
    if (isChanged) seen.push(document)
  })
  assert.equal(report?.documents, 2)
  assert.deepEqual(seen, ['b.txt'])
  await running.refresh(12_000)
  assert.equal(running.manifest.size, 1)
  await running.refresh(15_000)
  assert.equal(running.manifest.size, 2)
  running.store.close()
})
