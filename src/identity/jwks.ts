import { type CryptoKey, type JWK, importJWK } from 'jose'
import { z } from 'zod'
import { type Trip, detached } from '#contract/crossing.ts'
import { Refusal } from '#contract/refusal.ts'

/** How tokens may be signed. Asymmetric only: a shared secret would let whoever checks a token make one. */
export type Algorithm = 'RS256' | 'PS256' | 'ES256'

/** Signing keys of one issuer. */
export interface KeySet {
  /**
   * The key with this id for this algorithm, fetched again when it is not known.
   * Undefined when the issuer does not have it either.
   * @throws {Refusal} IDENTITY_UNAVAILABLE when no keys are known and the issuer can not be asked.
   */
  find(kid: string, algorithm: Algorithm, trip: Trip): Promise<SigningKey | undefined>
}

export interface SigningKey {
  readonly key: CryptoKey
  /** Entra names an issuer beside each key; a token of another issuer may not use it. */
  readonly issuer: string | undefined
}

const Jwks = z.object({ keys: z.array(z.unknown()) })
const SigningJwk = z.looseObject({
  kid: z.string().min(1),
  kty: z.enum(['RSA', 'EC']),
  use: z.literal('sig').optional(),
  alg: z.string().optional(),
  crv: z.string().optional(),
  issuer: z.string().optional(),
})

/** Keys are asked for again after this long, as Microsoft advises (24 h), when nobody asked before. */
const REFRESH_MS = 24 * 60 * 60 * 1000
/**
 * An unknown key id asks the issuer: at once, so that nobody notices a rollover, but no more than a few times in a row
 * and then once in this time, so that forged ids do not become load on it.
 */
const COOLDOWN_MS = 5000
const BURST = 3

/** Keys by id and algorithm. */
type Keys = ReadonlyMap<string, SigningKey>

/**
 * `fetchJwks` resolves to the issuer's parsed JWKS document. It serves everybody who waits, so it gets a trip
 * that does not end when the caller who began it leaves.
 */
export function createKeySet(
  issuerName: string,
  fetchJwks: (trip: Trip) => Promise<unknown>,
  nowEpochMs: () => number,
  algorithms: readonly Algorithm[] = ['RS256'],
): KeySet {
  let keys: Keys = new Map()
  let triedAt = Number.NEGATIVE_INFINITY
  let burst = 0
  let loadedAt = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | undefined

  const load = async (trip: Trip): Promise<void> => {
    burst = nowEpochMs() - triedAt < COOLDOWN_MS ? burst + 1 : 1
    triedAt = nowEpochMs()
    const loaded = await usableKeys(await fetchJwks(detached(trip)), algorithms)
    // An issuer signs with something: a document without keys is a fault on the way, not a withdrawal of them all.
    if (loaded.size === 0) throw new Error('the document holds no signing key that can be used')
    // Keys of before are kept only through the fetch: a key that the issuer withdrew is gone.
    keys = loaded
    loadedAt = nowEpochMs()
  }

  const refresh = async (trip: Trip): Promise<void> => {
    underWay ??= load(trip).finally(() => {
      underWay = undefined
    })
    await underWay
  }

  return {
    async find(kid, algorithm, trip) {
      const name = `${algorithm} ${kid}`
      const known = keys.get(name)
      const now = nowEpochMs()
      if (known !== undefined) {
        // Refresh behind the request's back; a failure keeps what is known.
        if (now - loadedAt > REFRESH_MS && now - triedAt > COOLDOWN_MS) refresh(trip).catch(() => undefined)
        return known
      }
      if (underWay === undefined && burst >= BURST && now - triedAt < COOLDOWN_MS && keys.size > 0) return undefined
      try {
        await refresh(trip)
      } catch (error) {
        throw new Refusal('IDENTITY_UNAVAILABLE', `the signing keys of issuer \`${issuerName}\` can not be fetched`, {
          cause: error,
          retryAfterS: 5,
        })
      }
      return keys.get(name)
    },
  }
}

/** What can not be used is passed over: one odd key must not take the others away. */
async function usableKeys(document: unknown, algorithms: readonly Algorithm[]): Promise<Keys> {
  const loaded = new Map<string, SigningKey>()
  for (const item of Jwks.parse(document).keys) {
    const read = SigningJwk.safeParse(item)
    if (!read.success) continue
    const jwk = read.data
    for (const algorithm of algorithms) {
      if (!fits(jwk, algorithm)) continue
      const key = await importJWK(jwk as JWK, algorithm).catch(() => undefined)
      if (key !== undefined && !(key instanceof Uint8Array))
        loaded.set(`${algorithm} ${jwk.kid}`, { key, issuer: jwk.issuer })
    }
  }
  return loaded
}

/** A key that names its algorithm is for that one alone. */
function fits({ kty, alg, crv }: z.infer<typeof SigningJwk>, algorithm: Algorithm): boolean {
  if (alg !== undefined && alg !== algorithm) return false
  return algorithm === 'ES256' ? kty === 'EC' && crv === 'P-256' : kty === 'RSA'
}
