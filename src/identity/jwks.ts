import { type CryptoKey, type JWK, importJWK } from 'jose'
import { z } from 'zod'
import type { Trip } from '#contract/crossing.ts'
import { Refusal } from '#contract/refusal.ts'

/** Signing keys of one issuer. */
export interface KeySet {
  /**
   * The key with this id, fetched again when it is not known.
   * Undefined when the issuer does not have it either.
   * @throws {Refusal} IDENTITY_UNAVAILABLE when no keys are known and the issuer can not be asked.
   */
  find(kid: string, trip: Trip): Promise<SigningKey | undefined>
}

export interface SigningKey {
  readonly key: CryptoKey
  /** Entra names an issuer beside each key; a token of another issuer may not use it. */
  readonly issuer: string | undefined
}

const Jwks = z.object({
  keys: z.array(z.looseObject({ kid: z.string(), kty: z.string(), issuer: z.string().optional() })),
})

/** Keys are asked for again after this long, as Microsoft advises (24 h), when nobody asked before. */
const REFRESH_MS = 24 * 60 * 60 * 1000
/**
 * An unknown key id asks the issuer: at once, so that nobody notices a rollover, but no more than a few times in a row
 * and then once in this time, so that forged ids do not become load on it.
 */
const COOLDOWN_MS = 5000
const BURST = 3

/**
 * `fetchJwks` resolves to the issuer's parsed JWKS document. It serves everybody who waits, so it gets a trip
 * that does not end when the caller who began it leaves.
 */
export function createKeySet(
  issuerName: string,
  fetchJwks: (trip: Trip) => Promise<unknown>,
  nowEpochMs: () => number,
): KeySet {
  let keys = new Map<string, SigningKey>()
  let triedAt = Number.NEGATIVE_INFINITY
  let burst = 0
  let loadedAt = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | undefined

  const load = async (trip: Trip): Promise<void> => {
    burst = nowEpochMs() - triedAt < COOLDOWN_MS ? burst + 1 : 1
    triedAt = nowEpochMs()
    const { keys: documents } = Jwks.parse(await fetchJwks(detached(trip)))
    const loaded = new Map<string, SigningKey>()
    for (const document of documents) {
      if (document.kty !== 'RSA') continue
      const key = await importJWK(document as JWK, 'RS256')
      if (!(key instanceof Uint8Array)) loaded.set(document.kid, { key, issuer: document.issuer })
    }
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
    async find(kid, trip) {
      const known = keys.get(kid)
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
      return keys.get(kid)
    },
  }
}

function detached(trip: Trip): Trip {
  return { ...trip, signal: new AbortController().signal, calls: new Map() }
}
