import { concatBytes } from '#tlog/bytes.ts'

/* RFC 3161 in DER, as much as asking for a stamp takes. The token itself is checked by whoever relies on it. */

const INTEGER = 0x02
const OCTET_STRING = 0x04
const SEQUENCE = 0x30
/** AlgorithmIdentifier of SHA-256: 2.16.840.1.101.3.4.2.1 with NULL. */
const SHA256 = Uint8Array.of(0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00)
const VERSION_1 = Uint8Array.of(INTEGER, 1, 1)
const CERT_REQ = Uint8Array.of(0x01, 1, 0xff)
/** PKIStatus: granted, granted with modifications. */
const GRANTED = [0, 1]

/** A TimeStampReq for a SHA-256 digest: with this nonce, and the authority's certificate wanted in the token. */
export function timestampQuery(digest: Uint8Array, nonce: Uint8Array): Uint8Array {
  const imprint = element(SEQUENCE, SHA256, element(OCTET_STRING, digest))
  return element(SEQUENCE, VERSION_1, imprint, unsigned(nonce), CERT_REQ)
}

/**
 * Whether a TimeStampResp grants a stamp, and holds the digest and the nonce that were sent.
 * A reason when it does not; undefined when it does.
 */
export function timestampProblem(response: Uint8Array, digest: Uint8Array, nonce: Uint8Array): string | undefined {
  const outer = contentOf(response, SEQUENCE)
  const status = outer === undefined ? undefined : contentOf(outer, SEQUENCE)
  const code = status === undefined ? undefined : contentOf(status, INTEGER)
  if (code === undefined || code.length !== 1) return 'the answer is not a time-stamp response'
  if (!GRANTED.includes(code[0] ?? -1)) return `the authority refused, status ${code[0]}`
  const bytes = Buffer.from(response)
  if (!bytes.includes(Buffer.from(element(OCTET_STRING, digest)))) return 'the stamp is of something else'
  return bytes.includes(Buffer.from(unsigned(nonce))) ? undefined : 'the stamp answers another request'
}

/** A positive INTEGER: no needless zeros in front, one where the first bit would make it negative. */
function unsigned(bytes: Uint8Array): Uint8Array {
  const from = bytes.findIndex((byte) => byte !== 0)
  const digits = from === -1 ? Uint8Array.of(0) : bytes.slice(from)
  return (digits[0] ?? 0) < 0x80 ? element(INTEGER, digits) : element(INTEGER, Uint8Array.of(0), digits)
}

function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...parts)
  // Nothing that is asked for is longer: the query has some sixty bytes.
  if (content.length > 127) throw new RangeError('an element of this length is not made here')
  return concatBytes(Uint8Array.of(tag, content.length), content)
}

/** Content of the element that the bytes begin with, or undefined when they do not begin with one of this tag. */
function contentOf(bytes: Uint8Array, tag: number): Uint8Array | undefined {
  const short = bytes[1]
  if (bytes[0] !== tag || short === undefined) return undefined
  const lengthBytes = short < 0x80 ? 0 : short & 0x7f
  if (lengthBytes > 4) return undefined
  const length = lengthBytes === 0 ? short : bytes.slice(2, 2 + lengthBytes).reduce((sum, byte) => sum * 256 + byte, 0)
  const content = bytes.subarray(2 + lengthBytes, 2 + lengthBytes + length)
  return content.length === length ? content : undefined
}
