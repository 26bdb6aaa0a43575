import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { AwsProblem } from '#simclouds/aws-json.ts'
import type { AthenaOptions, AthenaWorkGroup } from '#simclouds/options.ts'
import { placeOf } from '#simclouds/glue/partitions.ts'
import { contentOf } from '#simclouds/s3/content.ts'
import { S3Problem } from '#simclouds/s3/problem.ts'
import { type S3Store, opaqueEtag } from '#simclouds/s3/store.ts'
import type { AthenaEngine, QueryRows } from './engine.ts'
import { type QueryExecution, type QueryRequest, isOver } from './execution.ts'
import { QueryFailure, withParameters } from './parameters.ts'

interface Started {
  /** What was asked for under the token. */
  readonly request: string
  readonly id: Promise<string>
}

/** All queries, since the start. */
export class QueryExecutions {
  readonly #engine: AthenaEngine
  readonly #store: S3Store
  readonly #options: AthenaOptions
  readonly #executions = new Map<string, QueryExecution>()
  readonly #tokens = new Map<string, Started>()
  readonly #running = new Set<Promise<void>>()

  constructor(engine: AthenaEngine, store: S3Store, options: AthenaOptions) {
    this.#engine = engine
    this.#store = store
    this.#options = options
  }

  /** @throws {AwsProblem} InvalidRequestException. */
  workGroup(name: string): AthenaWorkGroup {
    const { workGroups } = this.#options
    const group = Object.hasOwn(workGroups, name) ? workGroups[name] : undefined
    if (group === undefined) throw invalidRequest(`WorkGroup ${name} is not found.`)
    return group
  }

  /** @throws {AwsProblem} InvalidRequestException. */
  get(id: string): QueryExecution {
    const execution = this.#executions.get(id)
    if (execution === undefined) throw invalidRequest(`QueryExecution ${id} was not found`)
    return execution
  }

  /**
   * Starts a query, or finds the one that was started with the same token.
   * @throws {AwsProblem} InvalidRequestException, or TooManyRequestsException.
   */
  start(request: QueryRequest, token: string | undefined): Promise<string> {
    const known = token === undefined ? undefined : this.#tokens.get(token)
    const asked = JSON.stringify(request)
    if (known !== undefined && known.request !== asked) throw invalidRequest('Idempotent parameters do not match')
    if (known !== undefined) return known.id
    const id = this.#begin(request)
    if (token !== undefined) {
      this.#tokens.set(token, { request: asked, id })
      // A query that never began holds no token.
      id.catch(() => this.#tokens.delete(token))
    }
    return id
  }

  /** Stops a query; one that is over stays as it is. @throws {AwsProblem} InvalidRequestException. */
  stop(id: string): void {
    const execution = this.get(id)
    if (!isOver(execution)) end(execution, 'CANCELLED', undefined)
    execution.abort.abort()
  }

  /** Stops what runs, and waits for it. */
  async close(): Promise<void> {
    for (const { abort } of this.#executions.values()) abort.abort()
    await Promise.all(this.#running)
  }

  async #begin(request: QueryRequest): Promise<string> {
    const { maxActiveQueries } = this.#options
    const active = [...this.#executions.values()].filter((execution) => !isOver(execution)).length
    if (active >= maxActiveQueries) throw tooManyRequests()
    await this.#engine.check(request.sql)
    const execution: QueryExecution = {
      id: randomUUID(),
      request,
      submittedEpochMs: Date.now(),
      abort: new AbortController(),
      state: 'QUEUED',
      reason: undefined,
      runningEpochMs: undefined,
      completedEpochMs: undefined,
      scannedBytes: 0,
      isReused: false,
      result: undefined,
    }
    this.#executions.set(execution.id, execution)
    const run = this.#run(execution).finally(() => this.#running.delete(run))
    this.#running.add(run)
    return execution.id
  }

  async #run(execution: QueryExecution): Promise<void> {
    const { signal } = execution.abort
    const { queueMs, runMs } = this.#options
    try {
      await sleep(queueMs, undefined, { signal })
      execution.state = 'RUNNING'
      execution.runningEpochMs = Date.now()
      const minimum = sleep(runMs, undefined, { signal })
      // Whoever fails first is reported; the other must not go unheard.
      minimum.catch(() => undefined)
      const result = this.#reusable(execution) ?? (await this.#query(execution))
      await minimum
      if (isOver(execution)) return
      this.#write(execution, result)
      execution.result = result
      end(execution, 'SUCCEEDED', undefined)
    } catch (error) {
      if (isOver(execution)) return
      if (signal.aborted) end(execution, 'CANCELLED', undefined)
      else end(execution, error instanceof CutOff ? 'CANCELLED' : 'FAILED', reasonOf(error))
    }
  }

  async #query(execution: QueryExecution): Promise<QueryRows> {
    const { sql, parameters, database, workGroup } = execution.request
    const text = parameters.length === 0 ? sql : withParameters(sql, parameters)
    const prepared = await this.#engine.prepare(text, database)
    execution.scannedBytes = prepared.scannedBytes
    const cutoff = this.workGroup(workGroup).bytesScannedCutoffPerQuery
    if (cutoff !== undefined && prepared.scannedBytes > cutoff) throw new CutOff()
    return prepared.run(execution.abort.signal)
  }

  /** The youngest result of the same query that is young enough. What happened to the data since does not matter. */
  #reusable(execution: QueryExecution): QueryRows | undefined {
    const { reuseMinutes } = execution.request
    if (reuseMinutes === undefined) return undefined
    const sinceEpochMs = Date.now() - reuseMinutes * 60_000
    const previous = [...this.#executions.values()].findLast(
      (each) =>
        each.state === 'SUCCEEDED' &&
        (each.completedEpochMs ?? 0) >= sinceEpochMs &&
        isSame(each.request, execution.request),
    )
    execution.isReused = previous !== undefined
    return previous?.result
  }

  /** Writes the result as CSV, every value in quotes. */
  #write({ id, request }: QueryExecution, { columns, rows }: QueryRows): void {
    const { bucket, prefix } = placeOf(request.outputLocation)
    const lines = [columns.map(({ Name }) => Name), ...rows].map((row) => `${row.map(csvField).join(',')}\n`)
    this.#store.bucket(bucket).put(`${prefix}${id}.csv`, {
      content: contentOf(Buffer.from(lines.join(''))),
      etag: opaqueEtag(),
      headers: { 'content-type': 'application/octet-stream' },
      checksum: undefined,
      lock: undefined,
    })
  }
}

/** The limit of the workgroup. */
class CutOff extends Error {
  constructor() {
    super('Query cancelled! : Bytes scanned limit was exceeded')
    this.name = 'CutOff'
  }
}

/** Too many queries at once, or a fault that was set. */
export function tooManyRequests(): AwsProblem {
  return new AwsProblem(
    'TooManyRequestsException',
    'You have exceeded the limit for the number of queries you can run concurrently. Please reduce the number of concurrent queries submitted by this account.',
    {
      members: { Reason: 'CONCURRENT_QUERY_LIMIT_EXCEEDED' },
    },
  )
}

/** An InvalidRequestException. */
export function invalidRequest(message: string): AwsProblem {
  return new AwsProblem('InvalidRequestException', message, { members: { AthenaErrorCode: 'INVALID_INPUT' } })
}

function end(execution: QueryExecution, state: QueryExecution['state'], reason: string | undefined): void {
  execution.state = state
  execution.reason = reason
  execution.completedEpochMs = Date.now()
}

function reasonOf(error: unknown): string {
  if (error instanceof QueryFailure || error instanceof CutOff) return error.message
  if (error instanceof AwsProblem) return error.message
  if (error instanceof S3Problem) return `HIVE_METASTORE_ERROR: ${error.code}: ${error.message}`
  return `GENERIC_INTERNAL_ERROR: ${String(error)}`
}

function isSame(left: QueryRequest, right: QueryRequest): boolean {
  const identity = ({ sql, parameters, database, workGroup }: QueryRequest) =>
    JSON.stringify([sql, parameters, database, workGroup])
  return identity(left) === identity(right)
}

function csvField(value: string | undefined): string {
  return value === undefined ? '' : `"${value.replaceAll('"', '""')}"`
}
