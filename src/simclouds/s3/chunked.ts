import { createHash, createHmac } from 'node:crypto'
import { isSame, scopeText } from '#simclouds/aws-signature.ts'
import type { SimRequest } from '#simclouds/service.ts'
import type { Authorized } from './authorize.ts'
import { S3Problem } from './problem.ts'

/** Every chunk but the last has at least so many bytes (Amazon S3 API Reference, "Transferring payload in multiple chunks"). */
const MIN_CHUNK_BYTES = 8_192
const EMPTY_SHA256 = createHash('sha256').digest('hex')
const CHUNK_HEAD = /^([0-9a-fA-F]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/
const TRAILER_SIGNATURE = 'x-amz-trailer-signature'

/** A body without its wrapping. */
export interface Payload {
  readonly body: Uint8Array
  /** Trailers by name, in lower case; none when the body did not come in chunks. */
  readonly trailers: Readonly<Record<string, string>>
}

/**
 * Takes the `aws-chunked` wrapping off, and checks the signatures of chunks and trailers.
 * @throws {S3Problem} as S3 refuses a body that is cut short, wrongly signed or wrongly announced.
 */
export function unwrap(request: SimRequest, authorized: Authorized): Payload {
  const { payload } = authorized
  if (payload === 'signed' || payload === 'UNSIGNED-PAYLOAD') return { body: request.body, trailers: {} }
  const length = request.headers['x-amz-decoded-content-length']
  if (length === undefined || !/^\d+$/.test(length))
    throw new S3Problem('MissingContentLength', 'You must provide the Content-Length HTTP header.')
  const reader = new ChunkReader(request, authorized)
  const body = reader.readChunks()
  if (body.length !== Number(length)) throw incomplete()
  return { body, trailers: reader.readTrailers(payload.endsWith('-TRAILER')) }
}

class ChunkReader {
  readonly #bytes: Buffer
  readonly #headers: SimRequest['headers']
  readonly #authorized: Authorized
  readonly #isSigned: boolean
  #at = 0
  #previous: string

  constructor(request: SimRequest, authorized: Authorized) {
    this.#bytes = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength)
    this.#headers = request.headers
    this.#authorized = authorized
    this.#isSigned = authorized.payload.startsWith('STREAMING-AWS4')
    this.#previous = authorized.claim.signature
  }

  readChunks(): Uint8Array {
    const chunks: Uint8Array[] = []
    for (;;) {
      const chunk = this.#readChunk()
      if (chunk.length === 0) return Buffer.concat(chunks)
      if ((chunks.at(-1)?.length ?? MIN_CHUNK_BYTES) < MIN_CHUNK_BYTES)
        throw new S3Problem(
          'InvalidChunkSizeError',
          'Only the last chunk is allowed to have a size less than 8192 bytes',
        )
      chunks.push(chunk)
    }
  }

  readTrailers(areExpected: boolean): Record<string, string> {
    const lines: string[] = []
    for (let line = this.#readLine(); line !== ''; line = this.#readLine()) lines.push(line)
    const trailers = Object.fromEntries(lines.map(splitTrailer))
    const { [TRAILER_SIGNATURE]: signature, ...named } = trailers
    const announced = (this.#headers['x-amz-trailer'] ?? '').split(',').map((name) => name.trim().toLowerCase())
    const names = Object.keys(named)
    if (areExpected ? names.join() !== announced.join() : names.length > 0)
      throw new S3Problem(
        'MalformedTrailerError',
        'The request contained trailing data that was not well-formed or did not conform to our published schema.',
      )
    if (this.#isSigned && areExpected) this.#checkTrailers(named, signature)
    return named
  }

  #readChunk(): Uint8Array {
    const head = CHUNK_HEAD.exec(this.#readLine())
    if (head === null) throw incomplete()
    const size = Number.parseInt(head[1] ?? '', 16)
    const chunk = this.#bytes.subarray(this.#at, this.#at + size)
    if (chunk.length < size) throw incomplete()
    this.#at += size
    if (size > 0 && this.#readLine() !== '') throw incomplete()
    if (this.#isSigned) this.#check('AWS4-HMAC-SHA256-PAYLOAD', [EMPTY_SHA256, sha256(chunk)], head[2])
    return chunk
  }

  #checkTrailers(trailers: Readonly<Record<string, string>>, signature: string | undefined): void {
    const canonical = Object.entries(trailers).map(([name, value]) => `${name}:${value}\n`)
    this.#check('AWS4-HMAC-SHA256-TRAILER', [sha256(Buffer.from(canonical.join('')))], signature)
  }

  #check(kind: string, digests: readonly string[], claimed: string | undefined): void {
    const { claim, key } = this.#authorized
    const date = this.#headers['x-amz-date'] ?? ''
    const toSign = [kind, date, scopeText(claim), this.#previous, ...digests].join('\n')
    const expected = createHmac('sha256', key).update(toSign).digest('hex')
    if (claimed === undefined || !/^[0-9a-f]{64}$/.test(claimed) || !isSame(expected, claimed))
      throw new S3Problem(
        'SignatureDoesNotMatch',
        'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      )
    this.#previous = expected
  }

  /** The next line without its end. */
  #readLine(): string {
    const end = this.#bytes.indexOf('\r\n', this.#at)
    if (end === -1) throw incomplete()
    const line = this.#bytes.toString('latin1', this.#at, end)
    this.#at = end + 2
    return line
  }
}

function splitTrailer(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, Math.max(colon, 0)).trim().toLowerCase(), line.slice(colon + 1).trim()]
}

function incomplete(): S3Problem {
  return new S3Problem('IncompleteBody', 'The request body terminated unexpectedly')
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
