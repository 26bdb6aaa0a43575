/** What a rule of `limits` can bound. Money is counted in whole millionths of a USD. */
export type LimitUnit = 'requests' | 'tokens' | 'microUsd'

/** Whole numbers; keys in canonical order. */
export interface LimitAmounts {
  readonly microUsd: number
  readonly requests: number
  readonly tokens: number
}

/** What limits did with one request. Keys in canonical order. */
export interface LimitTally {
  /** The most that was held for it at a time. */
  readonly reserved: LimitAmounts
  /** Names of the rules that applied; of a request that was refused, the one that refused it. */
  readonly rules: readonly string[]
  /** What was counted in the end. */
  readonly settled: LimitAmounts
}

/** How near the tightest rule is: OpenAI's `x-ratelimit-*`. */
export interface RateNote {
  readonly limit: number
  readonly remaining: number
  /** Seconds until the window ends. */
  readonly resetS: number
}

export interface RateNotes {
  readonly requests: RateNote | undefined
  readonly tokens: RateNote | undefined
}

/** What a request holds of the limits that apply to it, from before anything is paid until its end. */
export interface Reservation {
  readonly rates: RateNotes
  /** Ends it with what was really used; only the first call counts. Undefined: what was reserved is taken for used. */
  settle(used: LimitUse | undefined): LimitTally
}

/** What a request came to, as its entry has it. */
export interface LimitUse {
  /** Whether a target was asked, or anything was paid. */
  readonly isCounted: boolean
  readonly tokens: number
  /** Tokens that the model made: what later estimates learn from. */
  readonly outputTokens: number
  readonly microUsd: number
  /** Counted from what was seen, since the target did not say. */
  readonly isEstimated: boolean
}
