import { createHash, randomUUID } from 'node:crypto'
import type { Place } from '#contract/place.ts'
import { checkSignature } from './aws-signature.ts'
import type { S3Options } from './options.ts'
import type { BodyReply, Service, SimRequest } from './service.ts'

/** One object, locked until its time is over. */
interface Stored {
  readonly body: Uint8Array
  readonly headers: Readonly<Record<string, string>>
  readonly etag: string
  readonly retainUntilEpochMs: number
}

const CODES: Readonly<Record<number, string>> = {
  400: 'InvalidRequest',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  412: 'PreconditionFailed',
  429: 'SlowDown',
  500: 'InternalError',
  503: 'SlowDown',
}

/** Kept with an object and returned with it. */
const KEPT = ['content-type', 'content-encoding', 'x-amz-object-lock-mode', 'x-amz-object-lock-retain-until-date']

/**
 * Amazon S3, path style, one bucket with Object Lock and versioning: PUT (checksum, lock, `If-None-Match`), GET, HEAD
 * and DELETE of a version, which a lock refuses.
 */
export function s3(place: Place, options: S3Options): Service {
  const objects = new Map<string, Stored>()
  return {
    name: 's3',
    place,
    reply: (request) => reply(request, options, objects),
    fail: (status, retryAfterS) =>
      failure(status, 'simulated fault', retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
    brokenPiece: () => Buffer.from('<Error>'),
    streamError: () => [],
  }
}

function reply(request: SimRequest, options: S3Options, objects: Map<string, Stored>): BodyReply {
  const problem = checkSignature(request, { ...options, service: 's3' }, Date.now())
  if (problem !== undefined) return failure(403, problem.message, {}, 'SignatureDoesNotMatch')
  const [, bucket = '', key = ''] = /^\/([^/]+)\/(.+)$/.exec(decodeURIComponent(request.path)) ?? []
  if (bucket !== options.bucket) return failure(404, 'the bucket does not exist', {}, 'NoSuchBucket')
  switch (request.method) {
    case 'PUT':
      return put(request, key, objects)
    case 'GET':
    case 'HEAD': {
      const stored = objects.get(key)
      if (stored === undefined) return failure(404, 'the key does not exist')
      const body = request.method === 'HEAD' ? '' : stored.body
      return { status: 200, headers: { ...stored.headers, etag: stored.etag }, body }
    }
    case 'DELETE': {
      const stored = objects.get(key)
      if (request.query.has('versionId') && stored !== undefined && stored.retainUntilEpochMs > Date.now())
        return failure(403, 'the object is locked')
      return { status: 204, headers: {}, body: '' }
    }
    default:
      return failure(405, 'not an operation on objects', {}, 'MethodNotAllowed')
  }
}

function put(request: SimRequest, key: string, objects: Map<string, Stored>): BodyReply {
  const { headers, body } = request
  const checksum = headers['x-amz-checksum-sha256']
  const mode = headers['x-amz-object-lock-mode']
  const until = Date.parse(headers['x-amz-object-lock-retain-until-date'] ?? '')
  if (mode !== undefined && checksum === undefined && headers['content-md5'] === undefined)
    return failure(400, 'Content-MD5 or a checksum is required to put an object with Object Lock parameters')
  if (checksum !== undefined && checksum !== createHash('sha256').update(body).digest('base64'))
    return failure(400, 'the checksum does not match', {}, 'BadDigest')
  if (mode !== undefined && mode !== 'COMPLIANCE' && mode !== 'GOVERNANCE')
    return failure(400, 'unknown lock mode', {}, 'InvalidArgument')
  if (mode !== undefined && !(until > Date.now()))
    return failure(400, 'the retain until date must be in the future', {}, 'InvalidArgument')
  if (headers['if-none-match'] === '*' && objects.has(key))
    return failure(412, 'at least one of the preconditions did not hold')
  const etag = `"${createHash('md5').update(body).digest('hex')}"`
  objects.set(key, {
    body,
    headers: Object.fromEntries(KEPT.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]]))),
    etag,
    retainUntilEpochMs: mode === undefined ? 0 : until,
  })
  return { status: 200, headers: { etag, 'x-amz-version-id': randomUUID() }, body: '' }
}

function failure(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  code = CODES[status] ?? 'InternalError',
): BodyReply {
  return {
    status,
    headers: { 'content-type': 'application/xml', ...headers },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>${randomUUID()}</RequestId></Error>`,
  }
}
