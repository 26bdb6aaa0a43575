import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { AthenaClient, GetQueryResultsCommandOutput, QueryExecution } from '@aws-sdk/client-athena'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { FactError } from './facts.ts'
import type { Cell, NamedQuery, QueryEngine, QueryResult } from './facts.ts'
import type { ParamSpec } from './params.ts'
import { parseSql, renderSql } from '#kit/sql-template.ts'
import type { ParamValues } from '#kit/sql-template.ts'

export interface AthenaOptions {
  readonly workgroup: string
  readonly catalog: string
  readonly database: string
  /** `s3://…`; absent: the workgroup's. */
  readonly output?: string | undefined
  /** A result this old may be used again; 0: never. */
  readonly reuseMinutes: number
  /** A query that scans more is stopped. */
  readonly maxScannedBytes: number
}

/** Between two looks at a query: the first, and the longest. */
const POLL_MS = [50, 1000] as const
/** An ExecutionParameter is no longer (Athena API reference, StartQueryExecution). */
const MAX_PARAM_CHARS = 1024
/** Rows of one page of results at most (GetQueryResults). */
const MAX_PAGE_ROWS = 1000
const MAX_REASON_CHARS = 200

/** Queries on Athena over the tables of the Glue catalog. */
export function athenaEngine(aws: Aws, options: AthenaOptions): QueryEngine {
  return {
    run: async (query, values, signal) => await run(aws, options, { query, values, signal }),
    close: async () => await Promise.resolve(),
  }
}

interface Asked {
  readonly query: NamedQuery
  readonly values: ParamValues
  readonly signal: AbortSignal
}

async function run(aws: Aws, options: AthenaOptions, { query, values, signal }: Asked): Promise<QueryResult> {
  const athena = await loadAthena()
  const client = await aws.athena()
  const { text, values: bound } = renderSql(parseSql(query.sql), values, () => '?')
  const parameters = bound.map(({ param, value }) => literal(value, query.params[param]))
  let id = ''
  try {
    const started = await client.send(
      new athena.StartQueryExecutionCommand({
        QueryString: text,
        ...(parameters.length === 0 ? {} : { ExecutionParameters: parameters }),
        QueryExecutionContext: { Catalog: options.catalog, Database: options.database },
        WorkGroup: options.workgroup,
        ClientRequestToken: randomUUID(),
        ...(options.output === undefined ? {} : { ResultConfiguration: { OutputLocation: options.output } }),
        ...(options.reuseMinutes === 0
          ? {}
          : {
              ResultReuseConfiguration: {
                ResultReuseByAgeConfiguration: { Enabled: true, MaxAgeInMinutes: options.reuseMinutes },
              },
            }),
      }),
      { abortSignal: signal },
    )
    id = started.QueryExecutionId ?? ''
    const { Statistics: statistics } = await finished(client, id, options, signal)
    const page = await client.send(
      new athena.GetQueryResultsCommand({
        QueryExecutionId: id,
        // One for the header, one to see that there are more.
        MaxResults: Math.min(query.maxRows + 2, MAX_PAGE_ROWS),
      }),
      { abortSignal: signal },
    )
    const isReused = statistics?.ResultReuseInformation?.ReusedPreviousResult === true
    return { ...rowsOf(page), notes: isReused ? [`its result may be ${options.reuseMinutes} minutes old`] : [] }
  } catch (error) {
    if (id !== '') await stop(client, id, error)
    signal.throwIfAborted()
    throw asFactError(error)
  }
}

/** @throws {FactError} when it fails, is cancelled or scans too much. */
async function finished(
  client: AthenaClient,
  id: string,
  { maxScannedBytes }: AthenaOptions,
  signal: AbortSignal,
): Promise<QueryExecution> {
  const { GetQueryExecutionCommand } = await loadAthena()
  for (let pauseMs: number = POLL_MS[0]; ; pauseMs = Math.min(pauseMs * 1.5, POLL_MS[1])) {
    await wait(pauseMs, undefined, { signal })
    const { QueryExecution: execution } = await client.send(new GetQueryExecutionCommand({ QueryExecutionId: id }), {
      abortSignal: signal,
    })
    const state = execution?.Status?.State ?? 'FAILED'
    if ((execution?.Statistics?.DataScannedInBytes ?? 0) > maxScannedBytes)
      throw new FactError(`it scans more than ${Math.floor(maxScannedBytes / 1_000_000)} MB`)
    if (execution !== undefined && state === 'SUCCEEDED') return execution
    if (state === 'FAILED' || state === 'CANCELLED') {
      const reason = execution?.Status?.StateChangeReason ?? ''
      throw new FactError(`Athena ended it with ${state}`, new Error(reason.slice(0, MAX_REASON_CHARS)))
    }
  }
}

/** What nobody waits for must not cost anything. */
async function stop(client: AthenaClient, id: string, reason: unknown): Promise<void> {
  if (reason instanceof FactError && reason.message.startsWith('Athena ended')) return
  const { StopQueryExecutionCommand } = await loadAthena()
  await client.send(new StopQueryExecutionCommand({ QueryExecutionId: id })).catch(() => undefined)
}

function rowsOf(page: GetQueryResultsCommandOutput): { columns: string[]; rows: Cell[][] } {
  const info = page.ResultSet?.ResultSetMetadata?.ColumnInfo ?? []
  const columns = info.map(({ Name: name = '' }) => name)
  const rows = (page.ResultSet?.Rows ?? []).map(({ Data: data = [] }) =>
    info.map(({ Type: type = 'varchar' }, at) => cellOf(data[at]?.VarCharValue, type)),
  )
  // The first row of a SELECT repeats the names of the columns.
  return { columns, rows: rows.slice(1) }
}

function cellOf(text: string | undefined, type: string): Cell {
  if (text === undefined) return null
  if (type === 'boolean') return text === 'true'
  if (!/^(?:tinyint|smallint|integer|int|bigint|float|real|double|decimal)/.test(type)) return text
  const number = Number(text)
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number)) ? number : text
}

/** Athena takes parameters as literals of SQL. */
function literal(value: string | number | boolean, spec: ParamSpec | undefined): string {
  const text = typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value)
  const typed = spec?.type === 'date' ? `DATE ${text}` : spec?.type === 'timestamp' ? `TIMESTAMP ${text}` : text
  if (typed.length > MAX_PARAM_CHARS) throw new FactError(`a parameter is longer than ${MAX_PARAM_CHARS} characters`)
  return typed
}

function asFactError(error: unknown): FactError {
  if (error instanceof FactError) return error
  const name = awsErrorName(error)
  if (name === 'TooManyRequestsException') return new FactError('Athena has too many queries, try again', error)
  return new FactError(`Athena did not answer (${name})`, error)
}

async function loadAthena() {
  return await loadPackage('@aws-sdk/client-athena', () => import('@aws-sdk/client-athena'))
}
