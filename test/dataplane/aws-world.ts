/** What the tests of the data plane share that run against the simulated AWS. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { openAws } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { s3Source } from '#dataplane/sources/s3.ts'
import type { S3SourceOptions } from '#dataplane/sources/s3.ts'
import type { ObjectSource } from '#dataplane/sources/source.ts'
import { startAws } from '#simclouds/start-aws.ts'
import type { RunningAws, StartAwsOptions } from '#simclouds/start-aws.ts'

export const BUCKET = 'lake'

export interface AwsWorld {
  readonly sim: RunningAws
  readonly aws: Aws
  readonly folder: string
  readonly put: (key: string, text: string | Uint8Array) => void
  readonly remove: (key: string) => void
  source(changes?: Partial<S3SourceOptions>): ObjectSource
  /** What the sources told of. */
  readonly faults: unknown[]
}

/** A simulated AWS with a bucket, a client of it and a folder; all gone when the test ends. */
export async function awsWorld(t: TestContext, options: StartAwsOptions = {}): Promise<AwsWorld> {
  const sim = await startAws(options)
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-aws-'))
  const { accessKeyId, secretAccessKey, region, urls } = sim
  const aws = openAws({ region, keys: { accessKeyId, secretAccessKey }, endpoints: urls })
  t.after(async () => {
    aws.close()
    await sim.close()
    await rm(folder, { recursive: true, force: true })
  })
  const bucket = sim.s3.createBucket(BUCKET)
  const faults: unknown[] = []
  return {
    sim,
    aws,
    folder,
    faults,
    put(key, text) {
      const bytes = Buffer.from(text)
      const content = {
        size: bytes.length,
        read: (start: number, end: number) => bytes.subarray(start, end),
        isGenerated: false,
      }
      const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
      bucket.put(key, { content, etag, headers: {}, checksum: undefined, lock: undefined })
    },
    remove: (key) => void bucket.markDeleted(key),
    source: (changes = {}) =>
      s3Source(aws, {
        bucket: BUCKET,
        prefix: 'docs/',
        maxBytes: 4 * 1024 ** 3,
        spool: join(folder, 'spool'),
        onFault: (error) => faults.push(error),
        ...changes,
      }),
  }
}

/** Waits until `holds` does. @throws when it does not within `ms`. */
export async function eventually(holds: () => Promise<boolean> | boolean, ms = 10_000): Promise<void> {
  const endsAt = performance.now() + ms
  while (performance.now() < endsAt) {
    if (await holds()) return
    await wait(50)
  }
  throw new Error(`it did not come within ${ms} ms`)
}
