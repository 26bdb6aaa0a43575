/** Times in a row, or calls that wait longer already, that make a target a slow one. */
const SLOW_AFTER = 3
/** A time is slow beyond so many medians and so many times the 95th percentile. */
const MEDIANS = 3
const P95S = 1.5
/** Times that have to be known before one can be slow. */
const MIN_SAMPLES = 20
/** How long a slow target is left alone before one call tries it again; doubled each time that it is slow still. */
const FIRST_PAUSE_MS = 2000
const MAX_PAUSE_MS = 30_000

/** Notices that a target has become much slower than it was, and lets one call at a time find out when that is over. */
export class Slowness {
  #streak = 0
  #lastMs = 0
  #slowUntilMs = 0
  #pauseMs = FIRST_PAUSE_MS
  #isProbing = false

  /** Milliseconds beyond which a time is slow; Infinity while too little is known. */
  static threshold(samples: number, p50: number, p95: number): number {
    return samples < MIN_SAMPLES ? Number.POSITIVE_INFINITY : Math.max(MEDIANS * p50, P95S * p95)
  }

  saw(ms: number, threshold: number, nowMs: number): void {
    const wasProbing = this.#isProbing
    this.#isProbing = false
    if (ms <= threshold) {
      this.#streak = 0
      // One that was slow is itself again once a probe, or anything else, comes back in time.
      if (this.#slowUntilMs !== 0) this.#pauseMs = FIRST_PAUSE_MS
      this.#slowUntilMs = 0
      return
    }
    this.#streak += 1
    this.#lastMs = ms
    if (this.#streak < SLOW_AFTER && !wasProbing) return
    if (wasProbing) this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2)
    this.#slowUntilMs = nowMs + this.#pauseMs
  }

  /** A call that was to find out ended without saying. */
  released(): void {
    this.#isProbing = false
  }

  /**
   * What to expect of it now: 0 when it is as it was, else milliseconds. `late` calls wait longer than the threshold
   * already.
   */
  expectMs(late: number, lateMs: number, nowMs: number): number {
    if (late + this.#streak >= SLOW_AFTER && late > 0) return Math.max(lateMs, this.#lastMs)
    if (this.#slowUntilMs === 0) return 0
    return nowMs < this.#slowUntilMs || this.#isProbing ? this.#lastMs : 0
  }

  get isSlow(): boolean {
    return this.#slowUntilMs !== 0
  }

  /** A call goes there: while the target is slow it is the one that finds out. */
  opened(nowMs: number): void {
    if (this.#slowUntilMs !== 0 && nowMs >= this.#slowUntilMs) this.#isProbing = true
  }
}
