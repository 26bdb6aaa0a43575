import { AwsProblem } from '#simclouds/aws-json.ts'

/** One column; the type as Hive writes it: `string`, `bigint`, `decimal(10,2)`, `array<string>`. */
export interface Column {
  readonly name: string
  readonly type: string
  readonly comment?: string
}

/** What a table is made of: objects under a prefix. */
export interface TableDefinition {
  /** `s3://bucket/prefix/`. */
  readonly location: string
  readonly format: 'parquet' | 'csv' | 'json'
  readonly columns: readonly Column[]
  /** Columns that are in the names of the folders: `year=2026/month=11/`. Default none. */
  readonly partitionKeys?: readonly Column[]
  /** The partitions that the catalogue knows. Undefined: those that are there now, as after a crawler. */
  readonly partitions?: readonly Partition[]
  /** Of CSV: what is between two fields. Default a comma. */
  readonly delimiter?: string
  /** Of CSV: lines at the beginning of every object that are no rows. Default 0. */
  readonly headerLines?: number
}

export interface Partition {
  /** In the order of the keys. */
  readonly values: readonly string[]
  /** Default: the folder `key=value/` for each key, below the table. */
  readonly location?: string
}

export interface Table extends TableDefinition {
  readonly database: string
  readonly name: string
  readonly createdEpochMs: number
}

interface Database {
  readonly name: string
  readonly createdEpochMs: number
  readonly tables: Map<string, Table>
}

const NAME = /^[a-z0-9_]{1,255}$/

/** Databases and tables. Names are in lower case, whatever is asked for. */
export class GlueCatalogue {
  readonly #databases = new Map<string, Database>()

  /** @throws {AwsProblem} AlreadyExistsException, or InvalidInputException for a name that can not be. */
  createDatabase(name: string): void {
    checkName(name)
    if (this.#databases.has(name)) throw new AwsProblem('AlreadyExistsException', `Database already exists: ${name}`)
    this.#databases.set(name, { name, createdEpochMs: Date.now(), tables: new Map() })
  }

  /** Creates a table, or replaces it. @throws {AwsProblem} EntityNotFoundException, or InvalidInputException. */
  createTable(database: string, name: string, definition: TableDefinition): void {
    checkName(name)
    if (!/^s3:\/\/[^/]+\//.test(definition.location))
      throw new AwsProblem('InvalidInputException', `The location ${definition.location} is not s3://bucket/prefix/`)
    const table = { ...definition, database: database.toLowerCase(), name, createdEpochMs: Date.now() }
    this.database(database).tables.set(name, table)
  }

  /** In the order of their names. */
  databases(): readonly Database[] {
    return byName([...this.#databases.values()])
  }

  /** @throws {AwsProblem} EntityNotFoundException. */
  database(name: string): Database {
    const database = this.#databases.get(name.toLowerCase())
    if (database === undefined) throw new AwsProblem('EntityNotFoundException', `Database ${name} not found.`)
    return database
  }

  /** In the order of their names. @throws {AwsProblem} EntityNotFoundException. */
  tables(database: string): readonly Table[] {
    return byName([...this.database(database).tables.values()])
  }

  /** @throws {AwsProblem} EntityNotFoundException. */
  table(database: string, name: string): Table {
    const table = this.database(database).tables.get(name.toLowerCase())
    if (table === undefined) throw new AwsProblem('EntityNotFoundException', `Table ${name} not found.`)
    return table
  }
}

function byName<Named extends { readonly name: string }>(all: readonly Named[]): readonly Named[] {
  return all.toSorted((left, right) => (left.name < right.name ? -1 : 1))
}

function checkName(name: string): void {
  if (!NAME.test(name))
    throw new AwsProblem(
      'InvalidInputException',
      `The name ${name} is not in lower case letters, digits and underscores`,
    )
}
