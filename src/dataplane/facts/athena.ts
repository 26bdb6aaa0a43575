import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { AthenaClient, GetQueryResultsCommandOutput, QueryExecution } from '@aws-sdk/client-athena'
import { awsErrorName, awsStatus } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { FactError, exactNumber, plainTimestamp } from './facts.ts'
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
  const { text, values: bound } = renderSql(parseSql(query.sql), values, () => '?')
  const parameters = bound.map(({ param, value }) => literal(value, query.params[param]))
  const client = await aws.athena()
  signal.throwIfAborted()
  // Not given the signal: a query that was started must be known, or nobody can stop it.
  const starting = start(client, options, text, parameters)
  let isOver = false
  try {
    const id = await orAbort(starting, signal)
    const execution = await finished(client, id, options, signal)
    isOver = true
    assertSucceeded(execution)
    const rows = await firstRows(client, id, query.maxRows + 1, signal)
    const isReused = execution.Statistics?.ResultReuseInformation?.ReusedPreviousResult === true
    return { ...rows, notes: isReused ? [`its result may be ${options.reuseMinutes} minutes old`] : [] }
  } catch (error) {
    if (!isOver) void stop(client, starting)
    signal.throwIfAborted()
    throw asFactError(error)
  }
}

async function start(
  client: AthenaClient,
  options: AthenaOptions,
  text: string,
  parameters: readonly string[],
): Promise<string> {
  const { StartQueryExecutionCommand } = await loadAthena()
  const { catalog, database, workgroup, output, reuseMinutes } = options
  const reuse = { ResultReuseByAgeConfiguration: { Enabled: true, MaxAgeInMinutes: reuseMinutes } }
  const { QueryExecutionId: id = '' } = await client.send(
    new StartQueryExecutionCommand({
      QueryString: text,
      ...(parameters.length === 0 ? {} : { ExecutionParameters: [...parameters] }),
      QueryExecutionContext: { Catalog: catalog, Database: database },
      WorkGroup: workgroup,
      ClientRequestToken: randomUUID(),
      ...(output === undefined ? {} : { ResultConfiguration: { OutputLocation: output } }),
      ...(reuseMinutes === 0 ? {} : { ResultReuseConfiguration: reuse }),
    }),
  )
  return id
}

/** What `work` gives, unless the signal fires first; the work goes on then. */
async function orAbort<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const gone = Promise.withResolvers<never>()
  const leave = (): void => gone.reject(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([work, gone.promise])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Waits until it is over. @throws {FactError} when it scans too much before. */
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
    // Also when it is over by now: whether it may scan as much must not be a matter of luck.
    if ((execution?.Statistics?.DataScannedInBytes ?? 0) > maxScannedBytes)
      throw new FactError(`it scans more than ${Math.floor(maxScannedBytes / 1_000_000)} MB`)
    const state = execution?.Status?.State
    if (execution !== undefined && (state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED'))
      return execution
  }
}

/** The reason may quote values of the query: only what kind it is, and where, is told. */
function assertSucceeded({ Status: status }: QueryExecution): void {
  if (status?.State === 'SUCCEEDED') return
  const reason = status?.StateChangeReason ?? ''
  if (/bytes scanned limit/i.test(reason)) throw new FactError('it scans more than its workgroup allows')
  const kind = /^[A-Z][A-Z_]+(?:: line \d+:\d+)?/.exec(reason)?.[0]
  throw new FactError(`Athena ended it with ${status?.State}${kind === undefined ? '' : ` (${kind})`}`)
}

/** What nobody waits for must not cost anything, also when it only just starts. */
async function stop(client: AthenaClient, starting: Promise<string>): Promise<void> {
  const { StopQueryExecutionCommand } = await loadAthena()
  try {
    await client.send(new StopQueryExecutionCommand({ QueryExecutionId: await starting }))
  } catch {
    // It never started, or its limits end it.
  }
}

/** As many rows as are wanted, page by page. */
async function firstRows(
  client: AthenaClient,
  id: string,
  wanted: number,
  signal: AbortSignal,
): Promise<{ columns: string[]; rows: Cell[][] }> {
  const { GetQueryResultsCommand } = await loadAthena()
  let columns: string[] = []
  const rows: Cell[][] = []
  for (let token: string | undefined; ;) {
    const isFirst = token === undefined
    const page: GetQueryResultsCommandOutput = await client.send(
      new GetQueryResultsCommand({
        QueryExecutionId: id,
        MaxResults: Math.min(wanted - rows.length + (isFirst ? 1 : 0), MAX_PAGE_ROWS),
        ...(token === undefined ? {} : { NextToken: token }),
      }),
      { abortSignal: signal },
    )
    const info = page.ResultSet?.ResultSetMetadata?.ColumnInfo ?? []
    if (isFirst) columns = info.map(({ Name: name = '' }) => name)
    const cells = (page.ResultSet?.Rows ?? []).map(({ Data: data = [] }) =>
      info.map(({ Type: type = 'varchar' }, at) => cellOf(data[at]?.VarCharValue, type)),
    )
    // The first row of a SELECT repeats the names of the columns.
    rows.push(...(isFirst ? cells.slice(1) : cells))
    token = page.NextToken
    if (token === undefined || rows.length >= wanted) return { columns, rows: rows.slice(0, wanted) }
  }
}

function cellOf(text: string | undefined, type: string): Cell {
  if (text === undefined) return null
  if (type === 'boolean') return text === 'true'
  if (type === 'timestamp') return plainTimestamp(text)
  if (/^(?:float|real|double)$/.test(type)) return Number.isFinite(Number(text)) ? Number(text) : text
  return /^(?:tinyint|smallint|integer|int|bigint|decimal)/.test(type) ? exactNumber(text) : text
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
  if (name === 'InvalidRequestException')
    return new FactError('Athena refused it: check its workgroup, database and output', error)
  const isRefused = (awsStatus(error) ?? 500) < 500
  return new FactError(isRefused ? `Athena refused (${name})` : `Athena did not answer (${name})`, error)
}

async function loadAthena() {
  return await loadPackage('@aws-sdk/client-athena', () => import('@aws-sdk/client-athena'))
}
