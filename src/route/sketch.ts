/** Ratio of two neighbouring bucket borders: quantiles are exact to 5 %. */
const STEP = 1.1
const LOG_STEP = Math.log(STEP)
/** Shortest and longest times that are told apart, in milliseconds. */
const MIN_MS = 0.1
const BUCKETS = 180
/** Part of the half-life that is taken for no time: a weight is off by less than 0.1 %. */
const NO_TIME = 0.001
/** New samples count more, by this factor, before everything is scaled down. */
const MAX_WEIGHT = 1e6

/**
 * A histogram of times with logarithmic buckets, in which old samples fade: after `halfLifeMs` one counts half. Adding
 * is a few operations; a quantile walks the buckets once and is kept until the next sample.
 */
export class Sketch {
  readonly #counts = new Float64Array(BUCKETS)
  readonly #halfLifeMs: number
  #total = 0
  /** Weight of a sample that comes now; grows instead of letting all others shrink. */
  #weight = 1
  #atMs: number
  #p50 = Number.NaN
  #p95 = Number.NaN

  constructor(halfLifeMs: number, nowMs: number) {
    this.#halfLifeMs = halfLifeMs
    this.#atMs = nowMs
  }

  add(ms: number, nowMs: number): void {
    this.#advance(nowMs)
    const bucket = ms <= MIN_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / MIN_MS) / LOG_STEP))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + this.#weight
    this.#total += this.#weight
    this.#p50 = Number.NaN
    this.#p95 = Number.NaN
  }

  /** Samples, each counted for as much as is left of it. */
  samples(nowMs: number): number {
    if (this.#total === 0) return 0
    this.#advance(nowMs)
    return this.#total / this.#weight
  }

  /** Median in milliseconds; NaN without samples. */
  get p50(): number {
    if (Number.isNaN(this.#p50)) this.#p50 = this.quantile(0.5)
    return this.#p50
  }

  get p95(): number {
    if (Number.isNaN(this.#p95)) this.#p95 = this.quantile(0.95)
    return this.#p95
  }

  /** `part` between 0 and 1. Milliseconds; NaN without samples. */
  quantile(part: number): number {
    if (this.#total === 0) return Number.NaN
    let seen = 0
    const wanted = part * this.#total
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#counts[bucket] ?? 0
      // The middle of the bucket, on the scale that the buckets have.
      if (seen >= wanted) return MIN_MS * STEP ** (bucket - 0.5)
    }
    return MIN_MS * STEP ** (BUCKETS - 1)
  }

  #advance(nowMs: number): void {
    const passed = nowMs - this.#atMs
    // So little makes no difference to the weights, and this is asked for each target of each decision.
    if (passed < this.#halfLifeMs * NO_TIME) return
    this.#atMs = nowMs
    this.#weight *= 2 ** (passed / this.#halfLifeMs)
    if (this.#weight < MAX_WEIGHT) return
    // Scaled by powers of two only: nothing is lost but what no longer counts.
    const scale = Number.isFinite(this.#weight) ? 1 / this.#weight : 0
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) this.#counts[bucket] = (this.#counts[bucket] ?? 0) * scale
    this.#total *= scale
    this.#weight = 1
  }
}
