import { hash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Credential, Cross, CrossRequest, Trip } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import { outcomeOf } from './outcome.ts'
import type { Sink } from './shipper.ts'

export interface ObjectLockOptions {
  /** Endpoint with the bucket: `https://BUCKET.s3.REGION.amazonaws.com`, or a path-style one with `/BUCKET`. */
  readonly endpoint: string
  /** Beginning of every key, without a slash at the end; empty for none. */
  readonly prefix: string
  /** Name of the log, part of every key. */
  readonly origin: string
  readonly retentionDays: number
  readonly place: Place
  readonly credential: Credential
  readonly nowEpochMs: () => number
  /** The signed checkpoint that covers what was sent, or undefined when none does yet. */
  readonly checkpoint: () => Promise<string | undefined>
}

const DAY_MS = 86_400_000
const MAX_BATCH_BYTES = 4_000_000
const INDEX_DIGITS = 12
const compressed = promisify(gzip)

/**
 * S3 with Object Lock in compliance mode: until its time is over nobody can change or delete what is there, the
 * account's owner included. A batch is one object of JSON lines, named by its first and last entry; the signed
 * checkpoint follows as an object of its own. A batch that comes again is there already, which is as good.
 */
export function objectLock(options: ObjectLockOptions, cross: Cross, trip: () => Trip): Sink {
  const base = [options.endpoint, options.prefix, keyPart(options.origin)].filter((part) => part !== '').join('/')
  const put = (key: string, headers: Record<string, string>, body: Uint8Array): CrossRequest => ({
    layer: 'archive',
    to: options.place,
    method: 'PUT',
    url: `${base}/${key}`,
    headers: {
      ...headers,
      'content-encoding': 'gzip',
      'if-none-match': '*',
      'x-amz-checksum-sha256': hash('sha256', body, 'base64'),
      'x-amz-object-lock-mode': 'COMPLIANCE',
      'x-amz-object-lock-retain-until-date': new Date(
        options.nowEpochMs() + options.retentionDays * DAY_MS,
      ).toISOString(),
    },
    bytes: body,
    credential: options.credential,
    connectMs: 5000,
    firstByteMs: 30_000,
    idleMs: 10_000,
    totalMs: 60_000,
    maxAnswerBytes: 65_536,
  })
  // 412: an object of this name is there already, and it can not have changed.
  const send = (request: CrossRequest) => outcomeOf(() => cross(trip(), request), new Set([200, 412]))
  let checkpointSent = ''
  return {
    name: 's3-object-lock',
    maxBatchBytes: MAX_BATCH_BYTES,
    send: async (batch) => {
      const first = padded(batch[0]?.index ?? 0)
      const last = padded(batch.at(-1)?.index ?? 0)
      const lines = await compressed(batch.map(({ json }) => `${json}\n`).join(''))
      const sent = await send(put(`entries/${first}-${last}.ndjson`, { 'content-type': 'application/x-ndjson' }, lines))
      if (sent.outcome !== 'done') return sent
      const checkpoint = await options.checkpoint()
      if (checkpoint === undefined || checkpoint === checkpointSent) return sent
      const size = padded(Number(checkpoint.split('\n')[1]))
      const name = `checkpoints/${size}-${hash('sha256', checkpoint, 'hex').slice(0, 16)}`
      const noted = await send(put(name, { 'content-type': 'text/plain' }, await compressed(checkpoint)))
      if (noted.outcome === 'done') checkpointSent = checkpoint
      return noted
    },
  }
}

function padded(index: number): string {
  return String(index).padStart(INDEX_DIGITS, '0')
}

/** Characters that need no escape in a key. */
function keyPart(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._/-]/g, '-')
}
