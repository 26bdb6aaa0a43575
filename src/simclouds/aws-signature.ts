import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { AwsSession, AwsSessions } from './aws-sessions.ts'

/** A request as it arrived. */
export interface SignedRequest {
  readonly method: string
  /** As received: percent-encoded, without the query. */
  readonly path: string
  readonly rawQuery: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Who may call, for what. */
export interface Scope {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  readonly service: string
  /** Keys of sessions, accepted beside the key above. */
  readonly sessions?: AwsSessions | undefined
}

/** Why a signature is refused: one of AWS's exception types, and what differs. */
export interface SignatureProblem {
  readonly type:
    | 'MissingAuthenticationTokenException'
    | 'IncompleteSignatureException'
    | 'UnrecognizedClientException'
    | 'InvalidSignatureException'
    | 'ExpiredTokenException'
    | 'AccessDeniedException'
  readonly message: string
}

const MAX_SKEW_MS = 300_000
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request,\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/

/** What an `authorization` header of SigV4 says. */
export interface Authorization {
  readonly accessKeyId: string
  /** `20261124`. */
  readonly day: string
  readonly region: string
  readonly service: string
  /** Names of the signed headers, in lower case, as they stand. */
  readonly names: readonly string[]
  /** Hexadecimal. */
  readonly signature: string
}

/** Undefined when the header is not SigV4. */
export function readAuthorization(header: string): Authorization | undefined {
  const parts = AUTHORIZATION.exec(header.trim())
  if (parts === null) return undefined
  const [, accessKeyId = '', day = '', region = '', service = '', names = '', signature = ''] = parts
  return { accessKeyId, day, region, service, names: names.split(';'), signature }
}

/** Re-derives the signature from the request as it arrived. Undefined when it is right. */
export function checkSignature(request: SignedRequest, scope: Scope, nowEpochMs: number): SignatureProblem | undefined {
  const authorization = request.headers['authorization']
  if (authorization === undefined) {
    return { type: 'MissingAuthenticationTokenException', message: 'the request carries no authorization' }
  }
  const claim = readAuthorization(authorization)
  if (claim === undefined)
    return { type: 'IncompleteSignatureException', message: 'the authorization header is not SigV4' }
  const { accessKeyId, day, region, service, names, signature } = claim
  const session = scope.sessions?.find(accessKeyId)
  if (session !== undefined) {
    const problem = checkSession(session, request, nowEpochMs)
    if (problem !== undefined) return problem
  } else if (accessKeyId !== scope.accessKeyId) {
    return { type: 'UnrecognizedClientException', message: `there is no access key ${accessKeyId}` }
  }
  if (region !== scope.region) return wrong(`the credential is for region ${region}, not ${scope.region}`)
  if (service !== scope.service) return wrong(`the credential is for service ${service}, not ${scope.service}`)
  const dateProblem = checkDate(request.headers['x-amz-date'], day, nowEpochMs)
  if (dateProblem !== undefined) return wrong(dateProblem)
  const nameProblem = checkNames(names, request)
  if (nameProblem !== undefined) return wrong(nameProblem)
  const { secretAccessKey } = session ?? scope
  if (!isSame(signatureOf(request, claim, secretAccessKey, sha256(request.body)), signature)) {
    return wrong('the signature does not match the request')
  }
  if (session !== undefined && !session.allows(request.path))
    return { type: 'AccessDeniedException', message: 'no session policy allows the action' }
  return undefined
}

function checkSession(session: AwsSession, request: SignedRequest, nowEpochMs: number): SignatureProblem | undefined {
  if (request.headers['x-amz-security-token'] !== session.sessionToken)
    return { type: 'UnrecognizedClientException', message: 'The security token included in the request is invalid.' }
  if (session.expiresAtEpochMs <= nowEpochMs)
    return { type: 'ExpiredTokenException', message: 'The security token included in the request is expired' }
  return undefined
}

function checkDate(date: string | undefined, day: string, nowEpochMs: number): string | undefined {
  const atEpochMs = amzDateEpochMs(date)
  if (date === undefined || atEpochMs === undefined) return 'x-amz-date is missing or no date'
  if (!date.startsWith(day)) return 'the credential is for another day than x-amz-date'
  const skewMs = Math.abs(atEpochMs - nowEpochMs)
  return skewMs > MAX_SKEW_MS ? `x-amz-date is off by ${Math.round(skewMs / 1000)} s` : undefined
}

/** The time that `20261124T233000Z` stands for; undefined when it is no such date. */
export function amzDateEpochMs(date: string | undefined): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
    .exec(date ?? '')
    ?.slice(1)
    .map(Number)
  if (parts === undefined) return undefined
  const [year = 0, month = 1, dayOfMonth = 1, hour = 0, minute = 0, second = 0] = parts
  return Date.UTC(year, month - 1, dayOfMonth, hour, minute, second)
}

function checkNames(names: readonly string[], request: SignedRequest): string | undefined {
  if (names.join(';') !== names.toSorted().join(';')) return 'the signed headers are not in order'
  const missing = ['host', 'x-amz-date'].find((name) => !names.includes(name))
  if (missing !== undefined) return `${missing} is not signed`
  const absent = names.find((name) => request.headers[name] === undefined)
  if (absent !== undefined) return `the signed header ${absent} is not in the request`
  const unsigned = Object.keys(request.headers).find((name) => name.startsWith('x-amz-') && !names.includes(name))
  if (unsigned !== undefined) return `${unsigned} is not signed`
  const claimed = request.headers['x-amz-content-sha256']
  return claimed !== undefined && claimed !== sha256(request.body) ? 'the body has another digest' : undefined
}

/** The signature that a request should carry. `payloadHash` is the last line of the canonical request. */
export function signatureOf(
  request: SignedRequest,
  claim: Authorization,
  secretAccessKey: string,
  payloadHash: string,
): string {
  const { names, service } = claim
  const lines = [request.method, canonicalPath(request.path, service), canonicalQuery(request.rawQuery)]
  for (const name of names) lines.push(`${name}:${squeeze(request.headers[name] ?? '')}`)
  lines.push('', names.join(';'), payloadHash)
  const date = request.headers['x-amz-date'] ?? ''
  const toSign = `AWS4-HMAC-SHA256\n${date}\n${scopeText(claim)}\n${sha256(lines.join('\n'))}`
  return createHmac('sha256', signingKey(claim, secretAccessKey)).update(toSign).digest('hex')
}

/** The credential scope as it is signed: `20261124/us-east-1/s3/aws4_request`. */
export function scopeText({ day, region, service }: Authorization): string {
  return `${day}/${region}/${service}/aws4_request`
}

/** The key of one day, region and service. */
export function signingKey({ day, region, service }: Authorization, secretAccessKey: string): Buffer {
  let key = Buffer.from(`AWS4${secretAccessKey}`)
  for (const part of [day, region, service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest()
  return key
}

/** Compares two signatures, both 64 hexadecimal digits. */
export function isSame(expected: string, claimed: string): boolean {
  return timingSafeEqual(Buffer.from(expected, 'hex'), Buffer.from(claimed, 'hex'))
}

/** The path as it came over the wire, encoded once more (every service but S3 does this). */
function canonicalPath(path: string, service: string): string {
  return service === 's3' ? path : encodeBytes(path, true)
}

function canonicalQuery(rawQuery: string): string {
  if (rawQuery === '') return ''
  return rawQuery
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=')
      const name = equals === -1 ? pair : pair.slice(0, equals)
      const value = equals === -1 ? '' : pair.slice(equals + 1)
      return `${encodeBytes(decodeURIComponent(name), false)}=${encodeBytes(decodeURIComponent(value), false)}`
    })
    .toSorted()
    .join('&')
}

/** Percent-encodes every byte that RFC 3986 does not call unreserved. */
function encodeBytes(text: string, keepSlash: boolean): string {
  let encoded = ''
  for (const byte of Buffer.from(text)) {
    const char = String.fromCharCode(byte)
    const isKept = /[A-Za-z0-9._~-]/.test(char) || (keepSlash && char === '/')
    encoded += isKept ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

function squeeze(value: string): string {
  return value.trim().replaceAll(/ +/g, ' ')
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function wrong(message: string): SignatureProblem {
  return { type: 'InvalidSignatureException', message }
}
