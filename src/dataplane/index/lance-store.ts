import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Query, Table, VectorQuery } from '@lancedb/lancedb'
import { z } from 'zod'
import { loadPackage } from '#dataplane/heavy.ts'
import type { Hit, IndexEngine, IndexStore, PassageWithVector } from './store.ts'
import { PASSAGE_COLUMNS, StoredPassageRow } from './stored-passage.ts'

/** Where LanceDB keeps its files. */
export interface LanceOptions {
  /** A folder on this machine, or `s3://bucket/prefix`. */
  readonly uri: string
  /** Options of LanceDB's object store, such as `awsRegion` and `awsEndpoint`; credentials come from them or from the environment. */
  readonly storageOptions?: Readonly<Record<string, string>>
  /** Where manifests lie beside an index that several agents share. */
  readonly home?: NonNullable<IndexEngine['home']>
}

const TABLE = 'passages'
const COLUMNS = [...PASSAGE_COLUMNS, 'vector']
/** Versions this old are removed: no search that reads one is still running. */
const KEEP_VERSIONS_MS = 10 * 60 * 1000
/** Another process (a command that ingests) may write: its rows are seen after this time. */
const READ_CONSISTENCY_S = 5
/** Passages that are read at once. */
const READ_ROWS = 500
/** Documents that one predicate names. */
const DOCUMENTS_AT_ONCE = 200
/**
 * From this many passages on an approximate index is kept: an exact search over 50,000 takes 50 ms on two cores, below
 * this number it takes less than 20 and can not miss anything.
 */
const VECTOR_INDEX_ROWS = 20_000
/** Passages that the index does not know, as a share of those it does, which make a new training worth its time. */
const RETRAIN_SHARE = 1
/** Cells that a search looks into, and how many times the wanted passages are compared exactly: see bench/results. */
const PROBES = 24
const REFINE = 8

const Row = StoredPassageRow.extend({
  vector: z.custom<Iterable<number>>(
    (value) => typeof value === 'object' && value !== null && Symbol.iterator in value,
  ),
  _distance: z.number().optional(),
  _score: z.number().optional(),
})

/** LanceDB: a folder for each collection, on local disk or directly on S3, without a server. */
export function lanceEngine(options: LanceOptions): IndexEngine {
  const isRemote = options.uri.includes('://')
  const place = (collection: string) =>
    isRemote ? `${options.uri.replace(/\/$/, '')}/${collection}/lance` : join(options.uri, collection, 'lance')
  return {
    name: 'lance',
    ...(options.home === undefined ? {} : { home: options.home }),
    async open(collection, dimensions) {
      const uri = place(collection)
      if (!isRemote) await mkdir(uri, { recursive: true })
      return await openLanceStore(uri, dimensions, options.storageOptions ?? {})
    },
    async drop(collection) {
      const uri = place(collection)
      if (!isRemote) return await rm(uri, { recursive: true, force: true })
      const database = await connect(uri, options.storageOptions ?? {})
      if ((await database.tableNames()).includes(TABLE)) await database.dropTable(TABLE)
      database.close()
      return undefined
    },
    close: async () => await Promise.resolve(),
  }
}

/** @throws {MissingPackageError} when LanceDB is not installed. */
async function loadLance() {
  // LanceDB reads these when it is loaded; without them it prints a warning for every query.
  process.env['LANCEDB_LOG'] ??= 'error'
  process.env['RUST_LOG'] ??= 'error'
  return await loadPackage('@lancedb/lancedb', () => import('@lancedb/lancedb'))
}

async function connect(uri: string, storageOptions: Readonly<Record<string, string>>) {
  const lance = await loadLance()
  return await lance.connect(uri, {
    readConsistencyInterval: READ_CONSISTENCY_S,
    storageOptions: { ...storageOptions },
  })
}

async function openLanceStore(
  uri: string,
  dimensions: number,
  storageOptions: Readonly<Record<string, string>>,
): Promise<IndexStore> {
  const lance = await loadLance()
  const database = await connect(uri, storageOptions)
  const table = (await database.tableNames()).includes(TABLE)
    ? await database.openTable(TABLE)
    : await createTable(database, dimensions)
  const search = async (query: Query | VectorQuery, accessIds: readonly string[], limit: number) => {
    const rows: unknown = await query.where(readable(accessIds)).limit(limit).toArray()
    return toHits(rows)
  }
  return {
    searchesText: true,
    async replace(documents, areNew) {
      const rows = documents.flatMap(({ passages }) => passages.map(toRow))
      if (areNew) {
        if (rows.length > 0) await table.add(rows)
        return
      }
      if (rows.length === 0)
        return await removeAll(
          table,
          documents.map(({ document }) => document),
        )
      await table
        .mergeInsert('id')
        .whenMatchedUpdateAll()
        .whenNotMatchedInsertAll()
        .whenNotMatchedBySourceDelete({ where: belongsTo(documents.map(({ document }) => document)) })
        .execute(rows)
    },
    async append(passages) {
      if (passages.length === 0) return
      await table.mergeInsert('id').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(passages.map(toRow))
    },
    async prune(document, generation) {
      assertPlain(generation)
      await table.delete(`${belongsTo([document])} AND generation != '${generation}'`)
    },
    async remove(documents) {
      await removeAll(table, documents)
    },
    async setAccess(document, access) {
      assertPlain(access)
      await table.update({ where: belongsTo([document]), values: { access } })
    },
    async *read(document) {
      // Rows have no order of their own: their places first, then their contents by place.
      const places: unknown = await table
        .query()
        .where(belongsTo([document]))
        .select(['start'])
        .toArray()
      const starts = z
        .array(z.object({ start: z.number() }))
        .parse(places)
        .map(({ start }) => start)
      starts.sort((a, b) => a - b)
      for (let at = 0; at < starts.length; at += READ_ROWS) {
        const first = starts[at] ?? 0
        const last = starts[Math.min(at + READ_ROWS, starts.length) - 1] ?? first
        const rows: unknown = await table
          .query()
          .where(`${belongsTo([document])} AND \`start\` >= ${first} AND \`start\` <= ${last}`)
          .select(COLUMNS)
          .toArray()
        yield toHits(rows)
          .map(({ passage }) => passage)
          .toSorted((a, b) => a.start - b.start)
      }
    },
    async searchVector(vector, accessIds, limit) {
      if (accessIds.length === 0) return []
      const nearest = () => table.query().nearestTo(vector).distanceType('cosine')
      const columns = [...COLUMNS, '_distance']
      const hits = await search(nearest().nprobes(PROBES).refineFactor(REFINE).select(columns), accessIds, limit)
      // Where few passages are readable, none of the cells looked into may hold one: then all are looked at.
      return hits.length < limit ? await search(nearest().bypassVectorIndex().select(columns), accessIds, limit) : hits
    },
    async searchText(text, accessIds, limit) {
      if (accessIds.length === 0 || text.trim() === '') return []
      const query = table.query().fullTextSearch(new lance.MatchQuery(text, 'search'))
      return await search(query.select([...COLUMNS, '_score']), accessIds, limit)
    },
    async countPassages() {
      return await table.countRows()
    },
    async compact() {
      // Tables of former versions have none.
      if ((await table.indexStats('access_idx')) === undefined) await indexAccess(table)
      if (await wantsVectorIndex(table)) {
        const config = lance.Index.ivfRq({ distanceType: 'cosine' })
        await table.createIndex('vector', { config, replace: true })
      }
      await table.optimize({ cleanupOlderThan: new Date(Date.now() - KEEP_VERSIONS_MS) })
    },
    async close() {
      table.close()
      database.close()
      return await Promise.resolve()
    },
  }
}

async function createTable(database: Awaited<ReturnType<typeof connect>>, dimensions: number): Promise<Table> {
  const lance = await loadLance()
  const arrow = await loadPackage('apache-arrow', () => import('apache-arrow'))
  const utf8 = (name: string) => new arrow.Field(name, new arrow.Utf8(), false)
  const int32 = (name: string) => new arrow.Field(name, new arrow.Int32(), false)
  const item = new arrow.Field('item', new arrow.Float32(), true)
  const texts = ['id', 'documentId', 'document', 'title', 'heading', 'text', 'search', 'access', 'findings', 'rules']
  const schema = new arrow.Schema([
    ...[...texts, 'generation'].map(utf8),
    ...['page', 'record', 'lastRecord', 'start', 'end'].map(int32),
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
  await created.createIndex('documentId', { config: lance.Index.btree() })
  await indexAccess(created)
  return created
}

/** Every search filters by access: without an index of it, half of its time goes to reading the column. */
async function indexAccess(table: Table): Promise<void> {
  const lance = await loadLance()
  await table.createIndex('access', { config: lance.Index.bitmap() })
}

/** An index is trained when there are enough passages, and again when as many came as it was trained with. */
async function wantsVectorIndex(table: Table): Promise<boolean> {
  const rows = await table.countRows()
  if (rows < VECTOR_INDEX_ROWS) return false
  const stats = await table.indexStats('vector_idx')
  return stats === undefined || stats.numUnindexedRows > stats.numIndexedRows * RETRAIN_SHARE
}

async function removeAll(table: Table, documents: readonly string[]): Promise<void> {
  for (let at = 0; at < documents.length; at += DOCUMENTS_AT_ONCE) {
    await table.delete(belongsTo(documents.slice(at, at + DOCUMENTS_AT_ONCE)))
  }
}

/** File names come from outside and must not become part of a predicate: their digests do. */
function documentId(document: string): string {
  return createHash('sha256').update(document).digest('hex').slice(0, 32)
}

function belongsTo(documents: readonly string[]): string {
  return `\`documentId\` IN (${documents.map((document) => `'${documentId(document)}'`).join(', ')})`
}

const PLAIN = /^[a-z0-9]{1,64}$/

function assertPlain(id: string): void {
  if (!PLAIN.test(id)) throw new TypeError('not an id of lower-case letters and digits')
}

/** Filters before ranking: what the caller may not read takes no place among the results. */
function readable(accessIds: readonly string[]): string {
  for (const id of accessIds) assertPlain(id)
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
