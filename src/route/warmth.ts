import type { Scaling } from '#contract/target.ts'

/*
 * What is known about the sleep of a target that scales to zero. The probability that it is cold is learnt by how long
 * it was idle, the length of a cold start as a lognormal; both begin with what the configuration says and are soon
 * outweighed by what is seen.
 */

/** Borders of the idle gaps, as parts of the time after which it is taken to sleep: 1, 5, 10, 15 and 20 minutes of 15. */
const BORDERS = [1 / 15, 1 / 3, 2 / 3, 1, 4 / 3]
/** Probability of being cold in each gap before anything is seen: instances go after 10 to 15 minutes of 15. */
const PRIOR = [0.01, 0.02, 0.05, 0.4, 0.95, 0.99]
/** How many observations the prior counts for. */
const PRIOR_WEIGHT = 4
/** Spread of cold starts (of their logarithm) before anything is seen. */
const PRIOR_SIGMA = 0.35
/** Observations that are remembered for each gap; older ones fade. */
const REMEMBERED = 200

export type WarmState = 'warm' | 'unsure' | 'cold' | 'waking'

/** How often something was cold after each idle gap. */
class Gaps {
  readonly #cold = PRIOR.map(() => 0)
  readonly #warm = PRIOR.map(() => 0)

  add(gap: number, isCold: boolean): void {
    const side = isCold ? this.#cold : this.#warm
    side[gap] = (side[gap] ?? 0) + 1
    if ((this.#cold[gap] ?? 0) + (this.#warm[gap] ?? 0) <= REMEMBERED) return
    this.#cold[gap] = (this.#cold[gap] ?? 0) / 2
    this.#warm[gap] = (this.#warm[gap] ?? 0) / 2
  }

  /** `prior` counts as much as `PRIOR_WEIGHT` observations. */
  coldAfter(gap: number, prior: number): number {
    const cold = this.#cold[gap] ?? 0
    return (cold + prior * PRIOR_WEIGHT) / (cold + (this.#warm[gap] ?? 0) + PRIOR_WEIGHT)
  }
}

/** What targets of the same kind have in common: how long their cloud keeps the idle ones. */
export class Fleet {
  readonly gaps = new Gaps()
}

export class Warmth {
  readonly #scaling: Scaling
  readonly #fleet: Fleet
  readonly #own = new Gaps()
  #logSum: number
  #logSquares: number
  #starts = PRIOR_WEIGHT
  #seenStarts = 0
  /** When it last did something, on the router's clock; -Infinity: not seen yet. */
  #usedAtMs = Number.NEGATIVE_INFINITY
  /** Since when it is starting, as far as is known. */
  #wakingSinceMs = Number.NaN

  /** What one target of a fleet shows is what is assumed of the others, until they show it themselves. */
  constructor(scaling: Scaling, fleet = new Fleet()) {
    this.#scaling = scaling
    this.#fleet = fleet
    const log = Math.log(scaling.coldStartMs)
    this.#logSum = log * PRIOR_WEIGHT
    this.#logSquares = (log * log + PRIOR_SIGMA * PRIOR_SIGMA) * PRIOR_WEIGHT
  }

  /** Milliseconds since it last did something; Infinity when it was not seen yet. */
  idleMs(nowMs: number): number {
    return nowMs - this.#usedAtMs
  }

  /** It does something now. */
  used(nowMs: number): void {
    this.#usedAtMs = nowMs
    this.#wakingSinceMs = Number.NaN
  }

  /** It was asked to start. */
  waking(nowMs: number): void {
    if (Number.isNaN(this.#wakingSinceMs)) this.#wakingSinceMs = nowMs
  }

  /** It did not answer although nothing else speaks against it: it is taken to sleep. */
  asleep(): void {
    this.#usedAtMs = Number.NEGATIVE_INFINITY
    this.#wakingSinceMs = Number.NaN
  }

  /** Whoever asked it to start gave up. */
  notWaking(): void {
    this.#wakingSinceMs = Number.NaN
  }

  /** After so long an idle gap it turned out to be warm or cold. */
  observed(idleMs: number, isCold: boolean): void {
    const gap = this.#gap(idleMs)
    this.#own.add(gap, isCold)
    this.#fleet.gaps.add(gap, isCold)
  }

  /** A cold start took so long. */
  started(ms: number): void {
    const log = Math.log(Math.max(1, ms))
    this.#logSum += log
    this.#logSquares += log * log
    this.#starts += 1
    this.#seenStarts += 1
    if (this.#starts <= REMEMBERED) return
    this.#logSum /= 2
    this.#logSquares /= 2
    this.#starts /= 2
  }

  /** Probability that whoever asks now waits for a start. */
  coldNow(nowMs: number): number {
    if (!Number.isNaN(this.#wakingSinceMs)) return 1
    return this.coldAfter(this.idleMs(nowMs))
  }

  coldAfter(idleMs: number): number {
    const gap = this.#gap(idleMs)
    return this.#own.coldAfter(gap, this.#fleet.gaps.coldAfter(gap, PRIOR[gap] ?? 1))
  }

  /** Milliseconds that are left of the start under way, or that one would take from its beginning. */
  startMs(nowMs: number): number {
    const mean = Math.exp(this.#mu + this.#sigma ** 2 / 2)
    if (Number.isNaN(this.#wakingSinceMs)) return mean
    const waited = nowMs - this.#wakingSinceMs
    // One that is late already is late by a while more: a quarter of what it has taken.
    return Math.max(mean - waited, waited / 4)
  }

  /** Length of a cold start in milliseconds below which so many lie: `part` 0.5 or 0.95. */
  startQuantile(part: 0.5 | 0.95): number {
    return Math.exp(this.#mu + (part === 0.5 ? 0 : 1.645) * this.#sigma)
  }

  get seenStarts(): number {
    return this.#seenStarts
  }

  state(nowMs: number): WarmState {
    if (!Number.isNaN(this.#wakingSinceMs)) return 'waking'
    const cold = this.coldNow(nowMs)
    return cold < 0.2 ? 'warm' : cold < 0.5 ? 'unsure' : 'cold'
  }

  get #mu(): number {
    return this.#logSum / this.#starts
  }

  get #sigma(): number {
    return Math.sqrt(Math.max(0.01, this.#logSquares / this.#starts - this.#mu ** 2))
  }

  #gap(idleMs: number): number {
    const part = idleMs / this.#scaling.idleMs
    const gap = BORDERS.findIndex((border) => part < border)
    return gap === -1 ? BORDERS.length : gap
  }
}
