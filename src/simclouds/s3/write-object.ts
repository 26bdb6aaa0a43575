import { createHash } from 'node:crypto'
import type { S3Options } from '#simclouds/options.ts'
import type { BodyReply, SimRequest } from '#simclouds/service.ts'
import type { Bucket, Lock, NewObject, StoredObject, Version } from './bucket.ts'
import { checksumHeaders, readAlgorithm, verifyChecksums, digestOf } from './checksums.ts'
import type { Payload } from './chunked.ts'
import { checkReadConditions, checkWriteConditions, failed } from './conditions.ts'
import { contentOf } from './content.ts'
import { S3Problem } from './problem.ts'
import { readDocument } from './read-document.ts'
import { type S3Store, opaqueEtag } from './store.ts'
import { documentOf, element, group, innerOf, textOf } from './xml.ts'

type Headers = Readonly<Record<string, string>>

/** Kept with an object and returned with it, beside everything that begins with `x-amz-meta-`. */
const KEPT = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-storage-class',
  'x-amz-website-redirect-location',
])
/** What real S3 would do with these, this stand-in does not. */
const REFUSED = ['x-amz-tagging', 'x-amz-server-side-encryption-customer-algorithm', 'x-amz-write-offset-bytes']
const MAX_DELETES = 1_000

/** PutObject. */
export function putObject(
  request: SimRequest,
  { body, trailers }: Payload,
  bucket: Bucket,
  key: string,
  options: S3Options,
): BodyReply {
  const { headers } = request
  const lock = readLock(headers, bucket)
  const checksum = verifyChecksums(headers, trailers, body)
  if (lock !== undefined && checksum === undefined && headers['content-md5'] === undefined)
    throw new S3Problem(
      'InvalidRequest',
      'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
    )
  checkWriteConditions(headers, bucket.current(key))
  const object = bucket.put(key, {
    content: contentOf(body),
    etag: etagOf(headers, body, options),
    headers: keptHeaders(headers),
    checksum,
    lock,
  })
  return {
    status: 200,
    headers: { ...writtenHeaders(bucket, object), ...(checksum === undefined ? {} : checksumHeaders(checksum)) },
    body: '',
  }
}

/** The entity tag and the version id, where there is one. */
export function writtenHeaders(bucket: Bucket, { etag, versionId }: Version): Record<string, string> {
  return { etag, ...(bucket.versioning === undefined ? {} : { 'x-amz-version-id': versionId }) }
}

/**
 * The headers that an object keeps.
 * @throws {S3Problem} NotImplemented for one that asks for more than this stand-in does.
 */
export function keptHeaders(headers: Headers): Record<string, string> {
  const refused = REFUSED.find((name) => headers[name] !== undefined)
  if (refused !== undefined)
    throw new S3Problem('NotImplemented', 'A header you provided implies functionality that is not implemented', {
      elements: { Header: refused },
    })
  const kept = Object.entries(headers).filter(([name]) => KEPT.has(name) || name.startsWith('x-amz-meta-'))
  const { 'content-encoding': encoding, ...others } = Object.fromEntries(kept)
  const encodings = (encoding ?? '').split(',').map((each) => each.trim())
  const real = encodings.filter((each) => each !== '' && each !== 'aws-chunked').join(',')
  return {
    'content-type': 'binary/octet-stream',
    ...others,
    ...(real === '' ? {} : { 'content-encoding': real }),
  }
}

/** MD5, unless the options or KMS say otherwise. */
export function etagOf(headers: Headers, body: Uint8Array, options: S3Options): string {
  const isOpaque = options.opaqueEtags === true || headers['x-amz-server-side-encryption']?.startsWith('aws:kms')
  return isOpaque === true ? opaqueEtag() : `"${createHash('md5').update(body).digest('hex')}"`
}

/**
 * The lock that the headers ask for; undefined when they ask for none.
 * @throws {S3Problem} InvalidRequest for a bucket without Object Lock, InvalidArgument for a lock that can not be.
 */
export function readLock(headers: Headers, bucket: Bucket): Lock | undefined {
  const mode = headers['x-amz-object-lock-mode']
  const until = headers['x-amz-object-lock-retain-until-date']
  if (mode === undefined && until === undefined) return undefined
  if (!bucket.hasObjectLock) throw new S3Problem('InvalidRequest', 'Bucket is missing Object Lock Configuration')
  if (mode === undefined || until === undefined)
    throw new S3Problem(
      'InvalidArgument',
      'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied',
    )
  if (mode !== 'COMPLIANCE' && mode !== 'GOVERNANCE')
    throw new S3Problem('InvalidArgument', 'Unknown wormMode directive.')
  const untilEpochMs = Date.parse(until)
  if (!(untilEpochMs > Date.now()))
    throw new S3Problem('InvalidArgument', 'The retain until date must be in the future!')
  return { mode, untilEpochMs }
}

/** CopyObject. */
export async function copyObject(
  request: SimRequest,
  store: S3Store,
  bucket: Bucket,
  key: string,
  options: S3Options,
): Promise<BodyReply> {
  const { headers } = request
  const source = sourceOf(headers['x-amz-copy-source'] ?? '', store)
  if (checkReadConditions(headers, source.object, 'x-amz-copy-source-') === 'not-modified')
    throw failed('x-amz-copy-source-If-None-Match')
  const isReplaced = headers['x-amz-metadata-directive'] === 'REPLACE'
  if (source.bucket === bucket && source.object.key === key && !isReplaced)
    throw new S3Problem(
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    )
  checkWriteConditions(headers, bucket.current(key))
  const copy = await copyOf(source.object, headers, isReplaced, options)
  const object = bucket.put(key, { ...copy, lock: readLock(headers, bucket) }, 'ObjectCreated:Copy')
  const modified = new Date(object.lastModifiedEpochMs).toISOString()
  const { etag, ...versionHeaders } = writtenHeaders(bucket, object)
  return {
    status: 200,
    headers: { 'content-type': 'application/xml', ...versionHeaders },
    body: documentOf('CopyObjectResult', [element('ETag', etag ?? ''), element('LastModified', modified)]),
  }
}

async function copyOf(
  source: StoredObject,
  headers: Headers,
  isReplaced: boolean,
  options: S3Options,
): Promise<Omit<NewObject, 'lock'>> {
  const { content } = source
  const kept = isReplaced ? keptHeaders(headers) : source.headers
  if (content.isGenerated) return { content, etag: opaqueEtag(), headers: kept, checksum: undefined }
  const bytes = await content.read(0, content.size)
  const wanted = headers['x-amz-checksum-algorithm']
  const algorithm = wanted === undefined ? undefined : readAlgorithm(wanted)
  const checksum =
    algorithm === undefined
      ? source.checksum
      : { algorithm, value: digestOf(algorithm, bytes), type: 'FULL_OBJECT' as const }
  return { content, etag: etagOf(headers, bytes, options), headers: kept, checksum }
}

function sourceOf(header: string, store: S3Store): { readonly bucket: Bucket; readonly object: StoredObject } {
  const [path = '', query = ''] = header.split('?')
  const [, bucketName, key] = /^\/?([^/]+)\/(.+)$/s.exec(decodeURIComponent(path)) ?? []
  if (bucketName === undefined || key === undefined)
    throw new S3Problem('InvalidArgument', 'Invalid copy source object key')
  const bucket = store.bucket(bucketName)
  return { bucket, object: bucket.get(key, new URLSearchParams(query).get('versionId') ?? undefined) }
}

/** DeleteObject. */
export function deleteObject(request: SimRequest, bucket: Bucket, key: string): BodyReply {
  const { headers, query } = request
  if (headers['if-match'] !== undefined) checkWriteConditions({ 'if-match': headers['if-match'] }, bucket.current(key))
  const gone = deleteOne(bucket, key, query.get('versionId') ?? undefined, headers)
  return {
    status: 204,
    headers: {
      ...(gone.versionId === undefined ? {} : { 'x-amz-version-id': gone.versionId }),
      ...(gone.isMarker ? { 'x-amz-delete-marker': 'true' } : {}),
    },
    body: '',
  }
}

interface Gone {
  readonly versionId: string | undefined
  /** Whether what was made, or removed, is a delete marker. */
  readonly isMarker: boolean
}

function deleteOne(bucket: Bucket, key: string, versionId: string | undefined, headers: Headers): Gone {
  if (versionId === undefined) {
    const marker = bucket.markDeleted(key)
    return { versionId: marker?.versionId, isMarker: marker !== undefined }
  }
  const bypass = headers['x-amz-bypass-governance-retention'] === 'true'
  const removed = bucket.remove(key, versionId, bypass)
  return { versionId, isMarker: removed !== undefined && removed.content === undefined }
}

/** DeleteObjects: each key on its own, with the answer in the body. */
export function deleteObjects(request: SimRequest, { body, trailers }: Payload, bucket: Bucket): BodyReply {
  const { headers } = request
  if (verifyChecksums(headers, trailers, body) === undefined && headers['content-md5'] === undefined)
    throw new S3Problem('InvalidRequest', 'Missing required header for this request: Content-MD5')
  const text = readDocument(body, 'Delete')
  const wanted = innerOf(text, 'Object')
  if (wanted.length === 0 || wanted.length > MAX_DELETES)
    throw new S3Problem(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    )
  const isQuiet = textOf(text, 'Quiet') === 'true'
  const lines = wanted.map((each) => deletedLine(bucket, each, headers, isQuiet))
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: documentOf('DeleteResult', lines),
  }
}

function deletedLine(bucket: Bucket, wanted: string, headers: Headers, isQuiet: boolean): string {
  const key = textOf(wanted, 'Key') ?? ''
  const versionId = textOf(wanted, 'VersionId')
  const version = versionId === undefined ? [] : [element('VersionId', versionId)]
  try {
    const gone = deleteOne(bucket, key, versionId, headers)
    if (isQuiet) return ''
    const marker = gone.isMarker
      ? [element('DeleteMarker', true), element('DeleteMarkerVersionId', gone.versionId ?? '')]
      : []
    return group('Deleted', [element('Key', key), ...version, ...marker])
  } catch (error) {
    if (!(error instanceof S3Problem)) throw error
    return group('Error', [
      element('Key', key),
      ...version,
      element('Code', error.code),
      element('Message', error.message),
    ])
  }
}
