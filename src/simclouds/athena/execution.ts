import type { QueryRows } from './engine.ts'

export type QueryState = 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED'

/** What was asked for. */
export interface QueryRequest {
  readonly sql: string
  readonly parameters: readonly string[]
  readonly database: string
  readonly workGroup: string
  /** Where the result is written: `s3://bucket/prefix/`. */
  readonly outputLocation: string
  /** How old a result may be that is taken instead, in minutes; undefined: none. */
  readonly reuseMinutes: number | undefined
}

/** One query, from its start on. */
export interface QueryExecution {
  readonly id: string
  readonly request: QueryRequest
  readonly submittedEpochMs: number
  readonly abort: AbortController
  state: QueryState
  reason: string | undefined
  runningEpochMs: number | undefined
  completedEpochMs: number | undefined
  scannedBytes: number
  isReused: boolean
  result: QueryRows | undefined
}

/** Whether nothing more happens to it. */
export function isOver({ state }: QueryExecution): boolean {
  return state !== 'QUEUED' && state !== 'RUNNING'
}

/** What GetQueryExecution says. */
export function describeExecution(execution: QueryExecution): object {
  const { id, request, state, reason, isReused } = execution
  const { sql, parameters, database, workGroup, outputLocation, reuseMinutes } = request
  const { submittedEpochMs, runningEpochMs, completedEpochMs, scannedBytes } = execution
  const endEpochMs = completedEpochMs ?? Date.now()
  const startEpochMs = runningEpochMs ?? endEpochMs
  return {
    QueryExecutionId: id,
    Query: sql,
    StatementType: 'DML',
    ResultConfiguration: { OutputLocation: `${outputLocation}${id}.csv` },
    ResultReuseConfiguration: {
      ResultReuseByAgeConfiguration:
        reuseMinutes === undefined ? { Enabled: false } : { Enabled: true, MaxAgeInMinutes: reuseMinutes },
    },
    QueryExecutionContext: { Database: database, Catalog: 'awsdatacatalog' },
    Status: {
      State: state,
      ...(reason === undefined ? {} : { StateChangeReason: reason }),
      SubmissionDateTime: submittedEpochMs / 1000,
      ...(completedEpochMs === undefined ? {} : { CompletionDateTime: completedEpochMs / 1000 }),
      // Category 2: the user has to change something.
      ...(state === 'FAILED' && reason !== undefined
        ? { AthenaError: { ErrorCategory: 2, ErrorType: 1006, Retryable: false, ErrorMessage: reason } }
        : {}),
    },
    Statistics: {
      EngineExecutionTimeInMillis: endEpochMs - startEpochMs,
      DataScannedInBytes: scannedBytes,
      TotalExecutionTimeInMillis: endEpochMs - submittedEpochMs,
      QueryQueueTimeInMillis: startEpochMs - submittedEpochMs,
      ServiceProcessingTimeInMillis: 0,
      ResultReuseInformation: { ReusedPreviousResult: isReused },
    },
    WorkGroup: workGroup,
    EngineVersion: { SelectedEngineVersion: 'AUTO', EffectiveEngineVersion: 'Athena engine version 3' },
    ...(parameters.length === 0 ? {} : { ExecutionParameters: parameters }),
    SubstatementType: 'SELECT',
  }
}
