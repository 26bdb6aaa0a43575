import { concatBytes, fromBase64, fromHex, sameBytes, toBase64, toHex, toUtf8 } from './bytes.ts'
import { TlogError } from './error.ts'
import { webSha256 } from './hash.ts'

/** Signature types of C2SP signed notes: a log's own, and a witness's with its time. */
export const LOG_KEY = 0x01
export const COSIGNER_KEY = 0x04
export type KeyType = typeof LOG_KEY | typeof COSIGNER_KEY

/** Bytes of an Ed25519 public key. */
const PUBLIC_BYTES = 32
const ID_BYTES = 4

/** A verifier key: who signs, with what kind of signature, and the public key. */
export interface VerifierKey {
  readonly name: string
  readonly type: KeyType
  /** First four bytes of SHA-256(name, line feed, type, key). */
  readonly id: Uint8Array
  readonly publicKey: Uint8Array
}

/** @throws {TlogError} for a name that a note can not carry. */
export async function verifierKey(name: string, type: KeyType, publicKey: Uint8Array): Promise<VerifierKey> {
  assertKeyName(name)
  if (publicKey.length !== PUBLIC_BYTES) throw new TlogError('an Ed25519 public key has 32 bytes')
  const digest = await webSha256(concatBytes(toUtf8(`${name}\n`), Uint8Array.of(type), publicKey))
  return { name, type, id: digest.slice(0, ID_BYTES), publicKey }
}

/** Names of keys, and so origins: not empty, no blank of any kind, no `+`. @throws {TlogError} */
export function assertKeyName(name: string): void {
  if (name === '' || /[\s+\p{Zs}\p{Cc}]/u.test(name) || !name.isWellFormed())
    throw new TlogError('a key name has neither blanks nor `+`')
}

/** `name+hex(id)+base64(type, key)`. */
export function formatVkey({ name, type, id, publicKey }: VerifierKey): string {
  return `${name}+${toHex(id)}+${toBase64(concatBytes(Uint8Array.of(type), publicKey))}`
}

/** @throws {TlogError} for what is not a verifier key of an Ed25519 log or witness. */
export async function parseVkey(text: string): Promise<VerifierKey> {
  // The key itself is Base64 and may hold `+`; the name may not.
  const [name = '', id = ''] = text.split('+', 2)
  const material = fromBase64(text.slice(name.length + id.length + 2))
  const type = material[0]
  if (type !== LOG_KEY && type !== COSIGNER_KEY) throw new TlogError('the verifier key is of an unknown type')
  const key = await verifierKey(name, type, material.slice(1))
  if (id.length !== 2 * ID_BYTES || !sameBytes(key.id, fromHex(id)))
    throw new TlogError('the verifier key does not match its own id')
  return key
}

/** Signs bytes with one key. */
export interface Signer {
  readonly key: VerifierKey
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>
}

/** Whether an Ed25519 signature is good. Any other trouble counts as no. */
export async function verifyEd25519(
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  try {
    const { subtle } = globalThis.crypto
    const key = await subtle.importKey('raw', concatBytes(publicKey), 'Ed25519', false, ['verify'])
    return await subtle.verify('Ed25519', key, concatBytes(signature), concatBytes(message))
  } catch {
    return false
  }
}
