import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { z } from 'zod'
import { loadPackage } from '#dataplane/heavy.ts'

/** A passage as it is stored, but for its vector. */
interface StoredPassage {
  readonly document: string
  readonly title: string
  readonly heading: string
  /** From 1; 0 for documents without pages. */
  readonly page: number
  readonly start: number
  readonly end: number
  readonly text: string
  /** Access id: which rules guard the document. */
  readonly access: string
  /** JSON of the findings of the screening at ingest. */
  readonly findings: string
  /** Version of the screening rules. */
  readonly rules: string
}

export interface PassageWithVector extends StoredPassage {
  readonly vector: Float32Array
}

/** A passage that a search found; `score` is the cosine of a vector search, BM25 of a text search. */
export interface Hit {
  readonly passage: PassageWithVector
  readonly score: number
}

/** Passages of one collection on local disk. Searches see only passages with one of the access ids given. */
export interface IndexStore {
  /** Puts the passages in place of all that the document had, in one step. */
  replace(document: string, passages: readonly PassageWithVector[]): Promise<void>
  remove(document: string): Promise<void>
  setAccess(document: string, access: string): Promise<void>
  /** All passages of a document. */
  read(document: string): Promise<PassageWithVector[]>
  searchVector(vector: Float32Array, accessIds: readonly string[], limit: number): Promise<Hit[]>
  searchText(query: string, accessIds: readonly string[], limit: number): Promise<Hit[]>
  countPassages(): Promise<number>
  /** Merges what many small writes left behind and brings the full-text index up to date. */
  compact(): Promise<void>
  close(): void
}

const TABLE = 'passages'
const COLUMNS = [
  'document',
  'title',
  'heading',
  'page',
  'start',
  'end',
  'text',
  'access',
  'findings',
  'rules',
  'vector',
]
/** Versions this old are removed: no search that reads one is still running. */
const KEEP_VERSIONS_MS = 10 * 60 * 1000
/** Another process (a command that ingests) may write: its rows are seen after this time. */
const READ_CONSISTENCY_S = 5

const Row = z.object({
  document: z.string(),
  title: z.string(),
  heading: z.string(),
  page: z.number(),
  start: z.number(),
  end: z.number(),
  text: z.string(),
  access: z.string(),
  findings: z.string(),
  rules: z.string(),
  vector: z.custom<Iterable<number>>(
    (value) => typeof value === 'object' && value !== null && Symbol.iterator in value,
  ),
  _distance: z.number().optional(),
  _score: z.number().optional(),
})

/**
 * Opens or makes the index in `folder`.
 *
 * @throws {MissingPackageError} when LanceDB is not installed.
 */
export async function openIndexStore(folder: string, dimensions: number): Promise<IndexStore> {
  // LanceDB reads these when it is loaded; without them it prints a warning for every query.
  process.env['LANCEDB_LOG'] ??= 'error'
  process.env['RUST_LOG'] ??= 'error'
  const lance = await loadPackage('@lancedb/lancedb', () => import('@lancedb/lancedb'))
  const arrow = await loadPackage('apache-arrow', () => import('apache-arrow'))
  await mkdir(folder, { recursive: true })
  const database = await lance.connect(folder, { readConsistencyInterval: READ_CONSISTENCY_S })
  const table = (await database.tableNames()).includes(TABLE) ? await database.openTable(TABLE) : await createTable()

  async function createTable() {
    const utf8 = (name: string) => new arrow.Field(name, new arrow.Utf8(), false)
    const int32 = (name: string) => new arrow.Field(name, new arrow.Int32(), false)
    const item = new arrow.Field('item', new arrow.Float32(), true)
    const schema = new arrow.Schema([
      ...['id', 'documentId', 'document', 'title', 'heading', 'text', 'search', 'access', 'findings', 'rules'].map(
        utf8,
      ),
      ...['page', 'start', 'end'].map(int32),
      new arrow.Field('vector', new arrow.FixedSizeList(dimensions, item), false),
    ])
    const created = await database.createEmptyTable(TABLE, schema)
    // Rows that come later are searched without the index until the next `compact`.
    await created.createIndex('search', {
      config: lance.Index.fts({
        language: 'English',
        stem: true,
        removeStopWords: true,
        asciiFolding: true,
        withPosition: false,
      }),
    })
    return created
  }

  async function remove(document: string): Promise<void> {
    await table.delete(`\`documentId\` = '${documentId(document)}'`)
  }

  return {
    async replace(document, passages) {
      if (passages.length === 0) return await remove(document)
      await table
        .mergeInsert('id')
        .whenMatchedUpdateAll()
        .whenNotMatchedInsertAll()
        .whenNotMatchedBySourceDelete({ where: `\`documentId\` = '${documentId(document)}'` })
        .execute(passages.map(toRow))
    },
    remove,
    async setAccess(document, access) {
      assertAccessIds([access])
      await table.update({ where: `\`documentId\` = '${documentId(document)}'`, values: { access } })
    },
    async read(document) {
      const rows: unknown = await table
        .query()
        .where(`\`documentId\` = '${documentId(document)}'`)
        .select(COLUMNS)
        .toArray()
      return toHits(rows).map(({ passage }) => passage)
    },
    async searchVector(vector, accessIds, limit) {
      if (accessIds.length === 0) return []
      // No approximate index: below 20,000 passages it costs more to build than it saves, and the exact
      // search can not lose a passage that the access filter leaves.
      const query = table.query().nearestTo(vector).distanceType('cosine').where(readable(accessIds))
      const rows: unknown = await query
        .select([...COLUMNS, '_distance'])
        .limit(limit)
        .toArray()
      return toHits(rows)
    },
    async searchText(text, accessIds, limit) {
      if (accessIds.length === 0 || text.trim() === '') return []
      const query = table.query().fullTextSearch(new lance.MatchQuery(text, 'search')).where(readable(accessIds))
      const rows: unknown = await query
        .select([...COLUMNS, '_score'])
        .limit(limit)
        .toArray()
      return toHits(rows)
    },
    async countPassages() {
      return await table.countRows()
    },
    async compact() {
      await table.optimize({ cleanupOlderThan: new Date(Date.now() - KEEP_VERSIONS_MS) })
    },
    close() {
      table.close()
      database.close()
    },
  }
}

/** Throws the index in `folder` away. */
export async function dropIndexStore(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

/** File names come from outside and must not become part of a predicate: their digests do. */
function documentId(document: string): string {
  return createHash('sha256').update(document).digest('hex').slice(0, 32)
}

const ACCESS_ID = /^[a-z0-9]{1,64}$/

function assertAccessIds(accessIds: readonly string[]): void {
  for (const id of accessIds) if (!ACCESS_ID.test(id)) throw new TypeError('not an access id')
}

/** Filters before ranking: what the caller may not read takes no place among the results. */
function readable(accessIds: readonly string[]): string {
  assertAccessIds(accessIds)
  return `access IN (${accessIds.map((id) => `'${id}'`).join(', ')})`
}

function toRow(passage: PassageWithVector): Record<string, unknown> {
  const owner = documentId(passage.document)
  return {
    ...passage,
    id: `${owner}-${passage.start}`,
    documentId: owner,
    search: [passage.title, passage.heading, passage.text].join('\n'),
  }
}

function toHits(rows: unknown): Hit[] {
  return z
    .array(z.unknown())
    .parse(rows)
    .map((row) => {
      const { _distance: distance, _score: score, vector, ...passage } = Row.parse(row)
      return {
        passage: { ...passage, vector: Float32Array.from(vector) },
        score: score ?? 1 - (distance ?? 1),
      }
    })
}
