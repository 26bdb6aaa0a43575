/** What is known of one target's health, from the calls that were made. */
interface TargetHealth {
  failures: number
  /** Epoch milliseconds until which it is left alone. */
  outUntil: number
  /** One call may try a target whose time is up; the others wait for its outcome. */
  probing: boolean
}

/** Failures in a row after which a target is left alone. */
const OPEN_AFTER = 5
/** How long it is left alone before one call may try it again. */
const OPEN_MS = 10_000
/** The longest that a target's own Retry-After is believed. */
const MAX_RETRY_AFTER_MS = 60_000

export type TargetState = 'ok' | 'out' | 'probing'

/** Circuit breakers, one a target. In memory of this process. */
export interface Health {
  /** Whether a call may go there now; asking for a target whose time is up takes its one probe. */
  admits(target: string): boolean
  succeeded(target: string): void
  /** `retryAfterS` when the target said how long it wants to be left alone. */
  failed(target: string, retryAfterS?: number): void
  /** The call ended without saying anything about the target (the caller left). */
  released(target: string): void
  state(target: string): TargetState
  /** Milliseconds until the first of these targets may be tried; 0 when one may now. */
  waitMs(targets: readonly string[]): number
}

export function createHealth(nowEpochMs: () => number): Health {
  const known = new Map<string, TargetHealth>()
  const of = (target: string): TargetHealth => {
    let health = known.get(target)
    if (health === undefined) {
      health = { failures: 0, outUntil: 0, probing: false }
      known.set(target, health)
    }
    return health
  }
  return {
    admits(target) {
      const health = of(target)
      if (health.outUntil === 0) return true
      if (health.probing || health.outUntil > nowEpochMs()) return false
      health.probing = true
      return true
    },
    succeeded(target) {
      known.set(target, { failures: 0, outUntil: 0, probing: false })
    },
    failed(target, retryAfterS) {
      const health = of(target)
      health.failures += 1
      const wasProbing = health.probing
      health.probing = false
      if (retryAfterS !== undefined) health.outUntil = nowEpochMs() + Math.min(retryAfterS * 1000, MAX_RETRY_AFTER_MS)
      else if (wasProbing || health.failures >= OPEN_AFTER) health.outUntil = nowEpochMs() + OPEN_MS
    },
    released(target) {
      of(target).probing = false
    },
    state(target) {
      const health = known.get(target)
      if (health === undefined || health.outUntil === 0) return 'ok'
      return health.probing ? 'probing' : 'out'
    },
    waitMs(targets) {
      const waits = targets.map((target) => Math.max(0, (known.get(target)?.outUntil ?? 0) - nowEpochMs()))
      return waits.length === 0 ? 0 : Math.min(...waits)
    },
  }
}
