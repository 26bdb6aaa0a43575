import type { Aws } from '#dataplane/aws/aws.ts'
import type { StreamSource } from '#dataplane/sources/source.ts'
import { consume } from './consumer.ts'
import type { From } from './shards.ts'

export interface KinesisSourceOptions {
  /** Name of the stream. */
  readonly stream: string
  /** DynamoDB table of the leases; its key is the text `id`. Consumers of one index share it, and nobody else. */
  readonly leases: string
  /** Field of an event that names its document. */
  readonly id: string
  /** Field that holds the document; without it the whole event is the document. */
  readonly text: string
  /** Where a shard that nobody has read is begun. */
  readonly from: From
  /** A lease without a sign of life for so long is taken over. Default 10,000. */
  readonly leaseMs?: number
  /** Between two reads of a shard in which nothing is new. Default 1,000. */
  readonly pollMs?: number
  /** Told of events that are left out, without what they hold, and of outages that are waited out. */
  readonly onFault: (error: unknown) => void
  /** Epoch milliseconds. Default `Date.now`. */
  readonly now?: () => number
}

/** Long enough for a pause of the machine, short enough for an index that should be seconds old. */
const LEASE_MS = 10_000
/** Other consumers of the stream use the five reads a second of a shard as well. */
const POLL_MS = 1000

/**
 * The events of a Kinesis stream: JSON objects, each one document, or `{"id": …, "deleted": true}`. A document's events
 * keep their order when they have the same partition key.
 */
export function kinesisSource(aws: Aws, options: KinesisSourceOptions): StreamSource {
  const { stream, leases, id, text, from, onFault } = options
  const { leaseMs = LEASE_MS, pollMs = POLL_MS, now = Date.now } = options
  const consumer = { stream, leases, fields: { id, text }, from, leaseMs, pollMs, onFault, now }
  return {
    name: `kinesis ${stream}`,
    watch: async (take, signal) => await consume(aws, consumer, take, signal),
  }
}
