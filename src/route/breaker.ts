/** Failures in a row after which a target is left alone. */
const OPEN_AFTER = 5
/** How long it is left alone before one call may try it again. */
const OPEN_MS = 10_000
/** The longest that a target's own Retry-After is believed. */
const MAX_RETRY_AFTER_MS = 60_000

export type BreakerState = 'ok' | 'out' | 'probing'

/** The circuit breaker of one target, on a clock that never jumps. In memory of this process. */
export class Breaker {
  #failures = 0
  /** Until when it is left alone; 0: it is not. */
  #outUntilMs = 0
  /** One call may try a target whose time is up; the others wait for its outcome. */
  #isProbing = false

  /** Whether a call may go there now; asking when its time is up takes the one probe. */
  admits(nowMs: number): boolean {
    if (this.#outUntilMs === 0) return true
    if (this.#isProbing || this.#outUntilMs > nowMs) return false
    this.#isProbing = true
    return true
  }

  succeeded(): void {
    this.#failures = 0
    this.#outUntilMs = 0
    this.#isProbing = false
  }

  /** `retryAfterS` when the target said how long it wants to be left alone. */
  failed(nowMs: number, retryAfterS?: number): void {
    this.#failures += 1
    const wasProbing = this.#isProbing
    this.#isProbing = false
    if (retryAfterS !== undefined) this.#outUntilMs = nowMs + Math.min(retryAfterS * 1000, MAX_RETRY_AFTER_MS)
    else if (wasProbing || this.#failures >= OPEN_AFTER) this.#outUntilMs = nowMs + OPEN_MS
  }

  /** The call ended without saying anything about the target. */
  released(): void {
    this.#isProbing = false
  }

  /** Milliseconds until it may be tried; 0 when it may now. */
  waitMs(nowMs: number): number {
    if (this.#isProbing) return PROBE_WAIT_MS
    return Math.max(0, this.#outUntilMs - nowMs)
  }

  get state(): BreakerState {
    if (this.#outUntilMs === 0) return 'ok'
    return this.#isProbing ? 'probing' : 'out'
  }
}

/** What a probe is taken to need. */
const PROBE_WAIT_MS = 1000
