import { insist } from '#kit/insist.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { AwsProblem } from '#simclouds/aws-json.ts'
import type { GlueCatalogue, Table } from '#simclouds/glue/catalogue.ts'
import type { S3Store } from '#simclouds/s3/store.ts'
import { materialise } from './materialise.ts'
import { QueryFailure } from './parameters.ts'
import { type ColumnInfo, columnInfo, textOfValue } from './values.ts'
import { CATALOGUE, qualifiedName, quoted, source, viewOf } from './view.ts'

/** Rows of text, NULL as undefined. */
export interface QueryRows {
  readonly columns: readonly ColumnInfo[]
  readonly rows: readonly (readonly (string | undefined)[])[]
}

/** A statement whose tables are there. */
interface PreparedQuery {
  /** All objects of all its tables. */
  readonly scannedBytes: number
  run(signal: AbortSignal): Promise<QueryRows>
}

interface Loaded {
  readonly instance: DuckDBInstance
  readonly connection: DuckDBConnection
  /** A database with nothing in it, where names in a statement stay what they are. */
  readonly empty: DuckDBInstance
  readonly parser: DuckDBConnection
  readonly selectType: number
  /** Temporary; DuckDB reads nothing outside. */
  readonly folder: string
}

/** DuckDB names a table with the alias that the statement gives it. */
const ALIAS = / AS (?:"(?:[^"]|"")*"|\w+)$/
/** How a query begins, behind comments. */
const SELECT = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/|\()*(?:SELECT|WITH|VALUES|TABLE)\b/i

/** SQL over the tables of the catalogue, by a DuckDB that is loaded when the first query comes. */
export class AthenaEngine {
  readonly #catalogue: GlueCatalogue
  readonly #store: S3Store
  /** What each view was made of. */
  readonly #views = new Map<string, string>()
  #loaded: Promise<Loaded> | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(catalogue: GlueCatalogue, store: S3Store) {
    this.#catalogue = catalogue
    this.#store = store
  }

  /**
   * Whether the text is one statement.
   * @throws {AwsProblem} InvalidRequestException, as StartQueryExecution refuses it.
   */
  async check(sql: string): Promise<void> {
    const { parser } = await this.#load()
    const count = await parser.extractStatements(sql).then(
      (statements) => statements.count,
      (error: unknown) => {
        throw malformed(syntaxOf(String(error)))
      },
    )
    if (count !== 1) throw malformed(`Only one sql statement is allowed. Got: ${sql}`)
  }

  /**
   * Brings the tables of a statement up to date. `database` is where names without one are looked up.
   * @throws {QueryFailure} with the reason, when there is no such table or database.
   */
  async prepare(sql: string, database: string): Promise<PreparedQuery> {
    const loaded = await this.#load()
    if (!SELECT.test(sql)) throw new QueryFailure('NOT_SUPPORTED: line 1:1: This stand-in runs SELECT statements only')
    const tables = this.#tablesOf(loaded.parser.getTableNames(sql, true), database)
    // One after the other: two queries must not replace the same view at once.
    const bytes = this.#last.then(() => this.#refresh(loaded, tables, database))
    this.#last = bytes.catch(() => undefined)
    const scannedBytes = await bytes
    return { scannedBytes, run: (signal) => runQuery(loaded, sql, database, signal) }
  }

  /** Removes the temporary folder. */
  async close(): Promise<void> {
    const loaded = await this.#loaded
    if (loaded === undefined) return
    await this.#last
    loaded.connection.closeSync()
    loaded.instance.closeSync()
    loaded.parser.closeSync()
    loaded.empty.closeSync()
    await rm(loaded.folder, { recursive: true, force: true })
  }

  #load(): Promise<Loaded> {
    this.#loaded ??= load()
    return this.#loaded
  }

  #tablesOf(names: readonly string[], database: string): readonly Table[] {
    // One table may have several aliases.
    const distinct = new Set(names.map((name) => name.replace(ALIAS, '')))
    return [...distinct].map((name) => {
      const parts = name.split('.').map((part) => part.replaceAll('"', ''))
      const [table = '', schema = database, catalogue = CATALOGUE] = parts.toReversed()
      if (catalogue.toLowerCase() !== CATALOGUE)
        throw new QueryFailure(`CATALOG_NOT_FOUND: line 1:1: Catalog '${catalogue}' does not exist`)
      return this.#table(schema, table)
    })
  }

  #table(schema: string, name: string): Table {
    try {
      return this.#catalogue.table(schema, name)
    } catch (error) {
      if (!(error instanceof AwsProblem)) throw error
      const isSchema = error.message.startsWith('Database')
      throw new QueryFailure(
        isSchema
          ? `SCHEMA_NOT_FOUND: line 1:15: Schema '${schema}' does not exist`
          : `TABLE_NOT_FOUND: line 1:15: Table '${CATALOGUE}.${schema}.${name}' does not exist`,
      )
    }
  }

  async #refresh({ connection, folder }: Loaded, tables: readonly Table[], database: string): Promise<number> {
    let bytes = 0
    for (const schema of new Set([database, ...tables.map((table) => table.database)]))
      await connection.run(`CREATE SCHEMA IF NOT EXISTS ${CATALOGUE}.${quoted(schema.toLowerCase())}`)
    for (const table of tables) {
      const files = await materialise(table, this.#store, join(folder, 'objects'))
      bytes += files.reduce((sum, file) => sum + file.bytes, 0)
      const madeOf = JSON.stringify([table, files])
      const name = qualifiedName(table)
      if (this.#views.get(name) === madeOf) continue
      const described = files.length === 0 ? [] : await columnsOf(connection, source(table, files))
      await connection.run(`CREATE OR REPLACE VIEW ${name} AS ${viewOf(table, files, described)}`)
      this.#views.set(name, madeOf)
    }
    return bytes
  }
}

async function load(): Promise<Loaded> {
  const { DuckDBInstance: Instance, StatementType } = await import('@duckdb/node-api')
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-athena-'))
  const instance = await Instance.create(':memory:')
  const connection = await instance.connect()
  for (const statement of [
    `ATTACH ':memory:' AS ${CATALOGUE}`,
    // What a query may read are the tables, not the machine that it runs on.
    `SET allowed_directories=['${folder}']`,
    'SET enable_external_access=false',
    // As in Trino, 7 / 2 is 3.
    'SET integer_division=true',
  ])
    await connection.run(statement)
  const empty = await Instance.create(':memory:')
  return { instance, connection, empty, parser: await empty.connect(), selectType: StatementType.SELECT, folder }
}

async function columnsOf(connection: DuckDBConnection, from: string): Promise<readonly string[]> {
  const described = await failing(connection.runAndReadAll(`SELECT * FROM ${from} LIMIT 0`))
  return described.columnNames().map((name) => name.toLowerCase())
}

async function runQuery(
  { instance, selectType }: Loaded,
  sql: string,
  database: string,
  signal: AbortSignal,
): Promise<QueryRows> {
  const connection = await instance.connect()
  // An interrupt that comes before the query runs is lost.
  const stopped = insist(signal, () => connection.interrupt())
  try {
    await connection.run('SET integer_division=true')
    await connection.run(`USE ${CATALOGUE}.${quoted(database.toLowerCase())}`)
    const prepared = await failing(connection.prepare(sql))
    if (prepared.statementType !== selectType)
      throw new QueryFailure('NOT_SUPPORTED: line 1:1: This stand-in runs SELECT statements only')
    if (prepared.parameterCount > 0)
      throw new QueryFailure(
        `INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected ${prepared.parameterCount} but found 0`,
      )
    const result = await failing(prepared.runAndReadAll())
    const types = result.columnTypes()
    const columns = result.columnNames().map((name, at) => ({ name, type: types[at] }))
    return {
      columns: columns.flatMap(({ name, type }) => (type === undefined ? [] : [columnInfo(name, type)])),
      rows: result.getRows().map((row) =>
        row.map((value, at) => {
          const type = types[at]
          return type === undefined ? undefined : textOfValue(value, type)
        }),
      ),
    }
  } finally {
    stopped()
    connection.closeSync()
  }
}

/** What DuckDB says, in the words of Athena. */
async function failing<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work
  } catch (error) {
    throw new QueryFailure(reasonOf(error instanceof Error ? error.message : String(error)))
  }
}

function reasonOf(message: string): string {
  const [line = ''] = message.split('\n')
  const column = /Referenced column "([^"]*)"/.exec(line)?.[1]
  if (column !== undefined)
    return `COLUMN_NOT_FOUND: line 1:8: Column '${column}' cannot be resolved or requester is not authorized to access requested resources`
  const called = /Function with name (\S+) does not exist/.exec(line)?.[1]
  if (called !== undefined) return `FUNCTION_NOT_FOUND: line 1:8: Function '${called}' not registered`
  if (line.startsWith('Conversion Error')) return `INVALID_CAST_ARGUMENT: ${line.slice('Conversion Error: '.length)}`
  if (/^(Invalid Input|IO) Error/.test(line)) return `HIVE_BAD_DATA: ${pathless(line)}`
  return `SYNTAX_ERROR: line 1:1: ${pathless(line)}`
}

/** Where the files are is nobody's business. */
function pathless(line: string): string {
  return line.replaceAll(/"?\/[^\s"]*thinplane-athena-[^\s"]*"?/g, 'the object')
}

function syntaxOf(message: string): string {
  const near = /syntax error at or near "([^"]*)"/.exec(message)?.[1]
  return near === undefined ? 'line 1:1: syntax error' : `line 1:1: mismatched input '${near}'`
}

function malformed(message: string): AwsProblem {
  return new AwsProblem('InvalidRequestException', message, { members: { AthenaErrorCode: 'MALFORMED_QUERY' } })
}
