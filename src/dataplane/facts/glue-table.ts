import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Column, StorageDescriptor, Table } from '@aws-sdk/client-glue'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { FactError } from './facts.ts'

export interface GlueTableOptions {
  readonly database: string
  readonly table: string
  /** Which partitions, in Glue's own language: `year = '2026'`. Absent: all. */
  readonly partitions?: string | undefined
  /** Folder of this table alone for copies of its files. */
  readonly cache: string
  /** Its files together are at most as large. */
  readonly maxBytes: number
  /** Looked for what is new at most this often. */
  readonly refreshMs: number
  readonly now: () => number
}

/** A table whose files are brought here, so that the agent can query them by itself. */
export interface LakeTable {
  /** The folder that holds its files, and nothing else. */
  readonly folder: string
  /**
   * Brings the files up to date and gives the SELECT that reads them; the same text while nothing changed.
   *
   * @throws {FactError} when catalog or files can not be had, or are too large.
   */
  select(signal: AbortSignal): Promise<string>
}

type Format = 'parquet' | 'csv' | 'json'

/** Where files of one partition lie, with the values of the partition's keys. */
interface Location {
  readonly uri: string
  readonly values: readonly string[]
}

interface LakeFile {
  readonly bucket: string
  readonly key: string
  readonly etag: string
  readonly bytes: number
  readonly values: readonly string[]
}

/** A table of the Glue catalog over S3: Parquet, CSV or JSON Lines, with its partitions. */
export function glueTable(aws: Aws, options: GlueTableOptions): LakeTable {
  let known = ''
  let lookedAtEpochMs = Number.NEGATIVE_INFINITY
  let looking: Promise<string> | undefined
  const look = async (signal: AbortSignal): Promise<string> => {
    try {
      known = await bringUpToDate(aws, options, signal)
      lookedAtEpochMs = options.now()
      return known
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof FactError) throw error
      throw new FactError(`the table \`${options.table}\` of Glue can not be read (${awsErrorName(error)})`, error)
    }
  }
  return {
    folder: options.cache,
    async select(signal) {
      if (known !== '' && options.now() - lookedAtEpochMs < options.refreshMs) return known
      // Queries that come together wait for one look.
      looking ??= look(signal).finally(() => (looking = undefined))
      return await looking
    },
  }
}

async function bringUpToDate(aws: Aws, options: GlueTableOptions, signal: AbortSignal): Promise<string> {
  const table = await describe(aws, options, signal)
  const locations = await locationsOf(aws, options, table, signal)
  const files: LakeFile[] = []
  for (const location of locations) files.push(...(await listFiles(aws, location, signal)))
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  if (bytes > options.maxBytes) {
    const megabytes = Math.floor(options.maxBytes / 1_000_000)
    throw new FactError(`its files are larger than ${megabytes} MB: narrow \`partitions\`, or ask Athena`)
  }
  await mkdir(options.cache, { recursive: true })
  const format = formatOf(table.StorageDescriptor)
  const placed = files.map((file) => ({
    file,
    name: `${digestOf(file)}.${format}${file.key.endsWith('.gz') ? '.gz' : ''}`,
  }))
  for (const { file, name } of placed) await fetchFile(aws, file, join(options.cache, name), signal)
  const wanted = new Set(placed.map(({ name }) => name))
  for (const name of await readdir(options.cache)) {
    if (!wanted.has(name)) await rm(join(options.cache, name), { force: true })
  }
  return selectOf(
    table,
    format,
    placed.map(({ file, name }) => ({ path: join(options.cache, name), values: file.values })),
  )
}

async function describe(aws: Aws, { database, table }: GlueTableOptions, signal: AbortSignal): Promise<Table> {
  const { GetTableCommand } = await loadGlue()
  const client = await aws.glue()
  const answer = await client.send(new GetTableCommand({ DatabaseName: database, Name: table }), {
    abortSignal: signal,
  })
  if (answer.Table === undefined) throw new FactError(`Glue has no table \`${table}\``)
  return answer.Table
}

async function locationsOf(
  aws: Aws,
  { database, table: name, partitions }: GlueTableOptions,
  table: Table,
  signal: AbortSignal,
): Promise<Location[]> {
  if ((table.PartitionKeys ?? []).length === 0) return [{ uri: table.StorageDescriptor?.Location ?? '', values: [] }]
  const { GetPartitionsCommand } = await loadGlue()
  const client = await aws.glue()
  const found: Location[] = []
  for (let token: string | undefined; ;) {
    const answer = await client.send(
      new GetPartitionsCommand({ DatabaseName: database, TableName: name, Expression: partitions, NextToken: token }),
      { abortSignal: signal },
    )
    for (const { StorageDescriptor: storage, Values: values = [] } of answer.Partitions ?? []) {
      found.push({ uri: storage?.Location ?? '', values })
    }
    token = answer.NextToken
    if (token === undefined) return found
  }
}

async function listFiles(aws: Aws, { uri, values }: Location, signal: AbortSignal): Promise<LakeFile[]> {
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(uri) ?? []
  if (bucket === '') throw new FactError('its place is not in S3')
  const prefix = path === '' || path.endsWith('/') ? path : `${path}/`
  const { ListObjectsV2Command } = await loadS3()
  const client = await aws.s3()
  const found: LakeFile[] = []
  for (let token: string | undefined; ;) {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
      {
        abortSignal: signal,
      },
    )
    for (const { Key: key = '', ETag: etag = '', Size: bytes = 0 } of page.Contents ?? []) {
      // Engines leave markers and half-written files under such names.
      const isHidden = /(?:^|\/)[._][^/]*$/.test(key)
      if (bytes > 0 && !isHidden) found.push({ bucket, key, etag, bytes, values })
    }
    token = page.NextContinuationToken
    if (token === undefined) return found
  }
}

/** A copy is named by what it is a copy of, so one that is there is the right one. */
async function fetchFile(aws: Aws, { bucket, key, etag }: LakeFile, path: string, signal: AbortSignal): Promise<void> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  if (isThere) return
  const { GetObjectCommand } = await loadS3()
  const client = await aws.s3()
  const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag }), {
    abortSignal: signal,
  })
  if (!(body instanceof Readable)) throw new TypeError('S3 gave no stream')
  const partial = `${path}.${randomUUID()}`
  try {
    await pipeline(body, createWriteStream(partial), { signal })
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

function digestOf({ bucket, key, etag }: LakeFile): string {
  return createHash('sha256').update([bucket, key, etag].join('\n')).digest('hex').slice(0, 32)
}

function formatOf(storage: StorageDescriptor | undefined): Format {
  const words = `${storage?.SerdeInfo?.SerializationLibrary ?? ''} ${storage?.InputFormat ?? ''}`.toLowerCase()
  if (words.includes('parquet')) return 'parquet'
  if (words.includes('json')) return 'json'
  if (words.includes('csv') || words.includes('lazysimple')) return 'csv'
  throw new FactError('its files are no Parquet, CSV or JSON Lines: ask Athena')
}

function selectOf(
  { StorageDescriptor: storage, PartitionKeys: keys = [], Parameters: parameters = {} }: Table,
  format: Format,
  files: readonly { readonly path: string; readonly values: readonly string[] }[],
): string {
  const columns = storage?.Columns ?? []
  if (files.length === 0) {
    return `SELECT ${[...columns, ...keys].map((column) => `CAST(NULL AS ${duckType(column)}) AS ${nameOf(column)}`).join(', ')} WHERE false`
  }
  const serde = storage?.SerdeInfo?.Parameters ?? {}
  const csv = {
    delimiter: serde['separatorChar'] ?? serde['field.delim'] ?? ',',
    skip: Number(parameters['skip.header.line.count'] ?? serde['skip.header.line.count'] ?? 0),
  }
  const groups = Map.groupBy(files, ({ values }) => values.join('\n'))
  return [...groups.values()]
    .map((group) => {
      const values = group[0]?.values ?? []
      const own = columns.map((column) => `CAST(${nameOf(column)} AS ${duckType(column)}) AS ${nameOf(column)}`)
      const fixed = keys.map(
        (column, at) => `CAST(${quoted(values[at] ?? '')} AS ${duckType(column)}) AS ${nameOf(column)}`,
      )
      const paths = group.map(({ path }) => path)
      return `SELECT ${[...own, ...fixed].join(', ')} FROM ${readerOf(format, paths, columns, csv)}`
    })
    .join(' UNION ALL ')
}

function readerOf(
  format: Format,
  paths: readonly string[],
  columns: readonly Column[],
  csv: { readonly delimiter: string; readonly skip: number },
): string {
  const list = `[${paths.map(quoted).join(', ')}]`
  const types = (typeOf: (column: Column) => string) =>
    `{${columns.map((column) => `${quoted(column.Name ?? '')}: ${quoted(typeOf(column))}`).join(', ')}}`
  switch (format) {
    case 'parquet':
      return `read_parquet(${list}, union_by_name = true, hive_partitioning = false)`
    case 'json':
      return `read_json(${list}, format = 'newline_delimited', columns = ${types(duckType)}, hive_partitioning = false)`
    case 'csv': {
      const { delimiter, skip } = csv
      return `read_csv(${list}, columns = ${types(() => 'VARCHAR')}, auto_detect = false, header = false, skip = ${skip}, delim = ${quoted(delimiter)}, quote = '"', escape = '"', null_padding = true, hive_partitioning = false)`
    }
  }
}

/** Types of Hive by those of DuckDB; what is not here has the same name, or is nested and stays as the file has it. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  int: 'INTEGER',
  tinyint: 'TINYINT',
  smallint: 'SMALLINT',
  integer: 'INTEGER',
  bigint: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  binary: 'BLOB',
}

function duckType({ Type: type = 'string' }: Column): string {
  const plain = type.toLowerCase().trim()
  const decimal = /^decimal\((\d{1,2}), ?(\d{1,2})\)$/.exec(plain)
  if (decimal !== null) return `DECIMAL(${decimal[1]}, ${decimal[2]})`
  if (/^(?:var)?char\(/.test(plain)) return 'VARCHAR'
  const known = TYPES[plain]
  if (known === undefined) throw new FactError(`a column has the type \`${plain.slice(0, 40)}\`: ask Athena`)
  return known
}

function nameOf({ Name: name = '' }: Column): string {
  return `"${name.replaceAll('"', '""')}"`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

async function loadGlue() {
  return await loadPackage('@aws-sdk/client-glue', () => import('@aws-sdk/client-glue'))
}

async function loadS3() {
  return await loadPackage('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'))
}
