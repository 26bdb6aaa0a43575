import { randomBytes } from 'node:crypto'
import { Bucket, type BucketOptions, type StoredObject } from './bucket.ts'
import type { Upload } from './multipart.ts'
import { S3Problem } from './problem.ts'

const BUCKET_NAME = /^(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

/** An object whose bytes are made when they are read. */
export interface GeneratedObject {
  readonly sizeBytes: number
  /** The bytes from `start` up to, but not including, `end`. */
  readonly read: (start: number, end: number) => Uint8Array | Promise<Uint8Array>
  /** Default `application/octet-stream`. */
  readonly contentType?: string
}

/** All buckets of the account, in memory. */
export class S3Store {
  readonly #buckets = new Map<string, Bucket>()
  /** Multipart uploads that are neither completed nor aborted, by id. */
  readonly uploads = new Map<string, Upload>()

  /** In the order of their names. */
  buckets(): readonly Bucket[] {
    return [...this.#buckets.values()].toSorted((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** @throws {S3Problem} InvalidBucketName, or BucketAlreadyOwnedByYou. */
  createBucket(name: string, options: BucketOptions = {}): Bucket {
    if (!BUCKET_NAME.test(name)) throw new S3Problem('InvalidBucketName', 'The specified bucket is not valid.')
    if (this.#buckets.has(name))
      throw new S3Problem(
        'BucketAlreadyOwnedByYou',
        'Your previous request to create the named bucket succeeded and you already own it.',
      )
    const bucket = new Bucket(name, options)
    this.#buckets.set(name, bucket)
    return bucket
  }

  /** @throws {S3Problem} NoSuchBucket. */
  bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name)
    if (bucket === undefined)
      throw new S3Problem('NoSuchBucket', 'The specified bucket does not exist', { elements: { BucketName: name } })
    return bucket
  }

  /** @throws {S3Problem} NoSuchBucket, or BucketNotEmpty. */
  deleteBucket(name: string): void {
    if (!this.bucket(name).isEmpty) throw new S3Problem('BucketNotEmpty', 'The bucket you tried to delete is not empty')
    this.#buckets.delete(name)
  }

  /** Puts an object that no memory holds: its bytes are asked for when they are read. */
  putGenerated(bucket: string, key: string, { sizeBytes, read, contentType }: GeneratedObject): StoredObject {
    return this.bucket(bucket).put(key, {
      content: { size: sizeBytes, read, isGenerated: true },
      etag: opaqueEtag(),
      headers: { 'content-type': contentType ?? 'application/octet-stream' },
      checksum: undefined,
      lock: undefined,
    })
  }
}

/** An entity tag that is not the MD5 of anything, as with encryption by KMS. */
export function opaqueEtag(): string {
  return `"${randomBytes(16).toString('hex')}"`
}
