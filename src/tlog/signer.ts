import { concatBytes } from './bytes.ts'
import { TlogError } from './error.ts'
import { type KeyType, type Signer, verifierKey } from './key.ts'

/** An Ed25519 private key as JSON (RFC 8037). */
export interface PrivateKey {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly d: string
}

export async function createPrivateKey(): Promise<PrivateKey> {
  const { subtle } = globalThis.crypto
  const pair = await subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TlogError('no key pair was made')
  const { x, d } = await subtle.exportKey('jwk', pair.privateKey)
  if (x === undefined || d === undefined) throw new TlogError('the key pair can not be exported')
  return { kty: 'OKP', crv: 'Ed25519', x, d }
}

/** A signer under a name: a log's origin, or a witness's name. @throws {TlogError} for a key that is none. */
export async function openSigner(name: string, type: KeyType, { kty, crv, x, d }: PrivateKey): Promise<Signer> {
  const { subtle } = globalThis.crypto
  let key: Awaited<ReturnType<typeof subtle.importKey>>
  try {
    key = await subtle.importKey('jwk', { kty, crv, x, d }, 'Ed25519', false, ['sign'])
  } catch {
    throw new TlogError('the private key is not an Ed25519 key')
  }
  const publicKey = Uint8Array.from(atob(x.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
  return {
    key: await verifierKey(name, type, publicKey),
    sign: async (message) => new Uint8Array(await subtle.sign('Ed25519', key, concatBytes(message))),
  }
}
