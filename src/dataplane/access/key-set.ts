import { Refusal } from '#contract/refusal.ts'
import { createLocalJWKSet } from 'jose'
import { z } from 'zod'

/** Keys of the control plane, as `jwtVerify` of jose takes them. */
type KeySet = ReturnType<typeof createLocalJWKSet>

export interface KeySource {
  /** The last good keys; fetches when there are none yet, or when they are older than `MAX_AGE_MS`. */
  current(): Promise<KeySet>
  /** Fetches again, at most once in `REFETCH_MS`; the last good keys when that fails or was too soon. */
  refreshed(): Promise<KeySet>
}

/** An unknown key id may be a rotation, or a forger who makes us ask: so not more often than this. */
const REFETCH_MS = 5000
/** A key that the control plane no longer has is forgotten after this time. */
const MAX_AGE_MS = 5 * 60 * 1000
const FETCH_TIMEOUT_MS = 3000

const Jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) })

/** @throws {Refusal} IDENTITY_UNAVAILABLE from both functions while no keys have ever been had. */
export function createKeySource(fetchKeys: () => Promise<unknown>, now: () => number): KeySource {
  let good: KeySet | undefined
  let pending: Promise<void> | undefined
  let triedAtEpochMs = Number.NEGATIVE_INFINITY
  let failure: unknown

  async function fetchOnce(): Promise<void> {
    try {
      const answer = await Promise.race([fetchKeys(), rejectAfter(FETCH_TIMEOUT_MS)])
      good = createLocalJWKSet(Jwks.parse(answer))
      failure = undefined
    } catch (error) {
      failure = error
    }
  }

  async function refreshed(): Promise<KeySet> {
    if (pending === undefined && now() - triedAtEpochMs >= REFETCH_MS) {
      triedAtEpochMs = now()
      pending = fetchOnce().finally(() => (pending = undefined))
    }
    await pending
    if (good !== undefined) return good
    throw new Refusal('IDENTITY_UNAVAILABLE', 'the control plane gave no signing keys to check the passport with', {
      cause: failure,
      retryAfterS: REFETCH_MS / 1000,
    })
  }

  return {
    async current() {
      const isFresh = now() - triedAtEpochMs < MAX_AGE_MS
      return good !== undefined && isFresh ? good : await refreshed()
    },
    refreshed,
  }
}

async function rejectAfter(ms: number): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  setTimeout(() => reject(new Error(`no keys within ${ms} ms`)), ms).unref()
  return await promise
}
