import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { test } from 'node:test'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { ingestAll } from './ingest-all.ts'
import { collectionOf, createWordEmbedder, engineIn, folderWith, skipWithoutIndex } from '#dataplane/test-agent.ts'

test('an agent that runs takes over what a command ingested', { skip: skipWithoutIndex }, async () => {
  const folder = await folderWith({ 'a.txt': 'wind' })
  const collection = collectionOf(folder)
  const dataDir = await folderWith({})
  const embedder = createWordEmbedder()
  const collections = [collection]
  const options = { dataDir, collections, embedder, engine: engineIn(dataDir) }
  await ingestAll(options)
  const running = await openCollection(collection, options)
  assert.deepEqual([...running.classes().keys()], ['open'])
  await writeFile(join(folder, 'b.txt'), 'sea')
  const seen: string[] = []
  const shut = { ...collection, rules: [{ documents: 'b.txt', roles: ['sailor'], groups: [] }] }
  const [report] = await ingestAll({
    ...options,
    collections: [shut],
    onProgress: ({ document, isChanged }) => {
      if (isChanged) seen.push(document)
    },
  })
  assert.equal(report?.documents, 2)
  assert.deepEqual(seen, ['b.txt'])
  assert.equal(running.manifest.counts().documents, 2)
  // Looked for at most once a second.
  await wait(1100)
  assert.equal(running.classes().size, 2)
  await running.close()
})
