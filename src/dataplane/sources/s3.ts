import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { awsErrorName, awsStatus } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { runGlueJob } from './glue-job.ts'
import type { GlueJob } from './glue-job.ts'
import { followBucketEvents } from './s3-events.ts'
import { SourceError } from './source.ts'
import type { ObjectSource, OpenedObject, SourceObject } from './source.ts'

export interface S3SourceOptions {
  readonly bucket: string
  /** Beginning of the keys; the documents are named by the rest. */
  readonly prefix: string
  /** URL of the SQS queue with the bucket's events. Absent: the source only lists. */
  readonly queue?: string | undefined
  /** Runs before each listing. */
  readonly job?: GlueJob | undefined
  /** Larger objects are not read. */
  readonly maxBytes: number
  /** Folder of this collection alone for objects too large for memory while they are read; each listing empties it. */
  readonly spool: string
  /** Told of events that nobody understands. */
  readonly onFault: (error: unknown) => void
}

/** Objects up to this size are read into memory, larger ones into a file. */
const IN_MEMORY_BYTES = 8 * 1024 * 1024
/** A connection that breaks in the middle of an object is taken up again so often. */
const RESUMES = 5

/** The objects of an S3 bucket below a prefix. ETag and size are their version. */
export function s3Source(aws: Aws, options: S3SourceOptions): ObjectSource {
  const { bucket, prefix, queue } = options
  return {
    name: `s3://${bucket}/${prefix}`,
    list: (signal) => list(aws, options, signal),
    open: async (object, signal) => await openObject(aws, options, object, signal),
    find: async (document, signal) => await find(aws, options, document, signal),
    ...(queue === undefined
      ? {}
      : {
          watch: async (take, signal) => await followBucketEvents({ aws, ...options, queue }, take, signal),
        }),
  }
}

async function* list(aws: Aws, options: S3SourceOptions, signal: AbortSignal): AsyncGenerator<SourceObject> {
  const { bucket, prefix, job, spool } = options
  // Who lists is alone with the collection: what lies there was left by a process that was killed.
  await rm(spool, { recursive: true, force: true })
  if (job !== undefined) await runGlueJob(aws, job, signal)
  const { ListObjectsV2Command } = await loadPackage('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'))
  const client = await aws.s3()
  for (let token: string | undefined; ;) {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
      { abortSignal: signal },
    )
    for (const { Key: key = '', Size: bytes = 0, ETag: etag = '', LastModified: modified } of page.Contents ?? []) {
      // Consoles make empty objects to show folders.
      if (key.endsWith('/') || key === prefix) continue
      yield objectOf(key.slice(prefix.length), etag, bytes, modified)
    }
    token = page.NextContinuationToken
    if (page.IsTruncated !== true || token === undefined) return
  }
}

async function find(
  aws: Aws,
  { bucket, prefix }: S3SourceOptions,
  document: string,
  signal: AbortSignal,
): Promise<SourceObject | undefined> {
  const { HeadObjectCommand } = await loadPackage('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'))
  const client = await aws.s3()
  try {
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: prefix + document }), {
      abortSignal: signal,
    })
    return objectOf(document, head.ETag ?? '', head.ContentLength ?? 0, head.LastModified)
  } catch (error) {
    if (awsStatus(error) === 404) return undefined
    throw error
  }
}

function objectOf(document: string, etag: string, bytes: number, modified: Date | undefined): SourceObject {
  return { document, version: `${etag} ${bytes}`, bytes, modifiedEpochMs: modified?.getTime() ?? 0 }
}

/** Where the bytes of an object go while they arrive. */
interface Sink {
  write(piece: Uint8Array): Promise<void>
  finish(): Promise<OpenedObject['input']>
  discard(): Promise<void>
}

async function openObject(
  aws: Aws,
  options: S3SourceOptions,
  object: SourceObject,
  signal: AbortSignal,
): Promise<OpenedObject> {
  if (object.bytes > options.maxBytes) throw tooLarge(options)
  const hash = createHash('sha256')
  const sink =
    object.bytes <= IN_MEMORY_BYTES
      ? memorySink(object.document)
      : fileSink(object.document, join(options.spool, randomUUID()))
  try {
    const { etag, bytes } = await receive({ aws, options, object, signal }, async (piece) => {
      hash.update(piece)
      await sink.write(piece)
    })
    const input = await sink.finish()
    const { document, modifiedEpochMs } = object
    const { version } = objectOf(document, etag, bytes, new Date(modifiedEpochMs))
    return { input, version, digest: hash.digest('hex'), close: async () => await sink.discard() }
  } catch (error) {
    await sink.discard()
    signal.throwIfAborted()
    throw asSourceError(error, options)
  }
}

interface Reading {
  readonly aws: Aws
  readonly options: S3SourceOptions
  readonly object: SourceObject
  readonly signal: AbortSignal
}

/** Reads an object from its beginning to its end; a connection that breaks is taken up where it broke, of the same version. */
async function receive(
  { aws, options, object, signal }: Reading,
  write: (piece: Uint8Array) => Promise<void>,
): Promise<{ etag: string; bytes: number }> {
  const { GetObjectCommand } = await loadPackage('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'))
  const client = await aws.s3()
  const place = { Bucket: options.bucket, Key: options.prefix + object.document }
  let etag = ''
  let total = 0
  let at = 0
  for (let attempt = 0; ; attempt += 1) {
    const resume = at === 0 ? {} : { Range: `bytes=${at}-`, IfMatch: etag }
    const answer = await client.send(new GetObjectCommand({ ...place, ...resume }), { abortSignal: signal })
    if (at === 0) {
      etag = answer.ETag ?? ''
      total = answer.ContentLength ?? 0
      if (total > options.maxBytes) throw tooLarge(options)
    }
    try {
      if (!(answer.Body instanceof Readable)) throw new TypeError('S3 gave no stream')
      for await (const piece of answer.Body as AsyncIterable<Uint8Array>) {
        await write(piece)
        at += piece.length
      }
      if (at >= total) return { etag, bytes: total }
    } catch (error) {
      if (signal.aborted || attempt >= RESUMES || isFull(error)) throw error
    }
    if (attempt >= RESUMES) throw new SourceError('unreadable', 'the connection broke again and again')
  }
}

function memorySink(name: string): Sink {
  const pieces: Uint8Array[] = []
  return {
    write: async (piece) => {
      pieces.push(piece)
      await Promise.resolve()
    },
    finish: async () => await Promise.resolve({ name, bytes: new Uint8Array(Buffer.concat(pieces)) }),
    discard: async () => await Promise.resolve(),
  }
}

function fileSink(name: string, path: string): Sink {
  let file: FileHandle | undefined
  let size = 0
  const end = async (): Promise<void> => {
    const ended = file
    file = undefined
    await ended?.close()
  }
  return {
    async write(piece) {
      if (file === undefined) {
        await mkdir(dirname(path), { recursive: true })
        file = await open(path, 'w')
      }
      // A disk that is full takes a part, and refuses the next.
      for (let at = 0; at < piece.length;) at += (await file.write(piece, at)).bytesWritten
      size += piece.length
    },
    async finish() {
      await end()
      return { name, path, size }
    },
    async discard() {
      await end().catch(() => undefined)
      await rm(path, { force: true })
    },
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

function tooLarge({ maxBytes }: S3SourceOptions): SourceError {
  return new SourceError('too-large', `it is larger than ${Math.floor(maxBytes / 1024 / 1024)} MB`)
}

/** What is wrong with one object, told from what is wrong with the bucket or the credentials. */
function asSourceError(error: unknown, { bucket }: S3SourceOptions): unknown {
  if (error instanceof SourceError || isFull(error)) return error
  const name = awsErrorName(error)
  if (name === 'NoSuchKey' || name === 'PreconditionFailed') {
    return new SourceError('gone', 'it was deleted or replaced while it was read', error)
  }
  if (name === 'InvalidObjectState' || (name === 'AccessDenied' && awsStatus(error) === 403)) {
    return new SourceError('unreadable', `S3 refused it (${name})`, error)
  }
  const status = awsStatus(error)
  const isRefused = status !== undefined && status < 500 && status !== 429
  // Credentials, the bucket, or S3 itself: the next object would fare no better, and nothing is lost by stopping.
  return new Error(
    `s3://${bucket} can not be read: ${isRefused ? `S3 refused (${name})` : `S3 did not answer (${name})`}`,
    {
      cause: error,
    },
  )
}
