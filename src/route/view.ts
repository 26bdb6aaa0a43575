import { placeName } from '#contract/place.ts'
import type { Alias, Target } from '#contract/target.ts'
import type { BreakerState } from './breaker.ts'
import { type RouteDeps, preview } from './choose.ts'
import type { Sketch } from './sketch.ts'
import type { TargetState } from './target-state.ts'
import type { WarmState } from './warmth.ts'

/** What is known of one target, for people. */
export interface TargetView {
  readonly name: string
  readonly provider: string
  readonly place: string
  readonly model: string
  readonly simulated: boolean
  readonly pool: string | undefined
  readonly state: BreakerState | 'slow'
  /** Milliseconds until its breaker lets a call through. */
  readonly outMs: number
  readonly inFlight: number
  /** Times to the first content of streams, and of whole answers. */
  readonly streams: Quantiles
  readonly wholes: Quantiles
  /** Absent: it does not sleep. */
  readonly warmth: WarmthView | undefined
  /** Absent: nothing was read lately. */
  readonly queue: { readonly running: number; readonly waiting: number; readonly cacheUsage: number } | undefined
  /** What was wrong with the last reading of its metrics; empty: nothing. */
  readonly queueTrouble: string
  readonly usdPerMillionInput: number
  readonly usdPerMillionOutput: number
  readonly priceSource: string
}

/** `samples` counts old ones for less. `source` says whether the figures were measured or are assumed. */
export interface Quantiles {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly samples: number
  readonly source: 'measured' | 'assumed'
}

export interface WarmthView {
  readonly state: WarmState
  /** Probability that whoever asks now waits for a start. */
  readonly cold: number
  /** Milliseconds since it did something; undefined: not seen yet. */
  readonly idleMs: number | undefined
  readonly startP50Ms: number
  readonly startP95Ms: number
  /** Cold starts that were seen; 0: the figures are the configuration's. */
  readonly startsSeen: number
  /** Why it could not be woken; empty: nothing went wrong. */
  readonly trouble: string
  /** Until when it is kept awake, in epoch milliseconds; undefined: it is not. */
  readonly keptUntilEpochMs: number | undefined
}

export interface AliasView {
  readonly name: string
  readonly strategy: string
  /** What the router would do now, and why. */
  readonly now: string
}

export function targetViews(deps: RouteDeps): TargetView[] {
  return [...deps.targets.values()].map((target) => viewOf(deps, target))
}

export function aliasViews(deps: RouteDeps, aliases: Iterable<Alias>): AliasView[] {
  return [...aliases].map((alias) => ({
    name: alias.name,
    strategy: alias.routing.strategy,
    now: preview(deps, alias),
  }))
}

function viewOf({ router }: RouteDeps, target: Target): TargetView {
  const state = router.stateOf(target)
  const now = router.options.clock()
  const { name, provider, place, model, simulated, pool, price } = target
  const reading = state.freshReading(now)
  return {
    name,
    provider,
    place: placeName(place),
    model,
    simulated,
    pool,
    state: state.breaker.state === 'ok' && state.slowness.isSlow ? 'slow' : state.breaker.state,
    outMs: Math.round(state.breaker.waitMs(now)),
    inFlight: state.inFlight,
    streams: quantiles(state.streams, state.expectMs(true, now), now),
    wholes: quantiles(state.wholes, state.expectMs(false, now), now),
    warmth: target.scaling && warmthOf(state, now, router.keeper.keptUntilEpochMs(target)),
    queue: reading && { running: reading.running, waiting: reading.waiting, cacheUsage: reading.cacheUsage },
    queueTrouble: state.readingTrouble,
    usdPerMillionInput: price.usdPerMillionInput,
    usdPerMillionOutput: price.usdPerMillionOutput,
    priceSource: price.source,
  }
}

function quantiles(sketch: Sketch, expectMs: number, now: number): Quantiles {
  const samples = sketch.samples(now)
  const isMeasured = samples >= 1
  return {
    p50Ms: rounded(isMeasured ? sketch.p50 : expectMs),
    p95Ms: rounded(isMeasured ? sketch.p95 : expectMs),
    samples: Math.round(samples),
    source: isMeasured ? 'measured' : 'assumed',
  }
}

function warmthOf(state: TargetState, now: number, keptUntilEpochMs: number | undefined): WarmthView | undefined {
  const { warmth } = state
  if (warmth === undefined) return undefined
  const idleMs = state.inFlight > 0 ? 0 : warmth.idleMs(now)
  return {
    state: warmth.state(now),
    cold: Math.round(state.coldNow(now) * 1000) / 1000,
    idleMs: Number.isFinite(idleMs) ? Math.round(idleMs) : undefined,
    startP50Ms: Math.round(warmth.startQuantile(0.5)),
    startP95Ms: Math.round(warmth.startQuantile(0.95)),
    startsSeen: warmth.seenStarts,
    trouble: state.wakeTrouble,
    keptUntilEpochMs,
  }
}

function rounded(ms: number): number {
  return ms < 100 ? Math.round(ms * 10) / 10 : Math.round(ms)
}
