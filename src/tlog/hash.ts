import { concatBytes } from './bytes.ts'

/** Bytes of a SHA-256 hash. */
export const HASH_BYTES = 32

/** SHA-256 that answers at once, such as node:crypto's: what building a tree needs to be fast. */
export type Sha256 = (data: Uint8Array) => Uint8Array

/** SHA-256 that may answer later: what a browser has. */
export type AnySha256 = (data: Uint8Array) => Uint8Array | Promise<Uint8Array>

const LEAF_PREFIX = Uint8Array.of(0)
const NODE_PREFIX = 1

/** SHA-256 by WebCrypto: the same in Node and in a browser. */
export async function webSha256(data: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', concatBytes(data)))
}

/** What a leaf hash is the SHA-256 of: 0x00 and the entry (RFC 6962, section 2.1). */
export function leafData(entry: Uint8Array): Uint8Array {
  return concatBytes(LEAF_PREFIX, entry)
}

/** What a node hash is the SHA-256 of: 0x01 and both children. */
export function nodeData(left: Uint8Array, right: Uint8Array): Uint8Array {
  const data = new Uint8Array(1 + 2 * HASH_BYTES)
  data[0] = NODE_PREFIX
  data.set(left, 1)
  data.set(right, 1 + HASH_BYTES)
  return data
}

/** Root of the tree without entries: SHA-256 of nothing. */
export function emptyRoot<T>(sha256: (data: Uint8Array) => T): T {
  return sha256(new Uint8Array(0))
}
