import type { Place } from '#contract/place.ts'
import type { S3Options } from '#simclouds/options.ts'
import type { BodyReply, Reply, Service, SimRequest } from '#simclouds/service.ts'
import { authorize } from './authorize.ts'
import type { Bucket } from './bucket.ts'
import { type Payload, unwrap } from './chunked.ts'
import { listObjects, listVersions } from './list.ts'
import { abortUpload, completeUpload, createUpload, listParts, uploadPart } from './multipart.ts'
import { S3Problem, faultReply, refusal } from './problem.ts'
import { readDocument } from './read-document.ts'
import { readObject } from './read-object.ts'
import type { S3Store } from './store.ts'
import { copyObject, deleteObject, deleteObjects, putObject } from './write-object.ts'
import { documentOf, element, group, textOf } from './xml.ts'

/** Of one request; S3 itself takes 5 GiB, but this stand-in keeps bodies in memory. */
const MAX_BODY_BYTES = 256 * 1024 * 1024
const MAX_KEY_BYTES = 1_024
/** Virtual-host style: the bucket is the first part of the name. */
const VIRTUAL_HOST = /^(.+?)\.(?:s3[.-][a-z0-9.-]*amazonaws\.com|s3\.localhost|localhost)(?::\d+)?$/i
/** Sub-resources that S3 has and this stand-in has not. */
const UNKNOWN = `accelerate acl analytics attributes cors encryption intelligent-tiering inventory legal-hold lifecycle
  logging metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject
  replication requestPayment restore retention select session tagging torrent website`.split(/\s+/)

interface Call {
  readonly request: SimRequest
  readonly payload: Payload
  readonly store: S3Store
  readonly options: S3Options
  readonly bucketName: string
  readonly key: string
}

/** Amazon S3: buckets in memory, path and virtual-host style. docs/simulated-aws.md says what it does not do. */
export function s3(place: Place, options: S3Options, store: S3Store): Service {
  return {
    name: 's3',
    place,
    maxBodyBytes: MAX_BODY_BYTES,
    hasBinaryBodies: true,
    reply: (request) => reply(request, options, store),
    fail: faultReply,
    brokenPiece: () => Buffer.from('<Error>'),
    streamError: () => [],
  }
}

async function reply(request: SimRequest, options: S3Options, store: S3Store): Promise<Reply> {
  try {
    const target = targetOf(request)
    const authorized = authorize(request, options, Date.now())
    checkSize(request)
    return await route({ request, payload: unwrap(request, authorized), store, options, ...target })
  } catch (error) {
    if (error instanceof S3Problem) return refusal(error, request.method)
    throw error
  }
}

function targetOf({ path, headers }: SimRequest): { readonly bucketName: string; readonly key: string } {
  const decoded = decode(path)
  const virtual = VIRTUAL_HOST.exec(headers['host'] ?? '')?.[1]
  const [, bucketName = '', key = ''] =
    virtual === undefined ? (/^\/([^/]*)\/?(.*)$/s.exec(decoded) ?? []) : ['', virtual, decoded.slice(1)]
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new S3Problem('KeyTooLongError', 'Your key is too long')
  return { bucketName, key }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new S3Problem('InvalidURI', "Couldn't parse the specified URI.")
  }
}

function checkSize({ headers }: SimRequest): void {
  if (Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES)
    throw new S3Problem('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
      elements: { MaxSizeAllowed: String(MAX_BODY_BYTES) },
    })
}

function route(call: Call): Reply | Promise<Reply> {
  const { request, store, bucketName, key } = call
  const unknown = UNKNOWN.find((name) => request.query.has(name))
  if (unknown !== undefined) throw new S3Problem('NotImplemented', `This stand-in does not know ?${unknown}`)
  if (bucketName === '') return listBuckets(call)
  if (key === '') return ofBucket(call)
  return ofObject(call, store.bucket(bucketName))
}

function ofObject(call: Call, bucket: Bucket): Reply | Promise<Reply> {
  const { request, payload, store, key, options } = call
  const isUpload = request.query.has('uploadId')
  switch (request.method) {
    case 'GET':
      return isUpload ? listParts(request, store, bucket, key) : readObject(request, bucket, key)
    case 'HEAD':
      return readObject(request, bucket, key)
    case 'PUT':
      if (isUpload) return uploadPart(request, payload, store, bucket, key, options)
      if (request.headers['x-amz-copy-source'] !== undefined) return copyObject(request, store, bucket, key, options)
      return putObject(request, payload, bucket, key, options)
    case 'POST':
      if (isUpload) return completeUpload(request, payload, store, bucket, key)
      if (request.query.has('uploads')) return createUpload(request, store, bucket, key, options)
      break
    case 'DELETE':
      return isUpload ? abortUpload(request, store, bucket, key) : deleteObject(request, bucket, key)
  }
  throw notAllowed()
}

function ofBucket(call: Call): Reply {
  const { request, payload, store, bucketName } = call
  const isVersioning = request.query.has('versioning')
  switch (request.method) {
    case 'PUT':
      return isVersioning ? putVersioning(payload, store.bucket(bucketName)) : createBucket(call)
    case 'HEAD':
      store.bucket(bucketName)
      return { status: 200, headers: { 'x-amz-bucket-region': call.options.region }, body: '' }
    case 'GET':
      return getFromBucket(call, store.bucket(bucketName))
    case 'POST':
      if (request.query.has('delete')) return deleteObjects(request, payload, store.bucket(bucketName))
      break
    case 'DELETE':
      store.deleteBucket(bucketName)
      return { status: 204, headers: {}, body: '' }
  }
  throw notAllowed()
}

function getFromBucket({ request, options }: Call, bucket: Bucket): BodyReply {
  const { query } = request
  if (query.has('versioning')) {
    const status = bucket.versioning
    return xml(documentOf('VersioningConfiguration', status === undefined ? [] : [element('Status', status)]))
  }
  if (query.has('location'))
    return xml(documentOf('LocationConstraint', options.region === 'us-east-1' ? [] : [options.region]))
  if (query.has('versions')) return listVersions(request, bucket)
  if (query.has('uploads')) throw new S3Problem('NotImplemented', 'This stand-in does not list uploads')
  if (query.get('list-type') === '2') return listObjects(request, bucket)
  throw new S3Problem('NotImplemented', 'This stand-in lists objects by ListObjectsV2 only')
}

function createBucket({ request, store, bucketName, options }: Call): BodyReply {
  const objectLock = request.headers['x-amz-bucket-object-lock-enabled'] === 'true'
  const exists = store.buckets().some(({ name }) => name === bucketName)
  // us-east-1 alone answers 200 to an owner who creates a bucket again (Amazon S3 API Reference, CreateBucket).
  if (!exists || options.region !== 'us-east-1') store.createBucket(bucketName, { objectLock })
  return { status: 200, headers: { location: `/${bucketName}` }, body: '' }
}

function putVersioning({ body }: Payload, bucket: Bucket): BodyReply {
  const status = textOf(readDocument(body, 'VersioningConfiguration'), 'Status')
  if (status !== 'Enabled' && status !== 'Suspended')
    throw new S3Problem(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    )
  if (status === 'Suspended' && bucket.hasObjectLock)
    throw new S3Problem(
      'InvalidBucketState',
      'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
    )
  bucket.versioning = status
  return { status: 200, headers: {}, body: '' }
}

function listBuckets({ request, store }: Call): BodyReply {
  if (request.method !== 'GET') throw notAllowed()
  const buckets = store
    .buckets()
    .map(({ name, createdEpochMs }) =>
      group('Bucket', [element('Name', name), element('CreationDate', new Date(createdEpochMs).toISOString())]),
    )
  return xml(
    documentOf('ListAllMyBucketsResult', [group('Buckets', buckets), group('Owner', [element('ID', 'simulated')])]),
  )
}

function notAllowed(): S3Problem {
  return new S3Problem('MethodNotAllowed', 'The specified method is not allowed against this resource.')
}

function xml(body: string): BodyReply {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body }
}
