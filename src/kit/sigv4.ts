/** AWS Signature Version 4 for requests with a text body (docs.aws.amazon.com, "Signature Version 4 signing process"). */
import { createHmac, hash } from 'node:crypto'
import { Lru } from './lru.ts'

export interface SigV4Request {
  readonly method: string
  readonly url: URL
  /** Headers to sign beside `host` and `x-amz-date`; lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export interface SigV4Scope {
  readonly service: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** `20261124T233000Z`. */
  readonly amzDate: string
}

/** Headers to add: `x-amz-date`, `x-amz-content-sha256`, `authorization`. */
export function signV4(request: SigV4Request, scope: SigV4Scope): Record<string, string> {
  const payloadHash = sha256Hex(request.body)
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.url.host,
    'x-amz-content-sha256': payloadHash,
    'x-amz-date': scope.amzDate,
  }
  const names = Object.keys(headers).toSorted()
  const signedHeaders = names.join(';')
  const canonical = [
    request.method,
    canonicalPath(request.url.pathname, scope.service),
    canonicalQuery(request.url.searchParams),
    ...names.map((name) => `${name}:${(headers[name] ?? '').trim().replaceAll(/\s+/g, ' ')}`),
    '',
    signedHeaders,
    payloadHash,
  ].join('\n')
  const day = scope.amzDate.slice(0, 8)
  const credentialScope = `${day}/${scope.region}/${scope.service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', scope.amzDate, credentialScope, sha256Hex(canonical)].join('\n')
  const signature = hmac(signingKey(scope, day), toSign).toString('hex')
  return {
    'x-amz-date': scope.amzDate,
    'x-amz-content-sha256': payloadHash,
    authorization: `AWS4-HMAC-SHA256 Credential=${scope.accessKeyId}/${credentialScope}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
  }
}

/** `20261124T233000Z` for a time in epoch milliseconds. */
export function amzDate(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

/** Keys are the same for a day: four of five HMACs of a call are saved. In memory, as the secrets themselves are. */
const signingKeys = new Lru<string, Buffer>(256)

function signingKey(scope: SigV4Scope, day: string): Buffer {
  const name = `${scope.secretAccessKey}\n${day}\n${scope.region}\n${scope.service}`
  const known = signingKeys.get(name)
  if (known !== undefined) return known
  const dateKey = hmac(`AWS4${scope.secretAccessKey}`, day)
  const key = hmac(hmac(hmac(dateKey, scope.region), scope.service), 'aws4_request')
  signingKeys.set(name, key)
  return key
}

/** Every service but S3 encodes the path once more: `%3A` becomes `%253A`. */
function canonicalPath(path: string, service: string): string {
  if (service === 's3') return path
  return path.split('/').map(encodeRfc3986).join('/')
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
    .toSorted()
    .join('&')
}

function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function sha256Hex(text: string | Uint8Array): string {
  return hash('sha256', text, 'hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
