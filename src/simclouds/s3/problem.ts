import { randomUUID } from 'node:crypto'
import type { BodyReply } from '#simclouds/service.ts'
import { element } from './xml.ts'

/** S3's error codes that this stand-in uses, with their HTTP status (Amazon S3 API Reference, "List of error codes"). */
const STATUS = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  ExpiredToken: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidBucketState: 409,
  InvalidChunkSizeError: 403,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidToken: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedTrailerError: 400,
  MalformedXML: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NoSuchVersion: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
  XAmzContentSHA256Mismatch: 400,
} as const

export type S3Code = keyof typeof STATUS

interface Details {
  /** Further elements of the error document. */
  readonly elements?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

/** A request that is refused as S3 refuses it. */
export class S3Problem extends Error {
  readonly code: S3Code
  readonly details: Details

  constructor(code: S3Code, message: string, details: Details = {}) {
    super(message)
    this.name = 'S3Problem'
    this.code = code
    this.details = details
  }
}

/** The error document, or only the status for HEAD, which has no body. */
export function refusal({ code, message, details }: S3Problem, method: string): BodyReply {
  const requestId = randomUUID()
  const headers = { 'x-amz-request-id': requestId, ...details.headers }
  if (method === 'HEAD') return { status: STATUS[code], headers, body: '' }
  const elements = { Code: code, Message: message, ...details.elements, RequestId: requestId }
  const inner = Object.entries(elements).map(([name, text]) => element(name, text))
  return {
    status: STATUS[code],
    headers: { 'content-type': 'application/xml', ...headers },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${inner.join('')}</Error>`,
  }
}

const FAULT_CODES: Readonly<Record<number, S3Code>> = {
  400: 'InvalidRequest',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  412: 'PreconditionFailed',
  429: 'SlowDown',
  503: 'SlowDown',
}

/** A fault that was set, in the words of S3: it throttles with 503, never with 429. */
export function faultReply(status: number, retryAfterS: number | undefined): BodyReply {
  const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
  const code = FAULT_CODES[status] ?? 'InternalError'
  const reply = refusal(new S3Problem(code, 'simulated fault', { headers }), 'GET')
  return { ...reply, status: status === 429 ? STATUS.SlowDown : status }
}
