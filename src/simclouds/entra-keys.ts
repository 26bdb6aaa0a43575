import { createHash } from 'node:crypto'
import { exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose'

/** One key to sign with. */
export interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly jwk: JWK
}

interface OldKey {
  readonly key: SigningKey
  readonly untilEpochMs: number
}

/** The keys of the directory: one that signs, and those before it that are still published. */
export class KeyRing {
  /** The key of personal accounts: published beside the others, and good for that one directory. */
  readonly personal: SigningKey
  #current: SigningKey
  #old: readonly OldKey[] = []
  readonly #oldKeyMs: number

  private constructor(first: SigningKey, personal: SigningKey, oldKeyMs: number) {
    this.personal = personal
    this.#current = first
    this.#oldKeyMs = oldKeyMs
  }

  /** @param oldKeyMs How long a key stays published once another one signs. */
  static async create(oldKeyMs: number): Promise<KeyRing> {
    return new KeyRing(await shared('first'), await shared('personal'), oldKeyMs)
  }

  get current(): SigningKey {
    return this.#current
  }

  /** Makes a new key sign. Returns its id. */
  async rotate(): Promise<string> {
    const next = await makeKey()
    this.#old = [...this.#published(), { key: this.#current, untilEpochMs: Date.now() + this.#oldKeyMs }]
    this.#current = next
    return next.kid
  }

  /** The keys that are published now, newest first. */
  published(): readonly SigningKey[] {
    return [
      this.#current,
      ...this.#published()
        .map(({ key }) => key)
        .toReversed(),
    ]
  }

  #published(): readonly OldKey[] {
    return this.#old.filter(({ untilEpochMs }) => untilEpochMs > Date.now())
  }
}

const sharedKeys = new Map<string, Promise<SigningKey>>()

/** One for every directory of this process, as the real ones are for the world: making a key takes a tenth of a second. */
function shared(name: 'first' | 'personal'): Promise<SigningKey> {
  const key = sharedKeys.get(name) ?? makeKey()
  sharedKeys.set(name, key)
  return key
}

/** A new RS256 key; its id is derived from its modulus. */
export async function makeKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwk = await exportJWK(publicKey)
  const kid = createHash('sha256').update(String(jwk.n)).digest('base64url').slice(0, 27)
  return { kid, privateKey, publicKey, jwk }
}
