import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { loadPackage } from '#dataplane/heavy.ts'
import { insist } from '#kit/insist.ts'
import { FactError, exactNumber, plainTimestamp } from './facts.ts'
import type { LakeTable } from './glue-table.ts'
import type { Cell, NamedQuery, QueryEngine, QueryResult } from './facts.ts'
import { parseSql, renderSql } from '#kit/sql-template.ts'
import type { ParamValues } from '#kit/sql-template.ts'

export interface DuckDbOptions {
  /** Tables by name: a file or a glob of Parquet, CSV or JSON Lines on this machine, or a table of the Glue catalog. */
  readonly tables: Readonly<Record<string, string | LakeTable>>
}

/** One query may take as much; what does not fit fails, and the agent goes on. */
const MEMORY_LIMIT = '512MB'
const THREADS = 2
const READERS = [
  [/\.parquet$/, 'read_parquet'],
  [/\.(?:csv|tsv|csv\.gz)$/, 'read_csv'],
  [/\.(?:jsonl|ndjson|json)$/, 'read_json'],
] as const

/**
 * Queries on DuckDB inside the agent. It reads the folders of its tables and nothing else: no other path, no network, no
 * extension.
 *
 * @throws {TypeError} from the first query when a table is no file that it can read.
 */
export function duckdbEngine({ tables }: DuckDbOptions): QueryEngine {
  let opened: Promise<DuckDBInstance> | undefined
  /** What the view of each table of the catalog reads. */
  const shown = new Map<string, string>()
  return {
    async run(query, values, signal) {
      opened ??= open(tables)
      let instance: DuckDBInstance
      try {
        instance = await opened
      } catch (error) {
        opened = undefined
        throw new FactError(error instanceof TypeError ? error.message : 'DuckDB can not be opened', error)
      }
      await refresh(instance, tables, shown, signal)
      return await run(instance, { query, values, signal })
    },
    async close() {
      const instance = await opened?.catch(() => undefined)
      instance?.closeSync()
    },
  }
}

/** Views of tables of the catalog follow their files. */
async function refresh(
  instance: DuckDBInstance,
  tables: DuckDbOptions['tables'],
  shown: Map<string, string>,
  signal: AbortSignal,
): Promise<void> {
  for (const [name, table] of Object.entries(tables)) {
    if (typeof table === 'string') continue
    const select = await table.select(signal)
    if (shown.get(name) === select) continue
    const connection = await instance.connect()
    try {
      await connection.run(`CREATE OR REPLACE VIEW "${name}" AS ${select}`)
      shown.set(name, select)
    } catch (error) {
      throw new FactError(`the files of the table \`${name}\` are not what the catalog says`, error)
    } finally {
      connection.closeSync()
    }
  }
}

async function open(tables: DuckDbOptions['tables']): Promise<DuckDBInstance> {
  const duckdb = await loadPackage('@duckdb/node-api', () => import('@duckdb/node-api'))
  const instance = await duckdb.DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    threads: String(THREADS),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  try {
    for (const [name, path] of Object.entries(tables)) {
      if (typeof path !== 'string') continue
      const reader = READERS.find(([ending]) => ending.test(path))?.[1]
      if (reader === undefined) throw new TypeError(`the table \`${name}\` is no Parquet, CSV or JSON Lines file`)
      await connection.run(`CREATE VIEW "${name}" AS SELECT * FROM ${reader}(${quoted(path)})`).catch(() => {
        throw new TypeError(`the files of the table \`${name}\` can not be read`)
      })
    }
    // Whole numbers divide to whole numbers, as in the SQL standard and on Athena.
    await connection.run('SET GLOBAL integer_division = true')
    // From here on nothing but these folders can be read, and nobody can change that.
    const folders = await Promise.all(
      Object.values(tables).map(async (table) => (typeof table === 'string' ? await folderOf(table) : table.folder)),
    )
    await connection.run(`SET allowed_directories = [${folders.map(quoted).join(', ')}]`)
    await connection.run('SET enable_external_access = false')
    await connection.run('SET lock_configuration = true')
    return instance
  } catch (error) {
    instance.closeSync()
    throw error
  } finally {
    connection.closeSync()
  }
}

/** The folder above everything that a glob may match. */
async function folderOf(path: string): Promise<string> {
  const fixed = path.split('/').slice(0, firstGlob(path)).join('/')
  const isFolder = await stat(fixed).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
  return isFolder ? fixed : dirname(fixed)
}

function firstGlob(path: string): number {
  const at = path.split('/').findIndex((part) => /[*?[]/.test(part))
  return at === -1 ? Number.POSITIVE_INFINITY : at
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

interface Asked {
  readonly query: NamedQuery
  readonly values: ParamValues
  readonly signal: AbortSignal
}

async function run(instance: DuckDBInstance, { query, values, signal }: Asked): Promise<QueryResult> {
  const { text, values: bound } = renderSql(parseSql(query.sql), values, (param, position) => {
    const type = query.params[param]?.type
    if (isHuge(values[param])) return `CAST($${position} AS DOUBLE)`
    return type === 'date' || type === 'timestamp' ? `CAST($${position} AS ${type})` : `$${position}`
  })
  const connection = await instance.connect()
  // An interrupt that comes before the query runs is lost.
  const stopped = insist(signal, () => connection.interrupt())
  try {
    const reader = await connection.streamAndReadUntil(
      text,
      query.maxRows + 1,
      bound.map(({ value }) => (isHuge(value) ? String(value) : value)),
    )
    const types = reader.columnTypes().map(String)
    const rows = reader.getRowsJson().map((row) => row.map((value, at) => cellOf(value, types[at] ?? '')))
    return { columns: reader.columnNames(), rows: rows.slice(0, query.maxRows + 1), notes: [] }
  } catch (error) {
    signal.throwIfAborted()
    throw new FactError('DuckDB can not run it', error)
  } finally {
    stopped()
    close(connection)
  }
}

/** Whole numbers are bound as BIGINT, for which this one is too large. */
function isHuge(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
}

function close(connection: DuckDBConnection): void {
  connection.closeSync()
}

/** Numbers that JSON would lose come as text; those that fit are numbers. */
function cellOf(value: unknown, type: string): Cell {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
  if (typeof value !== 'string') return JSON.stringify(value)
  if (/^TIMESTAMP(?:_\w+)?$/.test(type)) return plainTimestamp(value)
  return /INT$|^DECIMAL|^DOUBLE|^FLOAT/.test(type) ? exactNumber(value) : value
}
