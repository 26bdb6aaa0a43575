import type { SecretValue } from '#contract/crossing.ts'
import { Lru } from '#kit/lru.ts'

/** A token as its issuer gave it, or several values that belong together. */
export interface IssuedToken<Value = SecretValue> {
  readonly secret: Value
  readonly expiresAtEpochMs: number
}

export interface TokenStore<Value = SecretValue> {
  /**
   * The token under this key, at once while it is good. `issue` asks for one; of several who wait, one asks. A token
   * near its end is still used while the next one is fetched, and when that fails.
   * @throws what `issue` throws when there is no token to go on with.
   */
  readonly get: (key: string, issue: () => Promise<IssuedToken<Value>>) => Value | Promise<Value>
}

/** A new one is asked for when this much is left, or a fifth of its life where that is less. */
const REFRESH_MS = 5 * 60 * 1000
/** A token with less left than this is not sent any more: it might not arrive in time. */
const MARGIN_MS = 30_000
/** After a refresh has failed behind somebody's back, the next try waits this long. */
const RETRY_MS = 10_000

interface Held<Value> extends IssuedToken<Value> {
  refreshAtEpochMs: number
}

/** Issued tokens in memory, the most used `capacity` of them. */
export function createTokenStore<Value = SecretValue>(capacity: number, nowEpochMs: () => number): TokenStore<Value> {
  const held = new Lru<string, Held<Value>>(capacity)
  const flights = new Map<string, Promise<Value>>()
  const fetch = (key: string, issue: () => Promise<IssuedToken<Value>>): Promise<Value> => {
    const underWay = flights.get(key)
    if (underWay !== undefined) return underWay
    const flight = issue()
      .then((issued) => {
        const now = nowEpochMs()
        const aheadMs = Math.min(REFRESH_MS, (issued.expiresAtEpochMs - now) / 5)
        held.set(key, { ...issued, refreshAtEpochMs: issued.expiresAtEpochMs - Math.max(aheadMs, MARGIN_MS) })
        return issued.secret
      })
      .finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }
  return {
    get: (key, issue) => {
      const known = held.get(key)
      const now = nowEpochMs()
      if (known === undefined || known.expiresAtEpochMs - MARGIN_MS <= now) return fetch(key, issue)
      if (known.refreshAtEpochMs <= now) {
        known.refreshAtEpochMs = now + RETRY_MS
        fetch(key, issue).catch(() => undefined)
      }
      return known.secret
    },
  }
}
