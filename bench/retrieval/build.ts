/** Makes the index of the benchmark `retrieval`, and measures what needs no agent: the embedding rate and the recall. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { RULES_VERSION } from '#detect/scan.ts'
import { accessOf } from '#dataplane/access/collection.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import { createMiniLmEmbedder } from '#dataplane/embed/minilm.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import { lanceEngine } from '#dataplane/index/lance-store.ts'
import type { PassageWithVector } from '#dataplane/index/store.ts'
import type { ManifestEntry } from '#dataplane/ingest/manifest.ts'
import { PARSER_VERSION } from '#dataplane/parse/parse.ts'
import { folderSource } from '#dataplane/sources/folder.ts'
import { makePassages } from './make-passages.ts'
import { type RealPassage, realPassages, realQueries } from './real-texts.ts'
import { COLLECTION, RULES } from './collection.ts'

/** What the child says when it is done. */
export interface BuildNumbers {
  readonly passages: number
  readonly documents: number
  readonly buildS: number
  readonly indexMb: number
  /** Passages of the corpora that MiniLM embeds in a second, with as many workers as the ingest takes. */
  readonly embedding: { readonly passages: number; readonly meanChars: number; readonly perS: number }
  readonly recall: readonly RecallNumbers[]
}

export interface RecallNumbers {
  readonly readers: string
  /** Share of the passages that this caller may read. */
  readonly readable: number
  readonly queries: number
  /** Of the first 10 and the first 30 by exact search, those that the index found as well; of as many. */
  readonly at10: number
  readonly at30: number
}

const BATCH = 5000
const ENTRY: ManifestEntry = {
  version: '1',
  digest: '',
  bytes: 0,
  modifiedEpochMs: 0,
  passages: 0,
  parser: PARSER_VERSION,
  rules: RULES_VERSION,
  access: 'open',
  fate: 'indexed',
  note: '',
  sequence: '',
  atEpochMs: 0,
}
const [folder = '', countText = '50000'] = process.argv.slice(2)
const count = Number(countText)

const embedder = createMiniLmEmbedder()
const real = await realPassages()
const { vectors: centreVectors, ...embedding } = await embedAll(embedder, real)
const queries = await realQueries()
const queryVectors = await Promise.all(queries.map(async (query) => await embedder.embedQuery(query)))

const collection: Collection = {
  name: COLLECTION,
  title: 'Benchmark',
  source: folderSource(folder),
  readers: { roles: [], groups: [] },
  rules: RULES.map((rule) => ({ ...rule, groups: [] })),
}
const engine = lanceEngine({ uri: join(folder, 'index') })
const index = await openCollection(collection, { dataDir: folder, engine, embedder })
const started = performance.now()
const made = await fill(index)
const buildS = (performance.now() - started) / 1000
const numbers: BuildNumbers = {
  passages: made.vectors.length,
  documents: made.documents,
  buildS,
  indexMb: (await bytesBelow(join(folder, 'index'))) / 1e6,
  embedding,
  recall: [
    await recallOf('everybody and staff', new Set(['open', 'staff'])),
    await recallOf('the board alone', new Set(['board'])),
  ],
}
await index.close()
await embedder.close()
await engine.close()
process.stdout.write(`built: ${JSON.stringify(numbers)}\n`)

async function embedAll(model: Embedder, passages: readonly RealPassage[]) {
  // The workers start, and their code gets warm.
  await model.embed(passages.slice(0, 16).map(({ text }) => text))
  const begun = performance.now()
  const texts = passages.map(({ title, heading, text }) => [title, heading, text].join('\n'))
  const vectors = await model.embed(texts)
  const perS = (passages.length * 1000) / (performance.now() - begun)
  const meanChars = texts.reduce((sum, { length }) => sum + length, 0) / texts.length
  return { vectors, passages: passages.length, meanChars, perS }
}

async function fill({ store, manifest }: CollectionIndex) {
  const centres = real.map((passage, at) => ({ passage, vector: centreVectors[at] ?? new Float32Array(384) }))
  const vectors: { vector: Float32Array; folder: string; key: string }[] = []
  const perDocument = new Map<string, number>()
  let batch: PassageWithVector[] = []
  const write = async (): Promise<void> => {
    const documents = Object.entries(Object.groupBy(batch, ({ document }) => document))
    await store.replace(
      documents.map(([document, passages]) => ({ document, passages: passages ?? [] })),
      true,
    )
    batch = []
  }
  for (const { start, text, ...passage } of makePassages(count, centres)) {
    const { document } = passage
    batch.push({
      ...passage,
      text,
      start,
      end: start + text.length,
      page: 0,
      record: 0,
      lastRecord: 0,
      access: accessOf(collection, document).id,
      findings: '[]',
      rules: RULES_VERSION,
      generation: 'bench',
    })
    vectors.push({ vector: passage.vector, folder: document.split('/')[0] ?? '', key: `${document} ${start}` })
    perDocument.set(document, (perDocument.get(document) ?? 0) + 1)
    if (batch.length >= BATCH) await write()
  }
  await write()
  manifest.together(() => {
    for (const [document, passages] of perDocument) {
      const access = accessOf(collection, document)
      manifest.addClass(access.id, access.rules)
      manifest.put(document, { ...ENTRY, passages, access: access.id })
    }
  })
  await store.compact()
  return { vectors, documents: perDocument.size }
}

async function recallOf(readers: string, folders: ReadonlySet<string>): Promise<RecallNumbers> {
  const accessIds = [...folders].map((name) => accessOf(collection, `${name}/x.md`).id)
  const readable = made.vectors.filter((each) => folders.has(each.folder))
  let [at10, at30] = [0, 0]
  for (const query of queryVectors) {
    const exact = readable
      .map(({ vector, key }) => ({ key, cosine: dot(vector, query) }))
      .toSorted((a, b) => b.cosine - a.cosine)
    const hits = await index.store.searchVector(query, accessIds, 30)
    const found = hits.map(({ passage }) => `${passage.document} ${passage.start}`)
    const share = (k: number) => {
      const first = new Set(found.slice(0, k))
      return exact.slice(0, k).filter(({ key }) => first.has(key)).length / k
    }
    at10 += share(10)
    at30 += share(30)
  }
  const { length } = queryVectors
  return {
    readers,
    readable: readable.length / made.vectors.length,
    queries: length,
    at10: at10 / length,
    at30: at30 / length,
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0)
  return sum
}

async function bytesBelow(path: string): Promise<number> {
  const files = await readdir(path, { recursive: true, withFileTypes: true })
  const sizes = files
    .filter((file) => file.isFile())
    .map(async (file) => (await stat(join(file.parentPath, file.name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
