import { randomUUID } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { awsErrorName, awsStatus } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { LockedError } from '#dataplane/ingest/lock-file.ts'
import type { Manifest } from '#dataplane/ingest/manifest.ts'

/** Where the manifest of a collection lies beside an index that several agents share. */
export interface SharedHome {
  /** Takes over the manifest that another agent wrote, where it is newer. @throws when it can not be read. */
  pull(manifest: Manifest): Promise<void>
  /**
   * Runs `work` while this agent alone writes: on the newest manifest, which lies beside the index again when the work
   * is done, whether it succeeded or not.
   *
   * @throws {LockedError} when another agent is at it.
   */
  alone<Result>(manifest: Manifest, work: () => Promise<Result>): Promise<Result>
}

export interface S3HomeOptions {
  readonly bucket: string
  /** Beginning of the keys of the collection, with a slash at its end. */
  readonly prefix: string
  /** A file on this machine for copies on their way. */
  readonly scratch: string
  readonly now: () => number
}

/** A holder that is silent for so long is dead. */
const LEASE_MS = 60_000
const BEAT_MS = 15_000

const Lease = z.object({ owner: z.string(), untilEpochMs: z.number() })
/** The ETag of the manifest that this one was last the same as. */
const FACT = 'shared'

/** The home of a collection in S3: its manifest, and a lease that one writer holds (conditional writes). */
export function s3Home(aws: Aws, options: S3HomeOptions): SharedHome {
  return new S3Home(aws, options)
}

class S3Home implements SharedHome {
  readonly #aws: Aws
  readonly #options: S3HomeOptions
  readonly #owner = randomUUID()

  constructor(aws: Aws, options: S3HomeOptions) {
    this.#aws = aws
    this.#options = options
  }

  async pull(manifest: Manifest): Promise<void> {
    const { GetObjectCommand } = await loadS3()
    const client = await this.#aws.s3()
    const known = manifest.fact(FACT)
    try {
      const answer = await client.send(
        new GetObjectCommand({
          ...this.#place('manifest.sqlite'),
          ...(known === undefined ? {} : { IfNoneMatch: known }),
        }),
      )
      if (answer.Body === undefined) return
      const { scratch } = this.#options
      try {
        await writeFile(scratch, await answer.Body.transformToByteArray())
        manifest.takeFrom(scratch)
      } finally {
        await rm(scratch, { force: true })
      }
      manifest.setFact(FACT, answer.ETag ?? '')
    } catch (error) {
      // Nobody has written one yet, or it is the one that is here.
      if (awsStatus(error) === 404 || awsStatus(error) === 304) return
      throw this.#unavailable('the manifest can not be read', error)
    }
  }

  async alone<Result>(manifest: Manifest, work: () => Promise<Result>): Promise<Result> {
    let etag = await this.#acquire()
    let lost: unknown
    const beat = setInterval(() => {
      this.#writeLease({ IfMatch: etag }).then(
        (renewed) => (etag = renewed),
        // Another agent may have taken it; a call that only failed is made again with the next beat.
        (error: unknown) => (lost = awsStatus(error) === 412 ? error : lost),
      )
    }, BEAT_MS).unref()
    try {
      await this.pull(manifest)
      const [outcome] = await Promise.allSettled([work()])
      // What is in the index twice is the same twice; a manifest that two wrote would be half of each.
      if (lost !== undefined) throw new LockedError('another agent took the lease while this one was at work')
      await this.#push(manifest)
      if (outcome.status === 'fulfilled') return outcome.value
      throw outcome.reason instanceof Error ? outcome.reason : new Error('the work failed', { cause: outcome.reason })
    } finally {
      clearInterval(beat)
      await this.#release(etag)
    }
  }

  async #push(manifest: Manifest): Promise<void> {
    const { PutObjectCommand } = await loadS3()
    const client = await this.#aws.s3()
    const { scratch } = this.#options
    try {
      await rm(scratch, { force: true })
      manifest.copyTo(scratch)
      const { ETag: etag = '' } = await client.send(
        new PutObjectCommand({ ...this.#place('manifest.sqlite'), Body: await readFile(scratch) }),
      )
      manifest.setFact(FACT, etag)
    } catch (error) {
      throw this.#unavailable('the manifest can not be written', error)
    } finally {
      await rm(scratch, { force: true })
    }
  }

  /** @returns the ETag of the lease. */
  async #acquire(): Promise<string> {
    try {
      return await this.#writeLease({ IfNoneMatch: '*' })
    } catch (error) {
      if (awsStatus(error) !== 412 && awsStatus(error) !== 409)
        throw this.#unavailable('the lease can not be had', error)
    }
    const { GetObjectCommand } = await loadS3()
    const client = await this.#aws.s3()
    try {
      const held = await client.send(new GetObjectCommand(this.#place('ingest.lease')))
      const lease = Lease.parse(JSON.parse((await held.Body?.transformToString()) ?? ''))
      if (lease.untilEpochMs > this.#options.now())
        throw new LockedError(`another agent ingests ${this.#options.prefix}`)
      return await this.#writeLease({ IfMatch: held.ETag ?? '' })
    } catch (error) {
      if (error instanceof LockedError) throw error
      // Given back, or taken, at this very moment.
      if ([404, 409, 412].includes(awsStatus(error) ?? 0)) throw new LockedError('another agent took the lease')
      throw this.#unavailable('the lease can not be had', error)
    }
  }

  async #writeLease(condition: { IfNoneMatch: string } | { IfMatch: string }): Promise<string> {
    const { PutObjectCommand } = await loadS3()
    const client = await this.#aws.s3()
    const lease: z.infer<typeof Lease> = { owner: this.#owner, untilEpochMs: this.#options.now() + LEASE_MS }
    const answer = await client.send(
      new PutObjectCommand({ ...this.#place('ingest.lease'), Body: JSON.stringify(lease), ...condition }),
    )
    return answer.ETag ?? ''
  }

  /** Whoever took it over in the meantime keeps it. */
  async #release(etag: string): Promise<void> {
    const { DeleteObjectCommand } = await loadS3()
    const client = await this.#aws.s3()
    await client.send(new DeleteObjectCommand({ ...this.#place('ingest.lease'), IfMatch: etag })).catch(() => undefined)
  }

  #place(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#options.bucket, Key: this.#options.prefix + name }
  }

  #unavailable(what: string, error: unknown): Error {
    const { bucket, prefix } = this.#options
    return new Error(`s3://${bucket}/${prefix}: ${what} (${awsErrorName(error)})`, { cause: error })
  }
}

async function loadS3() {
  return await loadPackage('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'))
}
