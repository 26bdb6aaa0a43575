import { randomBytes } from 'node:crypto'
import type { Bucket, BucketEvent } from './bucket.ts'
import { urlEncoded } from './list.ts'

/** Which events of a bucket go out. */
export interface NotificationFilter {
  /** Default both. */
  readonly events?: readonly ('s3:ObjectCreated:*' | 's3:ObjectRemoved:*')[]
  /** Beginning of the key. Default any. */
  readonly prefix?: string
  /** End of the key. Default any. */
  readonly suffix?: string
}

/** What S3 does not promise, switched on and off at any time. Both false at first. */
export interface NotificationSwitches {
  /** Every event arrives twice. */
  repeated: boolean
  /** Of two events in a row, the later one arrives first. One that nothing follows comes a tenth of a second late. */
  outOfOrder: boolean
}

const HOLD_MS = 100

/**
 * Sends a test event, and from now on every event of the bucket that passes the filter, in the JSON of the Amazon S3
 * User Guide, "Event message structure", version 2.1.
 */
export function notify(
  bucket: Bucket,
  region: string,
  send: (body: string) => void,
  { events = ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'], prefix = '', suffix = '' }: NotificationFilter = {},
): NotificationSwitches {
  const switches: NotificationSwitches = { repeated: false, outOfOrder: false }
  const deliver = delivery(send, switches)
  send(testEvent(bucket.name))
  bucket.onEvent((event) => {
    const { key } = event
    const isWanted = events.some((name) => `s3:${event.name}`.startsWith(name.slice(0, -1)))
    if (isWanted && key.startsWith(prefix) && key.endsWith(suffix))
      deliver(JSON.stringify({ Records: [record(event, region)] }))
  })
  return switches
}

function delivery(send: (body: string) => void, switches: NotificationSwitches): (body: string) => void {
  let held: { readonly body: string; readonly timer: NodeJS.Timeout } | undefined
  const out = (body: string): void => {
    send(body)
    if (switches.repeated) send(body)
  }
  return (body) => {
    const before = held
    held = undefined
    if (before === undefined && switches.outOfOrder) {
      const timer = setTimeout(() => {
        held = undefined
        out(body)
      }, HOLD_MS)
      held = { body, timer: timer.unref() }
      return
    }
    out(body)
    if (before === undefined) return
    clearTimeout(before.timer)
    out(before.body)
  }
}

function testEvent(bucket: string): string {
  return JSON.stringify({
    Service: 'Amazon S3',
    Event: 's3:TestEvent',
    Time: new Date().toISOString(),
    Bucket: bucket,
    RequestId: requestId(),
    HostId: randomBytes(32).toString('base64'),
  })
}

function record(event: BucketEvent, region: string): unknown {
  const { name, bucket, key, size, etag: eTag, versionId, sequencer, atEpochMs } = event
  return {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    awsRegion: region,
    eventTime: new Date(atEpochMs).toISOString(),
    eventName: name,
    userIdentity: { principalId: 'AWS:SIMULATED' },
    requestParameters: { sourceIPAddress: '127.0.0.1' },
    responseElements: { 'x-amz-request-id': requestId(), 'x-amz-id-2': randomBytes(32).toString('base64') },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: 'simulated',
      bucket: { name: bucket, ownerIdentity: { principalId: 'SIMULATED' }, arn: `arn:aws:s3:::${bucket}` },
      object: { key: urlEncoded(key), size, eTag, versionId, sequencer },
    },
  }
}

function requestId(): string {
  return randomBytes(8).toString('hex').toUpperCase()
}
