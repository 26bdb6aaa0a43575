import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { scan } from '#detect/scan.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { lanceEngine } from '#dataplane/index/lance-store.ts'
import { ingest } from '#dataplane/ingest/ingest.ts'
import { folderSource } from '#dataplane/sources/folder.ts'
import { Chunker } from '#dataplane/ingest/chunk.ts'
import { createPreparer } from '#dataplane/ingest/preparer.ts'
import type { Preparer } from '#dataplane/ingest/preparer.ts'
import { parse } from '#dataplane/parse/parse.ts'
import { unpinSelf } from '../machine.ts'
import { makeBook, makeFiles } from './files.ts'

/*
 * Parsing, splitting and screening, without embedding: `node bench/ingest-parse/main.ts [quick]`. Prints one line of
 * JSON.
 */

/** What one run found. */
export interface IngestParseNumbers {
  readonly books: number
  readonly pagesABook: number
  readonly mbABook: number
  /** By the number of workers: pages a second of each round; the first one starts the workers and has no compiled code. */
  readonly pagesPerS: Readonly<Record<string, readonly number[]>>
  /** The same books from a folder into LanceDB, two workers, every vector the same: pages a second of each round. */
  readonly ingestPagesPerS: readonly number[]
  /** In one process with warm code. */
  readonly msAPage: { readonly parse: number; readonly chunk: number; readonly scan: number }
  readonly formats: readonly FormatNumbers[]
}

export interface FormatNumbers {
  readonly name: string
  readonly mb: number
  readonly records: number
  readonly passages: number
  /** Best of the rounds, one worker. */
  readonly seconds: number
}

const isQuick = process.argv.includes('quick')
const BOOKS = isQuick ? 4 : 12
const PAGES = isQuick ? 30 : 60
const ROUNDS = isQuick ? 2 : 5
const RECORDS = isQuick ? 10_000 : 50_000

unpinSelf()
const books = Array.from({ length: BOOKS }, (_, seed) => makeBook(PAGES, seed + 1))
const pagesPerS: Record<string, number[]> = {}
for (const workers of [1, 2]) {
  const preparer = createPreparer({ workers })
  const rounds: number[] = []
  for (let round = 0; round <= ROUNDS; round += 1) {
    const started = performance.now()
    const queue = books.entries()
    await Promise.all(Array.from({ length: workers }, async () => await drain(preparer, queue)))
    rounds.push((BOOKS * PAGES * 1000) / (performance.now() - started))
  }
  pagesPerS[workers] = rounds
  await preparer.close()
}
const numbers: IngestParseNumbers = {
  books: BOOKS,
  pagesABook: PAGES,
  mbABook: (books[0]?.length ?? 0) / 1e6,
  pagesPerS,
  ingestPagesPerS: await measureIngest(),
  msAPage: await measureSteps(),
  formats: await measureFormats(),
}
process.stdout.write(`ingest-parse: ${JSON.stringify(numbers)}\n`)

async function drain(preparer: Preparer, queue: Iterable<readonly [number, Uint8Array]>): Promise<void> {
  for (const [number, bytes] of queue) await countPassages(preparer, `book-${number}.pdf`, bytes)
}

async function countPassages(preparer: Preparer, name: string, bytes: Uint8Array): Promise<number> {
  let passages = 0
  for await (const part of preparer.prepare({ name, bytes })) passages += part.passages.length
  if (passages === 0) throw new Error(`${name} gave no passages`)
  return passages
}

/** Everything but the model: listing, reading, parsing, splitting, screening, writing the index and the manifest. */
async function measureIngest(): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-bench-ingest-'))
  const preparer = createPreparer({ workers: 2 })
  const vector = Float32Array.from({ length: 384 }, (_, at) => (at === 0 ? 1 : 0))
  const embedder: Embedder = {
    model: 'none',
    floor: 0,
    dimensions: vector.length,
    embed: async (texts) => await Promise.resolve(texts.map(() => vector)),
    embedQuery: async () => await Promise.resolve(vector),
    close: async () => await Promise.resolve(),
  }
  const rounds: number[] = []
  try {
    for (const [seed, bytes] of books.entries()) await writeFile(join(folder, `book-${seed}.pdf`), bytes)
    for (let round = 0; round <= ROUNDS; round += 1) {
      const dataDir = join(folder, `.data-${round}`)
      const engine = lanceEngine({ uri: join(dataDir, 'index') })
      const readers = { roles: [], groups: [] }
      const collection = { name: 'books', title: '', source: folderSource(folder), readers, rules: [] }
      const index = await openCollection(collection, { dataDir, engine, embedder })
      const { ms, documents } = await ingest(index, { embedder, preparer })
      if (documents !== BOOKS) throw new Error(`${documents} of ${BOOKS} books came into the index`)
      rounds.push((BOOKS * PAGES * 1000) / ms)
      await index.close()
    }
  } finally {
    await preparer.close()
    await rm(folder, { recursive: true, force: true })
  }
  return rounds
}

/** The middle books, after the others made the code warm. */
async function measureSteps(): Promise<IngestParseNumbers['msAPage']> {
  let sums = { parse: 0, chunk: 0, scan: 0 }
  for (const [index, bytes] of books.entries()) {
    const parseStarted = performance.now()
    const parts = await Array.fromAsync(parse({ name: 'a.pdf', bytes }))
    const chunkStarted = performance.now()
    const chunker = new Chunker()
    const chunks = parts.flatMap((part) => chunker.next(part))
    const scanStarted = performance.now()
    for (const { text } of chunks) scan(text)
    const ended = performance.now()
    if (index < BOOKS / 2) continue
    sums = {
      parse: sums.parse + chunkStarted - parseStarted,
      chunk: sums.chunk + scanStarted - chunkStarted,
      scan: sums.scan + ended - scanStarted,
    }
  }
  const pages = (BOOKS / 2) * PAGES
  return { parse: sums.parse / pages, chunk: sums.chunk / pages, scan: sums.scan / pages }
}

async function measureFormats(): Promise<FormatNumbers[]> {
  const preparer = createPreparer({ workers: 1 })
  const found: FormatNumbers[] = []
  for (const { name, bytes, records } of makeFiles(RECORDS)) {
    let [seconds, passages] = [Number.POSITIVE_INFINITY, 0]
    for (let round = 0; round < 3; round += 1) {
      const started = performance.now()
      passages = await countPassages(preparer, name, bytes)
      seconds = Math.min(seconds, (performance.now() - started) / 1000)
    }
    found.push({ name, mb: bytes.length / 1e6, records, passages, seconds })
  }
  await preparer.close()
  return found
}
