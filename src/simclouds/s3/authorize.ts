import { createHash } from 'node:crypto'
import {
  type Authorization,
  amzDateEpochMs,
  isSame,
  readAuthorization,
  signatureOf,
  signingKey,
} from '#simclouds/aws-signature.ts'
import type { AwsSession } from '#simclouds/aws-sessions.ts'
import type { S3Options } from '#simclouds/options.ts'
import type { SimRequest } from '#simclouds/service.ts'
import { S3Problem } from './problem.ts'

/** S3 tolerates a quarter of an hour (Amazon S3 API Reference, RequestTimeTooSkewed). */
const MAX_SKEW_MS = 900_000

/** How the body is signed. */
export const PAYLOADS = [
  'UNSIGNED-PAYLOAD',
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
] as const

/** A request whose headers are signed. The body is not looked at when it comes in chunks. */
export interface Authorized {
  readonly claim: Authorization
  /** One of PAYLOADS, or `signed` when the digest of the whole body is in the header and right. */
  readonly payload: (typeof PAYLOADS)[number] | 'signed'
  /** Signs the chunks. */
  readonly key: Buffer
}

/** @throws {S3Problem} as S3 refuses a request whose signature, key or date it does not take. */
export function authorize(request: SimRequest, options: S3Options, nowEpochMs: number): Authorized {
  if (request.query.has('X-Amz-Signature'))
    throw new S3Problem('NotImplemented', 'This stand-in takes signatures in the authorization header only')
  const header = request.headers['authorization']
  if (header === undefined) throw new S3Problem('AccessDenied', 'Access Denied')
  const claim = readAuthorization(header)
  if (claim === undefined)
    throw new S3Problem('AuthorizationHeaderMalformed', 'The authorization header that you provided is not valid.')
  const secretAccessKey = secretOf(claim, request, options, nowEpochMs)
  checkScope(claim, options)
  checkDate(request, claim, nowEpochMs)
  checkNames(request, claim)
  const { kind, hash } = payloadOf(request)
  if (!isSame(signatureOf(request, claim, secretAccessKey, hash), claim.signature))
    throw new S3Problem(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    )
  return { claim, payload: kind, key: signingKey(claim, secretAccessKey) }
}

function secretOf(claim: Authorization, request: SimRequest, options: S3Options, nowEpochMs: number): string {
  const session = options.sessions?.find(claim.accessKeyId)
  if (session !== undefined) return secretOfSession(session, request, nowEpochMs)
  if (claim.accessKeyId === options.accessKeyId) return options.secretAccessKey
  throw new S3Problem('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', {
    elements: { AWSAccessKeyId: claim.accessKeyId },
  })
}

function secretOfSession(session: AwsSession, request: SimRequest, nowEpochMs: number): string {
  if (request.headers['x-amz-security-token'] !== session.sessionToken)
    throw new S3Problem('InvalidToken', 'The provided token is malformed or otherwise invalid.')
  if (session.expiresAtEpochMs <= nowEpochMs) throw new S3Problem('ExpiredToken', 'The provided token has expired.')
  if (session.isRestricted) throw new S3Problem('AccessDenied', 'Access Denied')
  return session.secretAccessKey
}

function checkScope(claim: Authorization, { region }: S3Options): void {
  if (claim.service !== 's3') throw malformed(`incorrect service "${claim.service}". This endpoint belongs to "s3".`)
  if (claim.region !== region)
    throw new S3Problem(
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; the region '${claim.region}' is wrong; expecting '${region}'`,
      { elements: { Region: region } },
    )
}

function checkDate(request: SimRequest, claim: Authorization, nowEpochMs: number): void {
  const date = request.headers['x-amz-date']
  const atEpochMs = amzDateEpochMs(date)
  if (date === undefined || atEpochMs === undefined)
    throw new S3Problem('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  if (!date.startsWith(claim.day)) throw malformed(`Invalid credential date "${claim.day}".`)
  if (Math.abs(atEpochMs - nowEpochMs) > MAX_SKEW_MS)
    throw new S3Problem(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      { elements: { RequestTime: date, ServerTime: new Date(nowEpochMs).toISOString() } },
    )
}

function checkNames(request: SimRequest, { names }: Authorization): void {
  const unsigned = Object.keys(request.headers).filter(
    (name) => (name.startsWith('x-amz-') || name === 'host') && !names.includes(name),
  )
  if (unsigned.length > 0)
    throw new S3Problem('AccessDenied', 'There were headers present in the request which were not signed', {
      elements: { HeadersNotSigned: unsigned.join(', ') },
    })
}

function payloadOf(request: SimRequest): { readonly kind: Authorized['payload']; readonly hash: string } {
  const claimed = request.headers['x-amz-content-sha256']
  if (claimed === undefined)
    throw new S3Problem('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
  const named = PAYLOADS.find((each) => each === claimed)
  if (named !== undefined) return { kind: named, hash: claimed }
  if (!/^[0-9a-f]{64}$/.test(claimed))
    throw new S3Problem(
      'InvalidArgument',
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
    )
  if (createHash('sha256').update(request.body).digest('hex') !== claimed)
    throw new S3Problem(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
  return { kind: 'signed', hash: claimed }
}

function malformed(why: string): S3Problem {
  return new S3Problem('AuthorizationHeaderMalformed', `The authorization header is malformed; ${why}`)
}
