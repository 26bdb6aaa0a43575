import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { Agent } from 'node:http'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import {
  AbortMultipartUploadCommand,
  ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetBucketVersioningCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectVersionsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { asRecord } from '#kit/json.ts'
import { clientSettings, refused, withAws } from '#simclouds/aws.suite.ts'
import type { RunningAws, StartAwsOptions } from '#simclouds/start-aws.ts'

const Bucket = 'documents'
const PART = 5 * 1024 * 1024

interface Stand {
  readonly aws: RunningAws
  readonly client: S3Client
  readonly put: (Key: string, Body: string | Uint8Array) => Promise<{ readonly ETag?: string | undefined }>
  readonly text: (Key: string, more?: Partial<GetObjectCommand['input']>) => Promise<string>
}

function withBucket(body: (stand: Stand) => Promise<void>, options: StartAwsOptions = {}): Promise<void> {
  return withAws(async (aws) => {
    aws.s3.createBucket(Bucket)
    const client = new S3Client({ ...clientSettings(aws, 's3'), forcePathStyle: true })
    const put: Stand['put'] = (Key, Body) => client.send(new PutObjectCommand({ Bucket, Key, Body }))
    const text: Stand['text'] = async (Key, more) => {
      const got = await client.send(new GetObjectCommand({ Bucket, Key, ...more }))
      return (await got.Body?.transformToString()) ?? ''
    }
    await body({ aws, client, put, text })
    client.destroy()
  }, options)
}

function statusOf(error: unknown): unknown {
  return asRecord(asRecord(error)?.['$metadata'])?.['httpStatusCode']
}

const KEYS = [
  'plain.txt',
  'a folder/with blank.txt',
  "it's (a) *key*!~+=&?#%25.txt",
  'ünï/文件/😀.txt',
  'a//b/',
  '<x>&"y"',
]

test('what is put is got, whatever the key', () =>
  withBucket(async ({ client, put, text }) => {
    for (const Key of KEYS) {
      await put(Key, `under ${Key}`)
      assert.equal(await text(Key), `under ${Key}`)
    }
    const listed = await client.send(new ListObjectsV2Command({ Bucket }))
    const byBytes = KEYS.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    assert.deepEqual(
      listed.Contents?.map(({ Key }) => Key),
      byBytes,
    )
    const encoded = await client.send(new ListObjectsV2Command({ Bucket, EncodingType: 'url', Prefix: 'a folder' }))
    assert.equal(encoded.Contents?.[0]?.Key, 'a+folder/with+blank.txt')
    await refused(put('k'.repeat(1025), ''), 'KeyTooLongError', 400)
  }))

test('an object keeps its type, its metadata, its MD5 as entity tag, and its time', () =>
  withBucket(async ({ client }) => {
    const Body = 'hello'
    const about = { ContentType: 'text/plain', CacheControl: 'no-store', Metadata: { author: 'ada' } }
    const put = await client.send(new PutObjectCommand({ Bucket, Key: 'k', Body, ...about }))
    assert.equal(put.ETag, `"${createHash('md5').update(Body).digest('hex')}"`)
    assert.equal(put.VersionId, undefined)
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'k' }))
    assert.equal(head.ContentLength, 5)
    assert.equal(head.ContentType, 'text/plain')
    assert.equal(head.CacheControl, 'no-store')
    assert.deepEqual(head.Metadata, { author: 'ada' })
    assert.ok(Math.abs(Date.now() - (head.LastModified?.getTime() ?? 0)) < 2_000)
    const shown = await client.send(new GetObjectCommand({ Bucket, Key: 'k', ResponseContentType: 'text/x' }))
    assert.equal(shown.ContentType, 'text/x')
    await shown.Body?.transformToString()
  }))

test('entity tags are opaque where MD5 is not given away', () =>
  withBucket(
    async ({ put }) => {
      const { ETag } = await put('k', 'hello')
      assert.match(ETag ?? '', /^"[0-9a-f]{32}"$/)
      assert.notEqual(ETag, `"${createHash('md5').update('hello').digest('hex')}"`)
    },
    { opaqueEtags: true },
  ))

test('every checksum that the SDK can send is verified and comes back when it is asked for', () =>
  withBucket(async ({ client }) => {
    const Body = randomBytes(20_000)
    for (const algorithm of [
      ChecksumAlgorithm.CRC32,
      ChecksumAlgorithm.CRC32C,
      ChecksumAlgorithm.CRC64NVME,
      ChecksumAlgorithm.SHA1,
      ChecksumAlgorithm.SHA256,
    ]) {
      const put = await client.send(
        new PutObjectCommand({ Bucket, Key: algorithm, Body, ChecksumAlgorithm: algorithm }),
      )
      assert.equal(put.ChecksumType, 'FULL_OBJECT')
      const got = await client.send(new GetObjectCommand({ Bucket, Key: algorithm, ChecksumMode: 'ENABLED' }))
      assert.ok(put[`Checksum${algorithm}`] !== undefined)
      assert.equal(got[`Checksum${algorithm}`], put[`Checksum${algorithm}`])
      // The SDK computes it again over what it reads.
      assert.deepEqual(Buffer.from((await got.Body?.transformToByteArray()) ?? []), Body)
    }
    const wrong = new PutObjectCommand({ Bucket, Key: 'k', Body: 'hello', ChecksumCRC32: 'AAAAAA==' })
    await refused(client.send(wrong), 'BadDigest', 400, /CRC32/)
    const short = new PutObjectCommand({ Bucket, Key: 'k', Body: 'hello', ChecksumSHA256: 'AAAAAA==' })
    await refused(client.send(short), 'InvalidRequest', 400, /x-amz-checksum-sha256/)
    const md5 = new PutObjectCommand({
      Bucket,
      Key: 'k',
      Body: 'hello',
      ContentMD5: Buffer.alloc(16).toString('base64'),
    })
    await refused(client.send(md5), 'BadDigest', 400)
    await refused(client.send(new HeadObjectCommand({ Bucket, Key: 'k' })), 'NotFound', 404)
  }))

test('an object that came without a checksum has one of its own', () =>
  withBucket(async ({ aws, client }) => {
    const plain = new S3Client({
      ...clientSettings(aws, 's3'),
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
    })
    const put = await plain.send(new PutObjectCommand({ Bucket, Key: 'k', Body: '123456789' }))
    assert.equal(put.ChecksumCRC32, undefined)
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }))
    // The check value that the NVM Express specification gives for these nine digits.
    assert.equal(head.ChecksumCRC64NVME, Buffer.from('ae8b14860a799888', 'hex').toString('base64'))
    plain.destroy()
  }))

test('a stream comes in chunks with a trailer, and is stored without them', () =>
  withBucket(async ({ aws, client, text }) => {
    const bytes = Buffer.from('x'.repeat(300_000))
    const command = new PutObjectCommand({
      Bucket,
      Key: 'k',
      Body: Readable.from([bytes]),
      ContentLength: bytes.length,
      ContentEncoding: 'gzip',
    })
    await client.send(command)
    const sent = aws.requests.last('s3').at(-1)
    assert.equal(sent?.headers['x-amz-content-sha256'], 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')
    assert.match(sent?.headers['content-encoding'] ?? '', /aws-chunked/)
    assert.equal(await text('k'), bytes.toString())
    assert.equal((await client.send(new HeadObjectCommand({ Bucket, Key: 'k' }))).ContentEncoding, 'gzip')
    const small = Array.from({ length: 20 }, () => Buffer.from('x'.repeat(100)))
    const drip = new PutObjectCommand({ Bucket, Key: 'small', Body: Readable.from(small), ContentLength: 2_000 })
    await refused(client.send(drip), 'InvalidChunkSizeError', 403, /8192/)
  }))

test('ranges come as RFC 9110 says, and one beyond the end is refused', () =>
  withBucket(async ({ client, put, text }) => {
    await put('k', '0123456789')
    for (const [Range, want] of [
      ['bytes=0-0', '0'],
      ['bytes=2-4', '234'],
      ['bytes=7-', '789'],
      ['bytes=8-99', '89'],
      ['bytes=-3', '789'],
      ['bytes=-99', '0123456789'],
      ['bytes=4-2', '0123456789'],
      ['lines=1-2', '0123456789'],
    ] as const) {
      assert.equal(await text('k', { Range }), want, Range)
    }
    const got = await client.send(new GetObjectCommand({ Bucket, Key: 'k', Range: 'bytes=2-4' }))
    assert.deepEqual([got.ContentRange, got.ContentLength, got.$metadata.httpStatusCode], ['bytes 2-4/10', 3, 206])
    assert.equal(await got.Body?.transformToString(), '234')
    await refused(text('k', { Range: 'bytes=10-' }), 'InvalidRange', 416)
    await refused(text('k', { Range: 'bytes=-0' }), 'InvalidRange', 416)
    await put('empty', '')
    await refused(text('empty', { Range: 'bytes=0-0' }), 'InvalidRange', 416)
    assert.equal(await text('empty'), '')
  }))

test('conditions of a read', () =>
  withBucket(async ({ put, text }) => {
    const { ETag = '' } = await put('k', 'hello')
    const past = new Date(Date.now() - 60_000)
    const future = new Date(Date.now() + 60_000)
    assert.equal(await text('k', { IfMatch: ETag, IfUnmodifiedSince: past }), 'hello')
    assert.equal(await text('k', { IfNoneMatch: '"other"', IfModifiedSince: future }), 'hello')
    await refused(text('k', { IfMatch: '"other"' }), 'PreconditionFailed', 412)
    await refused(text('k', { IfUnmodifiedSince: past }), 'PreconditionFailed', 412)
    for (const more of [{ IfNoneMatch: ETag }, { IfModifiedSince: future }]) {
      await assert.rejects(text('k', more), (error) => statusOf(error) === 304)
    }
  }))

test('conditional writes: one of many creates, and only who saw the last state changes it', () =>
  withBucket(async ({ client, text }) => {
    const create = (Body: string) => client.send(new PutObjectCommand({ Bucket, Key: 'k', Body, IfNoneMatch: '*' }))
    const results = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => create(String(n))))
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    await refused(create('late'), 'PreconditionFailed', 412)
    const change = (Body: string, IfMatch: string, Key = 'k') =>
      client.send(new PutObjectCommand({ Bucket, Key, Body, IfMatch }))
    const seen = (await client.send(new HeadObjectCommand({ Bucket, Key: 'k' }))).ETag ?? ''
    await change('new', seen)
    await refused(change('newer', seen), 'PreconditionFailed', 412)
    await refused(change('x', seen, 'other'), 'NoSuchKey', 404)
    const odd = new PutObjectCommand({ Bucket, Key: 'k', Body: '', IfNoneMatch: '"tag"' })
    await refused(client.send(odd), 'NotImplemented', 501)
    await refused(client.send(new DeleteObjectCommand({ Bucket, Key: 'k', IfMatch: seen })), 'PreconditionFailed', 412)
    assert.equal(await text('k'), 'new')
  }))

test('a listing has pages, prefixes and a beginning', () =>
  withBucket(async ({ client, put }) => {
    for (const key of ['a.txt', 'b/1', 'b/2', 'b/c/3', 'd/4', 'e']) await put(key, 'x')
    const list = (more: Partial<ListObjectsV2Command['input']>) =>
      client.send(new ListObjectsV2Command({ Bucket, ...more }))
    const shown = async (more: Partial<ListObjectsV2Command['input']>) => {
      const { Contents = [], CommonPrefixes = [] } = await list(more)
      return [...Contents.map(({ Key }) => Key), ...CommonPrefixes.map(({ Prefix }) => Prefix)]
    }
    assert.deepEqual(await shown({ Prefix: 'b/' }), ['b/1', 'b/2', 'b/c/3'])
    assert.deepEqual(await shown({ Delimiter: '/' }), ['a.txt', 'e', 'b/', 'd/'])
    assert.deepEqual(await shown({ Prefix: 'b/', Delimiter: '/' }), ['b/1', 'b/2', 'b/c/'])
    assert.deepEqual(await shown({ StartAfter: 'b/2' }), ['b/c/3', 'd/4', 'e'])
    assert.deepEqual(await shown({ MaxKeys: 0 }), [])
    const seen: (string | undefined)[] = []
    let ContinuationToken: string | undefined
    let pages = 0
    do {
      const page = await list({
        Delimiter: '/',
        MaxKeys: 1,
        ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      })
      assert.equal(page.KeyCount, 1)
      assert.equal(page.IsTruncated, page.NextContinuationToken !== undefined)
      seen.push(page.Contents?.[0]?.Key ?? page.CommonPrefixes?.[0]?.Prefix)
      ContinuationToken = page.NextContinuationToken
      pages += 1
    } while (ContinuationToken !== undefined)
    assert.deepEqual([seen, pages], [['a.txt', 'b/', 'd/', 'e'], 4])
    await refused(list({ ContinuationToken: 'invented' }), 'InvalidArgument', 400, /continuation token/)
    await refused(client.send(new ListObjectsCommand({ Bucket })), 'NotImplemented', 501)
    await refused(list({ Bucket: 'missing' }), 'NoSuchBucket', 404)
  }))

test('copies keep or replace what is said about an object', () =>
  withBucket(async ({ aws, client, text }) => {
    aws.s3.createBucket('other')
    const Key = 'from a/ü.txt'
    await client.send(new PutObjectCommand({ Bucket, Key, Body: 'hello', Metadata: { a: '1' } }))
    const CopySource = `${Bucket}/${encodeURIComponent(Key)}`
    const copy = (more: Partial<CopyObjectCommand['input']>) =>
      client.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource, ...more }))
    const copied = await copy({ Bucket: 'other' })
    assert.equal(copied.CopyObjectResult?.ETag, `"${createHash('md5').update('hello').digest('hex')}"`)
    assert.equal(await text('to', { Bucket: 'other' }), 'hello')
    const metadata = async () => (await client.send(new HeadObjectCommand({ Bucket, Key: 'to' }))).Metadata
    await copy({})
    assert.deepEqual(await metadata(), { a: '1' })
    await copy({ MetadataDirective: 'REPLACE', Metadata: { b: '2' } })
    assert.deepEqual(await metadata(), { b: '2' })
    await refused(copy({ CopySourceIfMatch: '"other"' }), 'PreconditionFailed', 412)
    const itself = { Key: 'to', CopySource: `${Bucket}/to` }
    await refused(copy(itself), 'InvalidRequest', 400, /to itself/)
    await refused(copy({ CopySource: `${Bucket}/missing` }), 'NoSuchKey', 404)
    await refused(copy({ CopySource: 'nothing' }), 'InvalidArgument', 400)
  }))

test('a multipart upload: parts in any order, the whole in one', () =>
  withBucket(async ({ aws, client, text }) => {
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ Bucket, Key: 'k', ContentType: 'text/x', ChecksumAlgorithm: 'CRC32' }),
    )
    const upload = (PartNumber: number, Body: Uint8Array) =>
      client.send(new UploadPartCommand({ Bucket, Key: 'k', UploadId, PartNumber, Body }))
    const bodies = [Buffer.alloc(PART, 'a'), Buffer.alloc(PART, 'b'), Buffer.from('c')]
    const sent = await Promise.all(
      [2, 0, 1].map(async (at) => ({ at, part: await upload(at + 1, bodies[at] ?? Buffer.alloc(0)) })),
    )
    const parts = sent
      .toSorted((a, b) => a.at - b.at)
      .map(({ at, part }) => ({ PartNumber: at + 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 }))
    const listed = await client.send(new ListPartsCommand({ Bucket, Key: 'k', UploadId, MaxParts: 2 }))
    assert.deepEqual(
      [
        listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size]),
        listed.IsTruncated,
        listed.NextPartNumberMarker,
      ],
      [
        [
          [1, PART],
          [2, PART],
        ],
        true,
        '2',
      ],
    )
    const complete = (Parts: typeof parts, more: Partial<CompleteMultipartUploadCommand['input']> = {}) =>
      client.send(
        new CompleteMultipartUploadCommand({ Bucket, Key: 'k', UploadId, MultipartUpload: { Parts }, ...more }),
      )
    await refused(complete(parts.toReversed()), 'InvalidPartOrder', 400)
    await refused(complete(parts.map((part) => ({ ...part, ETag: '"other"' }))), 'InvalidPart', 400)
    await refused(complete([...parts, { PartNumber: 9, ETag: 'x', ChecksumCRC32: 'AAAAAA==' }]), 'InvalidPart', 400)
    await refused(complete([]), 'MalformedXML', 400)
    const bare = parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag, ChecksumCRC32: undefined }))
    await refused(complete(bare), 'InvalidRequest', 400, /must include the checksum for each part/)
    const done = await complete(parts, { IfNoneMatch: '*' })
    assert.match(done.ETag ?? '', /^"[0-9a-f]{32}-3"$/)
    const digests = Buffer.concat(parts.map(({ ETag = '' }) => Buffer.from(ETag.replaceAll('"', ''), 'hex')))
    assert.equal(done.ETag, `"${createHash('md5').update(digests).digest('hex')}-3"`)
    assert.match(done.ChecksumCRC32 ?? '', /-3$/)
    assert.equal(done.ChecksumType, 'COMPOSITE')
    assert.equal(await text('k', { Range: `bytes=${PART - 1}-${PART}` }), 'ab')
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'k' }))
    assert.deepEqual([head.ContentLength, head.ContentType], [2 * PART + 1, 'text/x'])
    await refused(complete(parts), 'NoSuchUpload', 404)
    assert.equal(aws.s3.uploads.size, 0)
  }))

test('an upload with a full-object checksum, a part that is too small, and one that is given up', () =>
  withBucket(async ({ client, text }) => {
    const start = async (Key: string) => {
      const about = { ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'FULL_OBJECT' } as const
      return (await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...about }))).UploadId
    }
    const part = async (Key: string, UploadId: string | undefined, PartNumber: number, Body: Uint8Array) => {
      const sent = await client.send(
        new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC64NVME' }),
      )
      return { PartNumber, ETag: sent.ETag }
    }
    const UploadId = await start('k')
    const MultipartUpload = {
      Parts: [await part('k', UploadId, 1, Buffer.alloc(PART, 'a')), await part('k', UploadId, 2, Buffer.from('b'))],
    }
    const done = await client.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'k', UploadId, MultipartUpload }))
    assert.equal(done.ChecksumType, 'FULL_OBJECT')
    assert.equal((await text('k', { ChecksumMode: 'ENABLED' })).length, PART + 1)
    const again = await start('small')
    const Parts = [await part('small', again, 1, Buffer.from('a')), await part('small', again, 2, Buffer.from('b'))]
    const complete = new CompleteMultipartUploadCommand({
      Bucket,
      Key: 'small',
      UploadId: again,
      MultipartUpload: { Parts },
    })
    await refused(client.send(complete), 'EntityTooSmall', 400)
    await refused(part('small', again, 10_001, Buffer.from('a')), 'InvalidArgument', 400, /between 1 and 10000/)
    const other = new UploadPartCommand({
      Bucket,
      Key: 'small',
      UploadId: again,
      PartNumber: 3,
      Body: 'x',
      ChecksumAlgorithm: 'SHA1',
    })
    await refused(
      client.send(other),
      'InvalidRequest',
      400,
      /expected checksum Type: crc64nvme, actual checksum Type: sha1/,
    )
    const late = await start('k')
    const part1 = await part('k', late, 1, Buffer.from('late'))
    const finish = (more: Partial<CompleteMultipartUploadCommand['input']>) =>
      client.send(
        new CompleteMultipartUploadCommand({
          Bucket,
          Key: 'k',
          UploadId: late,
          MultipartUpload: { Parts: [part1] },
          ...more,
        }),
      )
    await refused(finish({ IfNoneMatch: '*' }), 'PreconditionFailed', 412)
    await refused(finish({ ChecksumCRC64NVME: 'AAAAAAAAAAA=' }), 'BadDigest', 400)
    await finish({})
    assert.equal(await text('k'), 'late')
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key: 'small', UploadId: again }))
    await refused(client.send(complete), 'NoSuchUpload', 404)
    const odd = new CreateMultipartUploadCommand({
      Bucket,
      Key: 'x',
      ChecksumAlgorithm: 'SHA256',
      ChecksumType: 'FULL_OBJECT',
    })
    await refused(client.send(odd), 'InvalidRequest', 400)
  }))

test('versions: each write is kept, a delete marks, and a version can be removed', () =>
  withBucket(async ({ client, put, text }) => {
    await put('k', 'long before')
    await put('k', 'before')
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))
    assert.equal((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status, 'Enabled')
    const first = await client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'one' }))
    const second = await client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'two' }))
    assert.equal(await text('k'), 'two')
    assert.equal(await text('k', { VersionId: first.VersionId }), 'one')
    assert.equal(await text('k', { VersionId: 'null' }), 'before')
    const marker = await client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }))
    assert.equal(marker.DeleteMarker, true)
    await refused(text('k'), 'NoSuchKey', 404)
    await refused(text('k', { VersionId: marker.VersionId }), 'MethodNotAllowed', 405)
    await refused(text('k', { VersionId: 'invented' }), 'NoSuchVersion', 404)
    assert.equal((await client.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0)
    const versions = await client.send(new ListObjectVersionsCommand({ Bucket }))
    assert.deepEqual(
      versions.Versions?.map(({ VersionId, IsLatest }) => [VersionId, IsLatest]),
      [
        [second.VersionId, false],
        [first.VersionId, false],
        ['null', false],
      ],
    )
    assert.deepEqual(
      versions.DeleteMarkers?.map(({ VersionId, IsLatest }) => [VersionId, IsLatest]),
      [[marker.VersionId, true]],
    )
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: marker.VersionId }))
    assert.equal(await text('k'), 'two')
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: second.VersionId }))
    assert.equal(await text('k'), 'one')
  }))

test('many are deleted at once, each with its own answer', () =>
  withBucket(async ({ aws, client, put }) => {
    aws.s3.createBucket('locked', { objectLock: true })
    const lock = { ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: new Date(Date.now() + 60_000) } as const
    const held = await client.send(new PutObjectCommand({ Bucket: 'locked', Key: 'k', Body: 'x', ...lock }))
    await put('a&b', 'x')
    const Objects = [{ Key: 'a&b' }, { Key: 'never there' }]
    const done = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    assert.deepEqual(
      done.Deleted?.map(({ Key }) => Key),
      ['a&b', 'never there'],
    )
    assert.equal((await client.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0)
    const some = await client.send(
      new DeleteObjectsCommand({
        Bucket: 'locked',
        Delete: { Objects: [{ Key: 'k', VersionId: held.VersionId }], Quiet: true },
      }),
    )
    assert.deepEqual(
      some.Errors?.map(({ Key, Code }) => [Key, Code]),
      [['k', 'AccessDenied']],
    )
  }))

test('a lock holds until its time is over, and only governance can be overruled', () =>
  withBucket(async ({ aws, client, put }) => {
    aws.s3.createBucket('locked', { objectLock: true })
    const ObjectLockRetainUntilDate = new Date(Date.now() + 60_000)
    const lock = async (mode: 'COMPLIANCE' | 'GOVERNANCE', more: Partial<PutObjectCommand['input']> = {}) => {
      const about = { ObjectLockMode: mode, ObjectLockRetainUntilDate, ...more }
      return (await client.send(new PutObjectCommand({ Bucket: 'locked', Key: 'k', Body: 'x', ...about }))).VersionId
    }
    const remove = (VersionId: string | undefined, BypassGovernanceRetention = false) =>
      client.send(new DeleteObjectCommand({ Bucket: 'locked', Key: 'k', VersionId, BypassGovernanceRetention }))
    const hard = await lock('COMPLIANCE')
    const soft = await lock('GOVERNANCE')
    await refused(remove(hard, true), 'AccessDenied', 403, /object lock/)
    await refused(remove(soft), 'AccessDenied', 403)
    await remove(soft, true)
    const head = await client.send(new HeadObjectCommand({ Bucket: 'locked', Key: 'k' }))
    assert.deepEqual([head.VersionId, head.ObjectLockMode], [hard, 'COMPLIANCE'])
    await refused(lock('COMPLIANCE', { Bucket }), 'InvalidRequest', 400, /Object Lock Configuration/)
    await refused(lock('COMPLIANCE', { ObjectLockRetainUntilDate: new Date(0) }), 'InvalidArgument', 400, /future/)
    await refused(lock('COMPLIANCE', { ObjectLockRetainUntilDate: undefined }), 'InvalidArgument', 400, /both/)
    const suspend = new PutBucketVersioningCommand({
      Bucket: 'locked',
      VersioningConfiguration: { Status: 'Suspended' },
    })
    await refused(client.send(suspend), 'InvalidBucketState', 409)
    await put('free', 'x')
  }))

test('buckets come and go', () =>
  withBucket(async ({ aws, client, put }) => {
    await client.send(new CreateBucketCommand({ Bucket: 'second' }))
    const listed = await client.send(new ListBucketsCommand({}))
    assert.deepEqual(
      listed.Buckets?.map(({ Name }) => Name),
      [Bucket, 'second', 'simulated-athena-results'],
    )
    assert.equal((await client.send(new HeadBucketCommand({ Bucket }))).BucketRegion, 'us-east-1')
    await client.send(new GetBucketLocationCommand({ Bucket }))
    await refused(client.send(new HeadBucketCommand({ Bucket: 'third' })), 'NotFound', 404)
    await refused(client.send(new CreateBucketCommand({ Bucket: 'No_Name' })), 'InvalidBucketName', 400)
    await put('k', 'x')
    await refused(client.send(new DeleteBucketCommand({ Bucket })), 'BucketNotEmpty', 409)
    await client.send(new DeleteBucketCommand({ Bucket: 'second' }))
    assert.throws(() => aws.s3.bucket('second'), { code: 'NoSuchBucket' })
    await refused(client.send(new GetObjectAclCommand({ Bucket, Key: 'k' })), 'NotImplemented', 501)
    const tagged = new PutObjectCommand({ Bucket, Key: 'k', Body: '', Tagging: 'a=b' })
    await refused(client.send(tagged), 'NotImplemented', 501)
  }))

test('the bucket may stand in the host name', () =>
  withBucket(async ({ aws, text }) => {
    const { port } = new URL(aws.urls.s3)
    const httpAgent = new Agent({
      lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    })
    const client = new S3Client({
      ...clientSettings(aws, 's3'),
      endpoint: `http://localhost:${port}`,
      requestHandler: { httpAgent },
    })
    await client.send(new PutObjectCommand({ Bucket, Key: 'a/b', Body: 'hello' }))
    assert.equal(aws.requests.last('s3').at(-1)?.headers['host'], `${Bucket}.localhost:${port}`)
    assert.equal(await text('a/b'), 'hello')
    client.destroy()
    httpAgent.destroy()
  }))

test('a key that is wrong, unknown or over is refused, each in its way', () =>
  withBucket(async ({ aws, put }) => {
    await put('k', 'x')
    const as = (credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }, more = {}) => {
      const client = new S3Client({ ...clientSettings(aws, 's3'), forcePathStyle: true, credentials, ...more })
      return client.send(new GetObjectCommand({ Bucket, Key: 'k' })).finally(() => client.destroy())
    }
    const { accessKeyId, secretAccessKey } = aws
    await refused(as({ accessKeyId, secretAccessKey: 'wrong' }), 'SignatureDoesNotMatch', 403)
    await refused(as({ accessKeyId: 'AKIAOTHER', secretAccessKey }), 'InvalidAccessKeyId', 403)
    const session = aws.issueSession(60)
    await as(session)
    await refused(as({ ...session, sessionToken: 'other' }), 'InvalidToken', 400)
    await refused(as(aws.issueSession(-1)), 'ExpiredToken', 400)
    await refused(
      as({ accessKeyId, secretAccessKey }, { region: 'eu-west-1' }),
      'AuthorizationHeaderMalformed',
      400,
      /us-east-1/,
    )
    const unsigned = await fetch(`${aws.urls.s3}/${Bucket}/k`)
    assert.equal(unsigned.status, 403)
    assert.match(await unsigned.text(), /<Code>AccessDenied<\/Code>/)
  }))

test('a header of AWS that is not signed is refused', () =>
  withBucket(async ({ client, put, text }) => {
    await put('k', 'x')
    client.middlewareStack.add(
      (next) => (args) => {
        const headers = asRecord(asRecord(args.request)?.['headers']) ?? {}
        Object.assign(headers, { 'x-amz-meta-added': 'on the way' })
        return next(args)
      },
      { step: 'finalizeRequest', priority: 'low' },
    )
    await refused(text('k'), 'AccessDenied', 403, /not signed/)
  }))

test('a clock that is off by more than a quarter of an hour is refused', () =>
  withBucket(async ({ aws, put }) => {
    await put('k', 'x')
    for (const [offset, isRefused] of [
      [800_000, false],
      [1_000_000, true],
      [-1_000_000, true],
    ] as const) {
      const client = new S3Client({ ...clientSettings(aws, 's3'), forcePathStyle: true, systemClockOffset: offset })
      const got = client.send(new HeadObjectCommand({ Bucket, Key: 'k' }))
      if (isRefused) await assert.rejects(got, (error) => statusOf(error) === 403)
      else await got
      client.destroy()
    }
    assert.equal(aws.requests.last('s3').at(-1)?.status, 403)
  }))

test('an object larger than the memory is read in pieces and in ranges', () =>
  withBucket(async ({ aws, client, text }) => {
    const sizeBytes = 2_000_000_000
    const read = (start: number, end: number) =>
      Buffer.from(Array.from({ length: end - start }, (_, n) => (start + n) % 251))
    aws.s3.putGenerated(Bucket, 'huge', {
      sizeBytes,
      read: (start, end) => (end - start > 1_000 ? Buffer.alloc(end - start) : read(start, end)),
    })
    assert.equal(
      (await client.send(new HeadObjectCommand({ Bucket, Key: 'huge', ChecksumMode: 'ENABLED' }))).ContentLength,
      sizeBytes,
    )
    const got = await client.send(new GetObjectCommand({ Bucket, Key: 'huge', Range: 'bytes=1999999990-' }))
    assert.deepEqual([...((await got.Body?.transformToByteArray()) ?? [])], [...read(sizeBytes - 10, sizeBytes)])
    const half = new GetObjectCommand({ Bucket, Key: 'huge', Range: 'bytes=0-599999999' })
    const whole = await client.send(half)
    assert.ok(whole.Body instanceof Readable)
    let seen = 0
    const before = process.memoryUsage().rss
    for await (const piece of whole.Body as AsyncIterable<Uint8Array>) seen += piece.length
    assert.equal(seen, 600_000_000)
    assert.ok(process.memoryUsage().rss - before < 200_000_000)
    await client.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/huge` }))
    assert.equal((await text('copy', { Range: 'bytes=0-9' })).length, 10)
  }))

test('faults: slow down, a cut in the middle, a server that hangs, and one that is late', () =>
  withBucket(async ({ aws, put, text }) => {
    await put('k', 'x'.repeat(1_000_000))
    aws.faults.set({ service: 's3', kind: 'throttle', count: 1 })
    await refused(text('k'), 'SlowDown', 503)
    aws.faults.set({ service: 's3', kind: 'reset-after', count: 1 })
    await assert.rejects(text('k'), /aborted|ECONNRESET/)
    aws.faults.set({ service: 's3', kind: 'hang', count: 1 })
    const gone = new AbortController()
    const client = new S3Client({ ...clientSettings(aws, 's3'), forcePathStyle: true })
    const hanging = client.send(new GetObjectCommand({ Bucket, Key: 'k' }), { abortSignal: gone.signal })
    setTimeout(() => gone.abort(), 50)
    await assert.rejects(hanging, { name: 'AbortError' })
    client.destroy()
    aws.faults.set({ service: 's3', kind: 'latency', ms: 60, count: 1 })
    const startMs = performance.now()
    assert.equal((await text('k')).length, 1_000_000)
    assert.ok(performance.now() - startMs >= 55)
  }))
