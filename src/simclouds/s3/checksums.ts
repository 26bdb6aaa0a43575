import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { crc32c, crc64nvme } from './crc.ts'
import { S3Problem } from './problem.ts'

export const CHECKSUM_ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const

export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number]

/** A checksum of an object. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  /** Base64; of a composite one with `-` and the number of parts. */
  readonly value: string
  readonly type: 'FULL_OBJECT' | 'COMPOSITE'
}

type Headers = Readonly<Record<string, string>>

const DIGEST_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
}

const DIGESTS: Readonly<Record<ChecksumAlgorithm, (bytes: Uint8Array) => Buffer>> = {
  CRC32: (bytes) => {
    const out = Buffer.alloc(4)
    out.writeUInt32BE(crc32(bytes))
    return out
  },
  CRC32C: crc32c,
  CRC64NVME: crc64nvme,
  SHA1: (bytes) => createHash('sha1').update(bytes).digest(),
  SHA256: (bytes) => createHash('sha256').update(bytes).digest(),
}

/** Base64 of the digest of some bytes. */
export function digestOf(algorithm: ChecksumAlgorithm, bytes: Uint8Array): string {
  return DIGESTS[algorithm](bytes).toString('base64')
}

/** `x-amz-checksum-crc32` and the like. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`
}

/** How a checksum is returned. */
export function checksumHeaders({ algorithm, value, type }: Checksum): Record<string, string> {
  return { [checksumHeader(algorithm)]: value, 'x-amz-checksum-type': type }
}

/** @throws {S3Problem} InvalidRequest when S3 knows no such algorithm. */
export function readAlgorithm(name: string): ChecksumAlgorithm {
  const known = CHECKSUM_ALGORITHMS.find((each) => each === name.toUpperCase())
  if (known === undefined)
    throw new S3Problem(
      'InvalidRequest',
      'Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]',
    )
  return known
}

/**
 * Checks a body against whatever its sender said about it, in headers or trailers. The checksum that was sent, or
 * undefined when none was.
 * @throws {S3Problem} BadDigest when one differs, InvalidDigest or InvalidRequest when it can not be one.
 */
export function verifyChecksums(headers: Headers, trailers: Headers, body: Uint8Array): Checksum | undefined {
  checkMd5(headers['content-md5'], body)
  const claims = CHECKSUM_ALGORITHMS.flatMap((algorithm) => {
    const value = headers[checksumHeader(algorithm)] ?? trailers[checksumHeader(algorithm)]
    return value === undefined ? [] : [{ algorithm, value, type: 'FULL_OBJECT' as const }]
  })
  if (claims.length > 1)
    throw new S3Problem(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    )
  const [claim] = claims
  checkAnnounced(headers['x-amz-sdk-checksum-algorithm'], claim)
  if (claim === undefined) return undefined
  const { algorithm, value } = claim
  if (Buffer.from(value, 'base64').length !== DIGEST_BYTES[algorithm])
    throw new S3Problem('InvalidRequest', `Value for ${checksumHeader(algorithm)} header is invalid.`)
  if (digestOf(algorithm, body) !== value)
    throw new S3Problem('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
  return claim
}

function checkAnnounced(announced: string | undefined, claim: Checksum | undefined): void {
  if (announced === undefined || readAlgorithm(announced) === claim?.algorithm) return
  throw new S3Problem(
    'InvalidRequest',
    'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
  )
}

function checkMd5(claimed: string | undefined, body: Uint8Array): void {
  if (claimed === undefined) return
  if (Buffer.from(claimed, 'base64').length !== 16)
    throw new S3Problem('InvalidDigest', 'The Content-MD5 you specified was invalid.')
  if (createHash('md5').update(body).digest('base64') !== claimed)
    throw new S3Problem('BadDigest', 'The Content-MD5 you specified did not match what we received.')
}
