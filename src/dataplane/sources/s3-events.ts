import { z } from 'zod'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import type { SourceChange } from './source.ts'

export interface BucketEvents {
  readonly aws: Aws
  /** URL of the queue. */
  readonly queue: string
  readonly bucket: string
  readonly prefix: string
  /** Told of messages that nobody understands; they stay in the queue, for its dead-letter queue. */
  readonly onFault: (error: unknown) => void
}

/** Messages of one call, and of one batch: the index is written once for a batch. */
const MESSAGES_AT_ONCE = 10
const BATCH_MESSAGES = 100
/** The queue answers at once when it has something. */
const LONG_POLL_S = 20
/** A message that is being worked on is hidden for so long, and again while it still is. */
const HIDDEN_S = 120
const HIDE_AGAIN_MS = 40_000

interface Message {
  readonly receipt: string
  readonly changes: readonly SourceChange[]
}

/**
 * Follows the events of a bucket in its queue until the signal fires. Messages are deleted when the index has what they
 * tell; they may come twice and in any order, since they only say where to look.
 *
 * @throws when the queue can not be read, or `take` throws.
 */
export async function followBucketEvents(
  events: BucketEvents,
  take: (changes: readonly SourceChange[]) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const messages = await receiveBatch(events, signal)
    if (messages.length === 0) continue
    const keepHidden = setInterval(() => void hideAgain(events, messages), HIDE_AGAIN_MS).unref()
    try {
      const changes = messages.flatMap((message) => message.changes)
      if (changes.length > 0) await take(changes)
    } finally {
      clearInterval(keepHidden)
    }
    await deleteAll(events, messages)
  }
}

/** Waits for the first messages, then takes what else is there. */
async function receiveBatch(events: BucketEvents, signal: AbortSignal): Promise<Message[]> {
  const { ReceiveMessageCommand } = await loadPackage('@aws-sdk/client-sqs', () => import('@aws-sdk/client-sqs'))
  const client = await events.aws.sqs()
  const batch: Message[] = []
  while (batch.length < BATCH_MESSAGES) {
    const { Messages: received = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: events.queue,
        MaxNumberOfMessages: MESSAGES_AT_ONCE,
        WaitTimeSeconds: batch.length === 0 ? LONG_POLL_S : 0,
        VisibilityTimeout: HIDDEN_S,
      }),
      { abortSignal: signal },
    )
    for (const { Body: body = '', ReceiptHandle: receipt = '' } of received) {
      const changes = changesIn(body, events)
      if (changes === undefined) events.onFault(new Error('a message in the queue is no event of S3, it stays there'))
      else batch.push({ receipt, changes })
    }
    if (received.length < MESSAGES_AT_ONCE) return batch
  }
  return batch
}

const S3Event = z.object({
  Records: z.array(
    z.object({
      eventName: z.string(),
      s3: z.object({ bucket: z.object({ name: z.string() }), object: z.object({ key: z.string() }) }),
    }),
  ),
})
const TestEvent = z.object({ Event: z.literal('s3:TestEvent') })
/** What SNS makes of an event on its way to a queue. */
const Wrapped = z.object({ Type: z.literal('Notification'), Message: z.string() })
/** What EventBridge sends. */
const BridgeEvent = z.object({
  source: z.literal('aws.s3'),
  detail: z.object({ bucket: z.object({ name: z.string() }), object: z.object({ key: z.string() }) }),
})

/** What a message says has changed below the prefix; undefined when it is no event of S3. */
export function changesIn(
  body: string,
  { bucket, prefix }: Pick<BucketEvents, 'bucket' | 'prefix'>,
): SourceChange[] | undefined {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return undefined
  }
  const wrapped = Wrapped.safeParse(json)
  if (wrapped.success) return changesIn(wrapped.data.Message, { bucket, prefix })
  if (TestEvent.safeParse(json).success) return []
  const bridged = BridgeEvent.safeParse(json)
  if (bridged.success) {
    const { detail } = bridged.data
    // EventBridge gives keys as they are.
    return changesOf([{ bucket: detail.bucket.name, key: detail.object.key }], { bucket, prefix })
  }
  const event = S3Event.safeParse(json)
  if (!event.success) return undefined
  const objects = event.data.Records.map(({ s3 }) => ({ bucket: s3.bucket.name, key: decodeKey(s3.object.key) }))
  return changesOf(objects, { bucket, prefix })
}

function changesOf(
  objects: readonly { readonly bucket: string; readonly key: string | undefined }[],
  { bucket, prefix }: Pick<BucketEvents, 'bucket' | 'prefix'>,
): SourceChange[] {
  return objects.flatMap(({ bucket: own, key }) => {
    const isOurs = own === bucket && key?.startsWith(prefix) === true && !key.endsWith('/') && key !== prefix
    return isOurs ? [{ kind: 'changed' as const, document: key.slice(prefix.length) }] : []
  })
}

/** Keys in events are encoded like forms: a plus is a blank. */
function decodeKey(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

async function deleteAll({ aws, queue, onFault }: BucketEvents, messages: readonly Message[]): Promise<void> {
  const { DeleteMessageBatchCommand } = await loadPackage('@aws-sdk/client-sqs', () => import('@aws-sdk/client-sqs'))
  const client = await aws.sqs()
  for (let at = 0; at < messages.length; at += MESSAGES_AT_ONCE) {
    const entries = messages
      .slice(at, at + MESSAGES_AT_ONCE)
      .map(({ receipt }, id) => ({ Id: String(id), ReceiptHandle: receipt }))
    const { Failed: failed = [] } = await client.send(
      new DeleteMessageBatchCommand({ QueueUrl: queue, Entries: entries }),
    )
    // They come again, and change nothing then.
    if (failed.length > 0) onFault(new Error(`${failed.length} messages could not be deleted (${failed[0]?.Code})`))
  }
}

async function hideAgain({ aws, queue, onFault }: BucketEvents, messages: readonly Message[]): Promise<void> {
  const { ChangeMessageVisibilityBatchCommand } = await loadPackage(
    '@aws-sdk/client-sqs',
    () => import('@aws-sdk/client-sqs'),
  )
  try {
    const client = await aws.sqs()
    for (let at = 0; at < messages.length; at += MESSAGES_AT_ONCE) {
      const entries = messages
        .slice(at, at + MESSAGES_AT_ONCE)
        .map(({ receipt }, id) => ({ Id: String(id), ReceiptHandle: receipt, VisibilityTimeout: HIDDEN_S }))
      await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queue, Entries: entries }))
    }
  } catch (error) {
    // They may come again while they are worked on, which changes nothing.
    onFault(new Error(`messages could not be kept hidden (${awsErrorName(error)})`, { cause: error }))
  }
}
