/** Hedges that may be saved up. */
const MOST_SAVED = 10

/** A token bucket that requests fill: in an outage, when everything would be hedged, it runs dry and hedging stops. */
export class HedgeBudget {
  #saved = 1

  /** One more request of the alias; `percent` of them may be hedged. */
  earn(percent: number): void {
    this.#saved = Math.min(MOST_SAVED, this.#saved + percent / 100)
  }

  take(percent: number): boolean {
    if (percent === 0 || this.#saved < 1) return false
    this.#saved -= 1
    return true
  }
}
