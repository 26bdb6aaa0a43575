import type { Target } from './target.ts'

/** How the targets of an alias are put in order. */
export type Strategy = 'ordered' | 'fastest' | 'cheapest' | 'balanced'

/** How an alias is routed. */
export interface Routing {
  /** Default `ordered`: as the alias lists them. */
  readonly strategy: Strategy
  /** What a second until the first content is worth, for `balanced`. Default 0.001 USD. */
  readonly usdPerSecond: number
  /** Expected milliseconds of a cold start above which another target is asked. Default 1,000. */
  readonly detourAboveMs: number
  /** Milliseconds that a caller is held for a cold target where no other may answer. Default 60,000. */
  readonly maxWaitMs: number
  readonly hedge: {
    /** Hundredths of the alias's requests that a second target may be asked for; 0: none. Default 5. */
    readonly percent: number
    /** The least wait before it is asked, in milliseconds. Default 50. */
    readonly minMs: number
  }
  /** Whether the beginning of a prompt chooses among the shards of a pool. Default true. */
  readonly prefix: boolean
}

/**
 * How an answer came about: the first choice, another since that was cold, held for a cold one, the second leg of a
 * race, another since the first failed; or kept from before, or shared with somebody who asked the same.
 */
export type RouteKind = 'first' | 'detour' | 'hold' | 'hedge' | 'fallback' | 'cached' | 'shared' | ''

/** One target to try. */
export interface Leg {
  readonly target: Target
  /**
   * The target is taken to be cold: resolves when it is awake.
   * @throws {Refusal} INFER_COLD when it is not within the alias's `maxWaitMs`.
   */
  readonly awake?: (signal: AbortSignal) => Promise<void>
}

/** What the router decided for one request. */
export interface Plan {
  /** In the order in which they are tried; at most four. */
  readonly legs: readonly Leg[]
  readonly kind: 'first' | 'detour' | 'hold'
  /** Milliseconds without content after which the second leg is asked beside the first; undefined: never. */
  readonly hedgeAfterMs: number | undefined
  /** Names the tenant to servers that keep caches apart. */
  readonly salt: string
  /** Whether the alias's hedge budget has one left; takes it. */
  readonly takeHedge: () => boolean
  /** The decision in one line: candidates, what ruled each out, the choice. Made when it is asked for. */
  readonly line: () => string
}

/** What became of a call that was opened, told once each. */
export interface OpenCall {
  /** The first content is here. */
  began(): void
  /** The answer's end, or the caller left after content had come. */
  ended(): void
  /** It failed before content; `retryAfterS` when the target said how long it wants to be left alone. */
  failed(retryAfterS?: number): void
  /** Given up before content: it lost a race (`lost`), the caller left, or what it said is no news about its health. */
  dropped(lost: boolean): void
}

/** Who keeps an eye on the calls to targets. */
export interface Traffic {
  /** Begins a call; undefined when the target's breaker lets none through. `isStream`: content comes in pieces. */
  open(target: Target, isStream: boolean): OpenCall | undefined
}
