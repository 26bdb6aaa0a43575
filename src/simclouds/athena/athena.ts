import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import { type AwsAccount, type AwsJsonApi, type Operation, awsJsonFault, awsJsonReply } from '#simclouds/aws-json.ts'
import type { Service } from '#simclouds/service.ts'
import { describeExecution } from './execution.ts'
import { type QueryExecutions, invalidRequest, tooManyRequests } from './executions.ts'

const MAX_ROWS = 1_000
/** As bytes of UTF-8 (Amazon Athena API Reference, StartQueryExecution). */
const MAX_QUERY_BYTES = 262_144

const QueryExecutionId = z.string().regex(/^\S{1,128}$/)
const Start = z.strictObject({
  QueryString: z
    .string()
    .min(1)
    .refine(
      (text) => Buffer.byteLength(text) <= MAX_QUERY_BYTES,
      `Member must have length less than or equal to ${MAX_QUERY_BYTES}`,
    ),
  ClientRequestToken: z.string().min(32).max(128).optional(),
  QueryExecutionContext: z
    .strictObject({ Database: z.string().min(1).max(255).optional(), Catalog: z.string().optional() })
    .optional(),
  ResultConfiguration: z
    .strictObject({
      OutputLocation: z.string().optional(),
      EncryptionConfiguration: z.unknown().optional(),
      ExpectedBucketOwner: z.string().optional(),
      AclConfiguration: z.unknown().optional(),
    })
    .optional(),
  WorkGroup: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{1,128}$/)
    .optional(),
  ExecutionParameters: z.array(z.string().min(1).max(1_024)).min(1).optional(),
  ResultReuseConfiguration: z
    .strictObject({
      ResultReuseByAgeConfiguration: z
        .strictObject({ Enabled: z.boolean(), MaxAgeInMinutes: z.int().min(0).max(10_080).optional() })
        .optional(),
    })
    .optional(),
})
const ById = z.strictObject({ QueryExecutionId })
const GetResults = z.strictObject({
  QueryExecutionId,
  NextToken: z.string().min(1).max(1_024).optional(),
  MaxResults: z.int().min(1).max(MAX_ROWS).optional(),
  QueryResultType: z.literal('DATA_ROWS').optional(),
})

/** Amazon Athena over DuckDB. docs/simulated-aws.md says what it does not do. */
export function athena(place: Place, account: AwsAccount, executions: QueryExecutions): Service {
  const api: AwsJsonApi = {
    target: 'AmazonAthena',
    version: '1.1',
    signingName: 'athena',
    operations: operationsOf(executions),
    invalid: invalidRequest,
  }
  return {
    name: 'athena',
    place,
    reply: (request) => awsJsonReply(request, api, account),
    fail: (status, retryAfterS) => awsJsonFault(status, retryAfterS, tooManyRequests(), '1.1'),
    brokenPiece: () => Buffer.from('{"'),
    streamError: () => [],
  }
}

function operationsOf(executions: QueryExecutions): Readonly<Record<string, Operation>> {
  return {
    StartQueryExecution: async (input) => ({ QueryExecutionId: await start(executions, Start.parse(input)) }),
    GetQueryExecution: (input) => {
      const { QueryExecutionId: id } = ById.parse(input)
      return { QueryExecution: describeExecution(executions.get(id)) }
    },
    GetQueryResults: (input) => results(executions, GetResults.parse(input)),
    StopQueryExecution: (input) => executions.stop(ById.parse(input).QueryExecutionId),
  }
}

function start(executions: QueryExecutions, input: z.infer<typeof Start>): Promise<string> {
  const { WorkGroup = 'primary', QueryExecutionContext: context, ResultReuseConfiguration: reuse } = input
  const group = executions.workGroup(WorkGroup)
  if (context?.Catalog !== undefined && context.Catalog.toLowerCase() !== 'awsdatacatalog')
    throw invalidRequest(`Catalog ${context.Catalog} does not exist`)
  const asked = input.ResultConfiguration?.OutputLocation
  const location = group.isEnforced === true ? group.outputLocation : (asked ?? group.outputLocation)
  if (location === undefined)
    throw invalidRequest(
      'No output location provided. An output location is required either through the Workgroup result configuration setting or as an API input.',
    )
  if (!/^s3:\/\/[^/]+\//.test(`${location}/`)) throw invalidRequest('outputLocation is not a valid S3 path.')
  const byAge = reuse?.ResultReuseByAgeConfiguration
  return executions.start(
    {
      sql: input.QueryString,
      parameters: input.ExecutionParameters ?? [],
      database: context?.Database ?? 'default',
      workGroup: WorkGroup,
      outputLocation: location.endsWith('/') ? location : `${location}/`,
      reuseMinutes: byAge?.Enabled === true ? (byAge.MaxAgeInMinutes ?? 60) : undefined,
    },
    input.ClientRequestToken,
  )
}

function results(executions: QueryExecutions, input: z.infer<typeof GetResults>): unknown {
  const { state, result } = executions.get(input.QueryExecutionId)
  if (state === 'QUEUED' || state === 'RUNNING')
    throw invalidRequest(`Query has not yet finished. Current state: ${state}`)
  if (result === undefined) throw invalidRequest(`Query did not finish successfully. Final query state: ${state}`)
  const { columns, rows } = result
  // The names of the columns are the first row, and count against the page as any other.
  const all = [columns.map(({ Name }) => Name), ...rows]
  const at = startOf(input.NextToken)
  const end = at + (input.MaxResults ?? MAX_ROWS)
  const page = all.slice(at, end)
  return {
    UpdateCount: 0,
    ResultSet: {
      Rows: page.map((row) => ({ Data: row.map((value) => (value === undefined ? {} : { VarCharValue: value })) })),
      ResultSetMetadata: { ColumnInfo: columns },
    },
    ...(end < all.length ? { NextToken: Buffer.from(`row ${end}`).toString('base64url') } : {}),
  }
}

function startOf(token: string | undefined): number {
  if (token === undefined) return 0
  const at = /^row (\d+)$/.exec(Buffer.from(token, 'base64url').toString('utf8'))?.[1]
  if (at === undefined) throw invalidRequest('Invalid next token.')
  return Number(at)
}
