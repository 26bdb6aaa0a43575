import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Pool } from 'pg'
import type { CollectionConfig, DataPlaneConfig } from '#config/data-plane.ts'
import { ConfigProblems } from '#config/load.ts'
import type { LoadedConfig, Problem } from '#config/load.ts'
import { resolveSecret } from '#config/secrets.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import { openAws } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { createBedrockEmbedder } from '#dataplane/embed/bedrock.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import { createMiniLmEmbedder } from '#dataplane/embed/minilm.ts'
import { athenaEngine } from '#dataplane/facts/athena.ts'
import { duckdbEngine } from '#dataplane/facts/duckdb.ts'
import { dynamoTable } from '#dataplane/facts/dynamodb.ts'
import type { ItemTable, NamedQuery } from '#dataplane/facts/facts.ts'
import { glueTable } from '#dataplane/facts/glue-table.ts'
import type { LakeTable } from '#dataplane/facts/glue-table.ts'
import type { FactSources } from '#dataplane/facts/look-up.ts'
import type { ParamSpec } from '#dataplane/facts/params.ts'
import { PGVECTOR_SETTINGS, pgVectorEngine } from '#dataplane/index/pgvector-store.ts'
import { openSearchEngine } from '#dataplane/index/opensearch-store.ts'
import { s3VectorsEngine } from '#dataplane/index/s3vectors-store.ts'
import { s3Home } from '#dataplane/index/shared-home.ts'
import { lanceEngine } from '#dataplane/index/lance-store.ts'
import type { IndexEngine } from '#dataplane/index/store.ts'
import { createBedrockReranker } from '#dataplane/retrieve/bedrock-rerank.ts'
import type { Reranker } from '#dataplane/retrieve/rerank.ts'
import { folderSource } from '#dataplane/sources/folder.ts'
import { kinesisSource } from '#dataplane/sources/kinesis/kinesis.ts'
import { s3Source } from '#dataplane/sources/s3.ts'
import type { Source } from '#dataplane/sources/source.ts'

/** What the agent reads and with what, made from the `dataPlane` section. */
export interface DataSources {
  readonly dataDir: string
  readonly collections: readonly Collection[]
  readonly facts: FactSources
  readonly engine: IndexEngine
  readonly embedder: Embedder
  readonly reranker: Reranker | undefined
  close(): void
}

type Loaded = Pick<LoadedConfig, 'resolve' | 'file'> & { readonly dataPlane: DataPlaneConfig }
type Environment = Readonly<Record<string, string | undefined>>

/** @throws when a secret can not be had. */
export function openDataSources(
  loaded: Loaded,
  environment: Environment,
  onFault: (error: unknown) => void,
): DataSources {
  const { dataPlane, resolve } = loaded
  const aws = awsOf(loaded, environment)
  const dataDir = resolve(dataPlane.data)
  return {
    dataDir,
    collections: Object.entries(dataPlane.collections).map(([name, { title, readers, rules, ...rest }]) => ({
      name,
      title,
      readers,
      rules,
      source: sourceOf({ name, ...rest }, { aws, resolve, dataDir, onFault }),
    })),
    facts: factsOf(loaded, aws, dataDir),
    engine: engineOf(loaded, aws, dataDir, environment),
    embedder: embedderOf(dataPlane, aws),
    reranker: dataPlane.rerank && createBedrockReranker(aws, dataPlane.rerank),
    close: () => aws.close(),
  }
}

/** @throws {ConfigProblems} for keys that can not be had. */
export function awsOf({ dataPlane, resolve, file }: Loaded, environment: Environment): Aws {
  const { region = dataPlane.place.region, keys, endpoints } = dataPlane.aws
  const problems: Problem[] = []
  const reveal = (name: 'accessKeyId' | 'secretAccessKey' | 'sessionToken') => {
    const reference = keys?.[name]
    const lookUp = { environment, resolve, problems }
    return reference && resolveSecret(reference, `dataPlane.aws.keys.${name}`, lookUp).reveal()
  }
  const accessKeyId = reveal('accessKeyId')
  const secretAccessKey = reveal('secretAccessKey')
  const sessionToken = reveal('sessionToken')
  if (problems.length > 0) throw new ConfigProblems(file, problems)
  const isGiven = accessKeyId !== undefined && secretAccessKey !== undefined
  const session = sessionToken === undefined ? {} : { sessionToken }
  return openAws({ region, endpoints, keys: isGiven ? { accessKeyId, secretAccessKey, ...session } : undefined })
}

interface SourceWorld {
  readonly aws: Aws
  readonly resolve: (path: string) => string
  readonly dataDir: string
  readonly onFault: (error: unknown) => void
}

function sourceOf(
  { name, folder, s3, kinesis }: Pick<CollectionConfig, 'folder' | 's3' | 'kinesis'> & { readonly name: string },
  { aws, resolve, dataDir, onFault }: SourceWorld,
): Source {
  if (folder !== undefined) return folderSource(resolve(folder))
  if (kinesis !== undefined) return kinesisSource(aws, { ...kinesis, onFault })
  if (s3 === undefined) throw new Error(`the collection \`${name}\` has no source`)
  const { bucket, prefix, queue, job, maxMegabytes } = s3
  return s3Source(aws, {
    bucket,
    prefix,
    queue,
    job: job && { name: job.name, arguments: job.arguments, timeoutMs: job.timeoutMinutes * 60_000 },
    maxBytes: maxMegabytes * 1024 * 1024,
    spool: join(dataDir, 'spool', name),
    onFault,
  })
}

function factsOf({ dataPlane, resolve }: Loaded, aws: Aws, dataDir: string): FactSources {
  const queries = Object.entries(dataPlane.queries).map(([name, { athena, duckdb, params, ...query }]) => {
    const engine =
      athena === undefined
        ? duckdbEngine({
            tables: Object.fromEntries(
              Object.entries(duckdb?.tables ?? {}).map(([table, { path, glue }]) => [
                table,
                glue === undefined ? resolve(path ?? '') : lakeTable(glue, aws, dataDir),
              ]),
            ),
          })
        : athenaEngine(aws, { ...athena, maxScannedBytes: athena.maxScannedMegabytes * 1_000_000 })
    const named: NamedQuery = { ...query, name, params: specsOf(params), engine }
    return [name, named] as const
  })
  const tables = Object.entries(dataPlane.tables).map(([name, { key, owner, ...table }]) => {
    const made: ItemTable = dynamoTable(aws, { ...table, name, key: specsOf(key), owner })
    return [name, made] as const
  })
  return { queries: new Map(queries), tables: new Map(tables) }
}

type DuckDbTables = NonNullable<DataPlaneConfig['queries'][string]['duckdb']>['tables']

function lakeTable(glue: NonNullable<DuckDbTables[string]['glue']>, aws: Aws, dataDir: string): LakeTable {
  const { database, table, partitions, maxMegabytes, refreshMinutes } = glue
  // Another choice of partitions is another copy.
  const choice = createHash('sha256')
    .update(partitions ?? '')
    .digest('hex')
    .slice(0, 8)
  return glueTable(aws, {
    database,
    table,
    partitions,
    cache: join(dataDir, 'lake', `${encodeURIComponent(database)}.${encodeURIComponent(table)}.${choice}`),
    maxBytes: maxMegabytes * 1_000_000,
    refreshMs: refreshMinutes * 60_000,
    now: Date.now,
  })
}

/** Without the fields that are not set. */
function specsOf(params: DataPlaneConfig['queries'][string]['params']): Readonly<Record<string, ParamSpec>> {
  return Object.fromEntries(
    Object.entries(params).map(([name, { type, ...rest }]): [string, ParamSpec] => [
      name,
      {
        type,
        ...(Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as Omit<
          ParamSpec,
          'type'
        >),
      },
    ]),
  )
}

function engineOf(loaded: Loaded, aws: Aws, dataDir: string, environment: Environment): IndexEngine {
  const { dataPlane } = loaded
  if (dataPlane.index.pgvector !== undefined) return postgresEngine(dataPlane.index.pgvector, loaded, environment)
  if (dataPlane.index.s3vectors !== undefined) return s3VectorsEngine(aws, dataPlane.index.s3vectors)
  if (dataPlane.index.opensearch !== undefined) return openSearchEngine(aws, dataPlane.index.opensearch)
  const uri = dataPlane.index.lance?.uri
  if (uri === undefined) return lanceEngine({ uri: join(dataDir, 'index') })
  const { keys, endpoints } = aws.options
  const { hostname: bucket, pathname } = new URL(uri)
  return lanceEngine({
    uri,
    home: (collection, scratch) =>
      s3Home(aws, { bucket, prefix: `${pathname.slice(1)}/${collection}/`, scratch, now: Date.now }),
    storageOptions: {
      awsRegion: aws.region,
      ...(keys === undefined
        ? {}
        : {
            awsAccessKeyId: keys.accessKeyId,
            awsSecretAccessKey: keys.secretAccessKey,
            ...(keys.sessionToken === undefined ? {} : { awsSessionToken: keys.sessionToken }),
          }),
      ...(endpoints?.s3 === undefined
        ? {}
        : { awsEndpoint: endpoints.s3, ...(endpoints.s3.startsWith('http:') ? { allowHttp: 'true' } : {}) }),
    },
  })
}

/** Connections of one agent: searches of a request run side by side. */
const CONNECTIONS = 8

function postgresEngine(
  { url, schema }: NonNullable<DataPlaneConfig['index']['pgvector']>,
  { resolve, file }: Loaded,
  environment: Environment,
): IndexEngine {
  const problems: Problem[] = []
  const connectionString = resolveSecret(url, 'dataPlane.index.pgvector.url', { environment, resolve, problems })
  if (problems.length > 0) throw new ConfigProblems(file, problems)
  const settings = Object.entries(PGVECTOR_SETTINGS).map(([name, value]) => `-c ${name}=${value}`)
  let pool: Pool | undefined
  return pgVectorEngine({
    schema,
    run: async (text, values = []) => {
      if (pool === undefined) {
        const pg = await import('pg')
        pool = new pg.default.Pool({
          connectionString: connectionString.reveal(),
          max: CONNECTIONS,
          options: settings.join(' '),
        })
        // A connection that breaks while nobody uses it is not used again; what breaks in use throws there.
        pool.on('error', () => undefined)
      }
      const result: { rows: unknown[] } = await pool.query(text, [...values])
      return result.rows
    },
    close: async () => await pool?.end(),
  })
}

function embedderOf({ embedding }: DataPlaneConfig, aws: Aws): Embedder {
  const { model, dimensions, concurrency, floor } = embedding
  if (model === 'minilm') return createMiniLmEmbedder(floor)
  return createBedrockEmbedder(aws, {
    model,
    concurrency,
    ...(dimensions === undefined ? {} : { dimensions }),
    ...(floor === undefined ? {} : { floor }),
  })
}
