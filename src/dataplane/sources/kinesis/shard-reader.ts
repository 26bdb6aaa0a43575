import { setTimeout as wait } from 'node:timers/promises'
import type { GetRecordsCommandOutput, GetShardIteratorInput, _Record as KinesisRecord } from '@aws-sdk/client-kinesis'
import { awsErrorName, awsStatus } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import type { SourceChange } from '#dataplane/sources/source.ts'
import { changeOf } from './event.ts'
import type { BadEvent, EventFields } from './event.ts'

/** How one shard is read. */
export interface ShardReading {
  readonly aws: Aws
  readonly stream: string
  readonly shard: string
  readonly fields: EventFields
  /** Where it is begun. */
  readonly start: ShardStart
  /** Resolves when the changes are in the index. */
  readonly take: (changes: readonly SourceChange[]) => Promise<void>
  /** Everything up to this sequence number is done; false when the shard is somebody else's by now. */
  readonly checkpoint: (sequence: string) => Promise<boolean>
  /** Whether the shard is still this reader's, as far as that is known here. */
  readonly isHeld: () => boolean
  /** Told of events that are left out, and of outages. */
  readonly onFault: (error: unknown) => void
  /** Between two reads of a shard in which nothing is new. */
  readonly pollMs: number
}

/** After a checkpoint, from a time on, or, with neither, at the oldest record. */
export interface ShardStart {
  readonly checkpoint: string | undefined
  readonly sinceEpochMs: number | undefined
}

/** As many records as a shard takes in a second; with more, the checkpoint would move too seldom. */
const RECORDS_AT_ONCE = 1000
/** A shard answers five GetRecords a second to all its readers (Kinesis API reference, GetRecords). */
const BEHIND_MS = 250
/** After throttling and outages: the first pause and the longest. */
const RETRY_MS = [500, 5000] as const
/** Kinesis that fails so often in a row is reported; the next attempt begins at the checkpoint. */
const MAX_FAILURES = 12
const THROTTLED: readonly string[] = [
  'ProvisionedThroughputExceededException',
  'LimitExceededException',
  'KMSThrottlingException',
  'ThrottlingException',
]

/**
 * Reads a shard until its end, until it is somebody else's, or until the signal fires.
 *
 * @returns `ended` when the shard is closed and every record of it is done, `lost` when it is somebody else's.
 * @throws what `take` throws, and when Kinesis can not be read.
 */
export async function readShard(reading: ShardReading, signal: AbortSignal): Promise<'ended' | 'lost'> {
  let { start } = reading
  let iterator: string | undefined
  let failures = 0
  for (;;) {
    const askedAtMs = performance.now()
    let answer: GetRecordsCommandOutput
    try {
      iterator ??= await iteratorAt(reading, start, signal)
      answer = await getRecords(reading, iterator, signal)
      failures = 0
    } catch (error) {
      signal.throwIfAborted()
      failures += 1
      if (awsErrorName(error) === 'ExpiredIteratorException' && failures < MAX_FAILURES) iterator = undefined
      else await waitOut(reading, error, failures, signal)
      continue
    }
    const records = answer.Records ?? []
    const last = records.at(-1)?.SequenceNumber
    if (last !== undefined) {
      if (!reading.isHeld()) return 'lost'
      await hand(reading, records)
      signal.throwIfAborted()
      if (!(await reading.checkpoint(last))) return 'lost'
      start = { checkpoint: last, sinceEpochMs: undefined }
    }
    iterator = answer.NextShardIterator
    if (iterator === undefined) return 'ended'
    const pauseMs = (answer.MillisBehindLatest ?? 0) > 0 ? Math.min(BEHIND_MS, reading.pollMs) : reading.pollMs
    await wait(Math.max(0, askedAtMs + pauseMs - performance.now()), undefined, { signal })
  }
}

async function iteratorAt({ aws, stream, shard }: ShardReading, start: ShardStart, signal: AbortSignal) {
  const { GetShardIteratorCommand } = await loadKinesis()
  const client = await aws.kinesis()
  const { ShardIterator: iterator } = await client.send(
    new GetShardIteratorCommand({ StreamName: stream, ShardId: shard, ...placeOf(start) }),
    { abortSignal: signal },
  )
  if (iterator === undefined) throw new Error(`Kinesis gave no iterator for the shard \`${shard}\``)
  return iterator
}

function placeOf({ checkpoint, sinceEpochMs }: ShardStart): Pick<
  GetShardIteratorInput,
  'ShardIteratorType' | 'StartingSequenceNumber' | 'Timestamp'
> & {
  ShardIteratorType: NonNullable<GetShardIteratorInput['ShardIteratorType']>
} {
  if (checkpoint !== undefined) {
    return { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: checkpoint }
  }
  if (sinceEpochMs !== undefined) return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(sinceEpochMs) }
  return { ShardIteratorType: 'TRIM_HORIZON' }
}

async function getRecords({ aws }: ShardReading, iterator: string, signal: AbortSignal) {
  const { GetRecordsCommand } = await loadKinesis()
  const client = await aws.kinesis()
  return await client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: RECORDS_AT_ONCE }), {
    abortSignal: signal,
  })
}

/** Throttling and outages pass; what Kinesis refuses does not. */
async function waitOut(
  { stream, shard, onFault }: ShardReading,
  error: unknown,
  failures: number,
  signal: AbortSignal,
): Promise<void> {
  const name = awsErrorName(error)
  const status = awsStatus(error)
  const passes = THROTTLED.includes(name) || status === undefined || status >= 500
  const fault = new Error(`the shard \`${shard}\` of the stream \`${stream}\` can not be read (${name})`, {
    cause: error,
  })
  if (!passes || failures >= MAX_FAILURES) throw fault
  // Told once: the next pauses are of the same cause.
  if (failures === 1) onFault(fault)
  const pauseMs = Math.min(RETRY_MS[1], RETRY_MS[0] * 2 ** (failures - 1))
  // Readers that were throttled together must not come back together.
  await wait(pauseMs * (0.5 + Math.random() / 2), undefined, { signal })
}

/** Gives on what the records say; the bad ones are counted and left out. */
async function hand({ shard, fields, take, onFault }: ShardReading, records: readonly KinesisRecord[]): Promise<void> {
  const changes: SourceChange[] = []
  const bad = new Map<BadEvent, number>()
  for (const { Data: data, SequenceNumber: sequence, ApproximateArrivalTimestamp: arrived } of records) {
    const record = { data: data ?? new Uint8Array(), sequence: sequence ?? '', arrivedEpochMs: arrived?.getTime() ?? 0 }
    const change = changeOf(record, fields)
    if (typeof change === 'string') bad.set(change, (bad.get(change) ?? 0) + 1)
    else changes.push(change)
  }
  if (bad.size > 0) {
    const reasons = Array.from(bad, ([reason, count]) => `${count} ${reason}`).join(', ')
    onFault(new Error(`events of the shard \`${shard}\` were left out: ${reasons}`))
  }
  if (changes.length > 0) await take(changes)
}

async function loadKinesis() {
  return await loadPackage('@aws-sdk/client-kinesis', () => import('@aws-sdk/client-kinesis'))
}
