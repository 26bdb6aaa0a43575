import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import {
  type AwsAccount,
  type AwsJsonApi,
  AwsProblem,
  type Operation,
  awsJsonFault,
  awsJsonReply,
} from '#simclouds/aws-json.ts'
import type { S3Store } from '#simclouds/s3/store.ts'
import type { Service } from '#simclouds/service.ts'
import { ACCOUNT_ID } from '#simclouds/sqs/queues.ts'
import type { Column, GlueCatalogue, Table } from './catalogue.ts'
import { readExpression } from './expression.ts'
import type { GlueJobs, JobRun } from './jobs.ts'
import { partitionsOf } from './partitions.ts'

/** What Glue keeps and does. */
export interface GlueParts {
  readonly catalogue: GlueCatalogue
  readonly jobs: GlueJobs
  readonly store: S3Store
}

const name = z.string().min(1).max(255)
const CatalogId = name.optional()
const NextToken = z.string().optional()
const GetDatabase = z.strictObject({ CatalogId, Name: name })
const GetDatabases = z.strictObject({
  CatalogId,
  NextToken,
  MaxResults: z.int().min(1).max(100).optional(),
  ResourceShareType: z.string().optional(),
  AttributesToGet: z.array(z.string()).optional(),
})
const GetTable = z.strictObject({
  CatalogId,
  DatabaseName: name,
  Name: name,
  TransactionId: z.string().optional(),
  QueryAsOfTime: z.number().optional(),
  IncludeStatusDetails: z.boolean().optional(),
})
const GetTables = z.strictObject({
  CatalogId,
  DatabaseName: name,
  Expression: z.string().max(2_048).optional(),
  NextToken,
  MaxResults: z.int().min(1).max(100).optional(),
  AttributesToGet: z.array(z.string()).optional(),
})
const GetPartitions = z.strictObject({
  CatalogId,
  DatabaseName: name,
  TableName: name,
  Expression: z.string().max(2_048).optional(),
  NextToken,
  Segment: z.undefined().optional(),
  MaxResults: z.int().min(1).max(1_000).optional(),
  ExcludeColumnSchema: z.boolean().optional(),
})
const StartJobRun = z.strictObject({
  JobName: name,
  JobRunId: name.optional(),
  Arguments: z.record(z.string(), z.string()).optional(),
  Timeout: z.int().min(1).optional(),
  MaxCapacity: z.number().optional(),
  WorkerType: z.string().optional(),
  NumberOfWorkers: z.int().optional(),
  ExecutionClass: z.enum(['STANDARD', 'FLEX']).optional(),
  JobRunQueuingEnabled: z.boolean().optional(),
})
const GetJobRun = z.strictObject({ JobName: name, RunId: name, PredecessorsIncluded: z.boolean().optional() })
const GetJobRuns = z.strictObject({ JobName: name, NextToken, MaxResults: z.int().min(1).max(200).optional() })

/** AWS Glue: the catalogue and job runs. docs/simulated-aws.md says what it does not do. */
export function glue(place: Place, account: AwsAccount, parts: GlueParts): Service {
  const api: AwsJsonApi = {
    target: 'AWSGlue',
    version: '1.1',
    signingName: 'glue',
    operations: { ...catalogueOperations(parts), ...jobOperations(parts.jobs) },
    invalid: (message) => new AwsProblem('ValidationException', message),
  }
  return {
    name: 'glue',
    place,
    reply: (request) => awsJsonReply(request, api, account),
    fail: (status, retryAfterS) =>
      awsJsonFault(status, retryAfterS, new AwsProblem('ThrottlingException', 'Rate exceeded'), '1.1'),
    brokenPiece: () => Buffer.from('{"'),
    streamError: () => [],
  }
}

function catalogueOperations({ catalogue, store }: GlueParts): Readonly<Record<string, Operation>> {
  return {
    GetDatabase: (input) => ({ Database: databaseOf(catalogue.database(GetDatabase.parse(input).Name)) }),
    GetDatabases: (input) => {
      const { MaxResults = 100, NextToken: token } = GetDatabases.parse(input)
      const { page, next } = pageOf(catalogue.databases(), MaxResults, token)
      return { DatabaseList: page.map(databaseOf), ...next }
    },
    GetTable: (input) => {
      const wanted = GetTable.parse(input)
      return { Table: tableOf(catalogue.table(wanted.DatabaseName, wanted.Name)) }
    },
    GetTables: (input) => {
      const { DatabaseName, Expression = '', MaxResults = 100, NextToken: token } = GetTables.parse(input)
      const pattern = namePattern(Expression)
      const tables = catalogue.tables(DatabaseName).filter((table) => pattern.test(table.name))
      const { page, next } = pageOf(tables, MaxResults, token)
      return { TableList: page.map(tableOf), ...next }
    },
    GetPartitions: (input) => {
      const {
        DatabaseName,
        TableName,
        Expression = '',
        MaxResults = 1_000,
        NextToken: token,
      } = GetPartitions.parse(input)
      const table = catalogue.table(DatabaseName, TableName)
      const { partitionKeys: keys = [] } = table
      const matches = Expression.trim() === '' ? () => true : readExpression(Expression, keys)
      const rowOf = (values: readonly string[]) =>
        Object.fromEntries(keys.map((key, at) => [key.name, values[at] ?? '']))
      const found = partitionsOf(table, store).filter(({ values }) => matches(rowOf(values)))
      const { page, next } = pageOf(found, MaxResults, token)
      return {
        Partitions: page.map(({ values, location }) => ({
          Values: values,
          DatabaseName: table.database,
          TableName: table.name,
          CreationTime: table.createdEpochMs / 1000,
          StorageDescriptor: { ...storageOf(table), Location: location },
          CatalogId: ACCOUNT_ID,
        })),
        ...next,
      }
    },
  }
}

function jobOperations(jobs: GlueJobs): Readonly<Record<string, Operation>> {
  return {
    StartJobRun: (input) => {
      const { JobName, JobRunId, Arguments = {} } = StartJobRun.parse(input)
      return { JobRunId: jobs.start(JobName, Arguments, JobRunId).id }
    },
    GetJobRun: (input) => {
      const { JobName, RunId } = GetJobRun.parse(input)
      return { JobRun: runOf(jobs.run(JobName, RunId)) }
    },
    GetJobRuns: (input) => {
      const { JobName, MaxResults = 200, NextToken: token } = GetJobRuns.parse(input)
      const { page, next } = pageOf(jobs.runs(JobName), MaxResults, token)
      return { JobRuns: page.map(runOf), ...next }
    },
  }
}

/** Names are matched whole, `*` and `|` as in the console, else as a regular expression. */
function namePattern(expression: string): RegExp {
  if (expression === '') return /^/
  try {
    return new RegExp(`^(?:${expression.replaceAll(/(?<!\.)\*/g, '.*')})$`)
  } catch {
    throw new AwsProblem('InvalidInputException', `Invalid expression ${expression}`)
  }
}

function pageOf<Item>(
  all: readonly Item[],
  max: number,
  token: string | undefined,
): { readonly page: readonly Item[]; readonly next: object } {
  const text = token === undefined ? '0' : Buffer.from(token, 'base64url').toString('utf8')
  if (!/^\d+$/.test(text)) throw new AwsProblem('InvalidInputException', 'The token is not valid')
  const at = Number(text)
  const end = at + max
  const next = end < all.length ? { NextToken: Buffer.from(String(end)).toString('base64url') } : {}
  return { page: all.slice(at, end), next }
}

function databaseOf(database: { readonly name: string; readonly createdEpochMs: number }): unknown {
  return { Name: database.name, CreateTime: database.createdEpochMs / 1000, CatalogId: ACCOUNT_ID }
}

function tableOf(table: Table): unknown {
  const { name: tableName, database, createdEpochMs, partitionKeys = [], headerLines } = table
  return {
    Name: tableName,
    DatabaseName: database,
    CreateTime: createdEpochMs / 1000,
    UpdateTime: createdEpochMs / 1000,
    Retention: 0,
    StorageDescriptor: storageOf(table),
    PartitionKeys: partitionKeys.map(columnOf),
    TableType: 'EXTERNAL_TABLE',
    Parameters: {
      EXTERNAL: 'TRUE',
      classification: table.format,
      ...(headerLines === undefined ? {} : { 'skip.header.line.count': String(headerLines) }),
    },
    IsRegisteredWithLakeFormation: false,
    CatalogId: ACCOUNT_ID,
    VersionId: '0',
  }
}

const TEXT_INPUT = 'org.apache.hadoop.mapred.TextInputFormat'
const TEXT_OUTPUT = 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
/** How Hive reads each format (Amazon Athena User Guide, "Supported SerDes"). */
const SERDES = {
  parquet: {
    InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
    OutputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
    library: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe',
  },
  csv: {
    InputFormat: TEXT_INPUT,
    OutputFormat: TEXT_OUTPUT,
    library: 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe',
  },
  json: { InputFormat: TEXT_INPUT, OutputFormat: TEXT_OUTPUT, library: 'org.openx.data.jsonserde.JsonSerDe' },
} as const

function storageOf({ columns, location, format, delimiter = ',' }: Table): object {
  const { InputFormat, OutputFormat, library } = SERDES[format]
  return {
    Columns: columns.map(columnOf),
    Location: location,
    InputFormat,
    OutputFormat,
    Compressed: false,
    NumberOfBuckets: -1,
    SerdeInfo: {
      SerializationLibrary: library,
      Parameters: format === 'csv' ? { 'field.delim': delimiter } : { 'serialization.format': '1' },
    },
    StoredAsSubDirectories: false,
  }
}

function columnOf({ name: Name, type: Type, comment: Comment }: Column): object {
  return { Name, Type, ...(Comment === undefined ? {} : { Comment }) }
}

function runOf(run: JobRun): object {
  const { completedEpochMs, startedEpochMs, errorMessage, previousRunId } = run
  const endEpochMs = completedEpochMs ?? Date.now()
  return {
    Id: run.id,
    Attempt: run.attempt,
    ...(previousRunId === undefined ? {} : { PreviousRunId: previousRunId }),
    JobName: run.jobName,
    StartedOn: startedEpochMs / 1000,
    LastModifiedOn: endEpochMs / 1000,
    ...(completedEpochMs === undefined ? {} : { CompletedOn: completedEpochMs / 1000 }),
    JobRunState: run.state,
    Arguments: run.arguments,
    ...(errorMessage === undefined ? {} : { ErrorMessage: errorMessage }),
    ExecutionTime: Math.round((endEpochMs - startedEpochMs) / 1000),
    Timeout: 2_880,
  }
}
