import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Hit, IndexEngine, IndexStore, PassageWithVector } from './store.ts'
import { PASSAGE_COLUMNS, StoredPassageRow } from './stored-passage.ts'

/**
 * Setting of every connection: an access filter may leave little of what the vector index finds first, and then the
 * search goes on (pgvector 0.8).
 */
export const PGVECTOR_SETTINGS = { 'hnsw.iterative_scan': 'strict_order' } as const

/** Runs one statement with `$1`, `$2`, … and gives its rows. Its connections have `PGVECTOR_SETTINGS`. */
export type RunSql = (text: string, values?: readonly unknown[]) => Promise<readonly unknown[]>

export interface PgVectorOptions {
  readonly run: RunSql
  /** Schema of the tables. Lower-case letters, digits and `_`. */
  readonly schema: string
  /** Ends the connections. */
  readonly close: () => Promise<void>
}

/** Passages of one statement: a statement takes 65,535 values at most. */
const ROWS_AT_ONCE = 500
const READ_ROWS = 500

const Row = StoredPassageRow.extend({
  vector: z.string(),
  score: z.number().optional(),
})

/**
 * PostgreSQL with pgvector (0.8 or newer), for who has it anyway: a table for each collection, an HNSW index for
 * vectors and a GIN index for words.
 */
export function pgVectorEngine({ run, schema, close }: PgVectorOptions): IndexEngine {
  const tableOf = (collection: string) => `"${schema}"."passages_${collection.replaceAll('-', '$')}"`
  return {
    name: 'pgvector',
    async open(collection, dimensions) {
      const table = tableOf(collection)
      await run('CREATE EXTENSION IF NOT EXISTS vector')
      await run(`CREATE SCHEMA IF NOT EXISTS "${schema}"`)
      await run(`CREATE TABLE IF NOT EXISTS ${table} (
        id text PRIMARY KEY, document_id text NOT NULL, document text NOT NULL, title text NOT NULL,
        heading text NOT NULL, page integer NOT NULL, record integer NOT NULL, "lastRecord" integer NOT NULL, "start" integer NOT NULL,
        "end" integer NOT NULL, "text" text NOT NULL, access text NOT NULL, findings text NOT NULL, rules text NOT NULL,
        generation text NOT NULL, vector vector(${dimensions}) NOT NULL,
        search tsvector GENERATED ALWAYS AS
          (to_tsvector('english', title || ' ' || heading || ' ' || "text")) STORED)`)
      await run(`CREATE INDEX IF NOT EXISTS "${indexName(collection, 'document')}" ON ${table} (document_id)`)
      await run(`CREATE INDEX IF NOT EXISTS "${indexName(collection, 'search')}" ON ${table} USING gin (search)`)
      await run(
        `CREATE INDEX IF NOT EXISTS "${indexName(collection, 'vector')}" ON ${table} USING hnsw (vector vector_cosine_ops)`,
      )
      return openStore(run, table)
    },
    async drop(collection) {
      await run(`DROP TABLE IF EXISTS ${tableOf(collection)}`)
    },
    close,
  }
}

function indexName(collection: string, column: string): string {
  return `passages_${collection.replaceAll('-', '$')}_${column}`.slice(-63)
}

function openStore(run: RunSql, table: string): IndexStore {
  const columns = [...PASSAGE_COLUMNS.map((name) => `"${name}"`), 'vector::text AS vector'].join(', ')
  const write = async (passages: readonly PassageWithVector[]): Promise<void> => {
    for (let at = 0; at < passages.length; at += ROWS_AT_ONCE)
      await upsert(run, table, passages.slice(at, at + ROWS_AT_ONCE))
  }
  const remove = async (documents: readonly string[]): Promise<void> => {
    await run(`DELETE FROM ${table} WHERE document_id = ANY($1)`, [documents.map(documentId)])
  }
  return {
    searchesText: true,
    async replace(documents) {
      const passages = documents.flatMap((each) => each.passages)
      await write(passages)
      // New ones first, so that a search in between finds too much rather than nothing.
      const kept = passages.map(idOf)
      await run(`DELETE FROM ${table} WHERE document_id = ANY($1) AND NOT (id = ANY($2))`, [
        documents.map(({ document }) => documentId(document)),
        kept,
      ])
    },
    append: write,
    async prune(document, generation) {
      await run(`DELETE FROM ${table} WHERE document_id = $1 AND generation <> $2`, [documentId(document), generation])
    },
    remove,
    async setAccess(document, access) {
      await run(`UPDATE ${table} SET access = $2 WHERE document_id = $1`, [documentId(document), access])
    },
    async *read(document) {
      for (let last = -1; ;) {
        const rows = await run(
          `SELECT ${columns} FROM ${table} WHERE document_id = $1 AND "start" > $2 ORDER BY "start" LIMIT ${READ_ROWS}`,
          [documentId(document), last],
        )
        const passages = toHits(rows).map(({ passage }) => passage)
        if (passages.length === 0) return
        yield passages
        last = passages.at(-1)?.start ?? last
      }
    },
    async searchVector(vector, accessIds, limit) {
      if (accessIds.length === 0) return []
      const rows = await run(
        `SELECT ${columns}, 1 - (vector <=> $1::vector) AS score FROM ${table}
         WHERE access = ANY($2) ORDER BY vector <=> $1::vector LIMIT ${limit}`,
        [vectorText(vector), accessIds],
      )
      return toHits(rows)
    },
    async searchText(text, accessIds, limit) {
      if (accessIds.length === 0 || text.trim() === '') return []
      // Any of the words is enough; how many there are is the rank's to say.
      const rows = await run(
        `SELECT ${columns}, ts_rank_cd(search, query, 1)::float8 AS score
         FROM ${table}, (SELECT replace(plainto_tsquery('english', $1)::text, '&', '|')::tsquery AS query) AS asked
         WHERE search @@ query AND access = ANY($2) ORDER BY score DESC, id LIMIT ${limit}`,
        [text, accessIds],
      )
      return toHits(rows)
    },
    async countPassages() {
      const [row] = await run(`SELECT count(*)::int AS n FROM ${table}`)
      return z.object({ n: z.number() }).parse(row).n
    },
    // The database keeps its indexes itself.
    compact: async () => await Promise.resolve(),
    close: async () => await Promise.resolve(),
  }
}

async function upsert(run: RunSql, table: string, passages: readonly PassageWithVector[]): Promise<void> {
  const names = ['id', 'document_id', ...PASSAGE_COLUMNS, 'vector']
  const values = passages.flatMap((passage) => [
    idOf(passage),
    documentId(passage.document),
    ...PASSAGE_COLUMNS.map((name) => passage[name]),
    vectorText(passage.vector),
  ])
  const marks = passages.map((_, row) => `(${names.map((__, at) => `$${row * names.length + at + 1}`).join(', ')})`)
  const quoted = names.map((name) => `"${name}"`)
  await run(
    `INSERT INTO ${table} (${quoted.join(', ')}) VALUES ${marks.join(', ')} ON CONFLICT (id) DO UPDATE SET ${quoted
      .slice(1)
      .map((name) => `${name} = excluded.${name}`)
      .join(', ')}`,
    values,
  )
}

function documentId(document: string): string {
  return createHash('sha256').update(document).digest('hex').slice(0, 32)
}

function idOf({ document, start }: PassageWithVector): string {
  return `${documentId(document)}-${start}`
}

function vectorText(vector: Float32Array): string {
  return `[${vector.join(',')}]`
}

function toHits(rows: readonly unknown[]): Hit[] {
  return rows.map((row) => {
    const { vector, score = 0, ...passage } = Row.parse(row)
    return { passage: { ...passage, vector: Float32Array.from(vector.slice(1, -1).split(','), Number) }, score }
  })
}
