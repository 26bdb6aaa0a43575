import type { Routing } from '#contract/route.ts'
import type { Target } from '#contract/target.ts'
import { type Prefix, type PrefixIndex, bid } from './prefix.ts'
import type { TargetState } from './target-state.ts'

/** One target that policy permits, with what the decision goes by. */
export interface Candidate {
  readonly target: Target
  readonly state: TargetState
  /** Milliseconds until its breaker lets a call through; 0: now. */
  readonly outMs: number
  /** Expected milliseconds to the first content once it is awake. */
  readonly expectMs: number
  /** Expected milliseconds of a cold start on top, its probability counted in. */
  readonly coldMs: number
  /** It has become much slower than it was. */
  readonly isSlow: boolean
  /** What the request is expected to cost; the dearest of the others where no price is given. */
  readonly usd: number
}

/** Tokens that a request is expected to take. */
export interface Size {
  readonly input: number
  readonly output: number
}

export interface Wanted {
  readonly routing: Routing
  readonly isStream: boolean
  readonly size: Size
  readonly prefix: Prefix
  readonly nowMs: number
}

/** Times within this factor of the best are as good: two of those are drawn and the less busy one is taken. */
const AS_GOOD = 1.2

export function candidatesOf(
  targets: readonly { readonly target: Target; readonly state: TargetState }[],
  { isStream, size, nowMs }: Wanted,
): Candidate[] {
  let dearest = 0
  const prices = targets.map(({ target: { price } }) => {
    const usd = (size.input * price.usdPerMillionInput + size.output * price.usdPerMillionOutput) / 1e6
    if (usd > dearest) dearest = usd
    return price.isKnown ? usd : Number.NaN
  })
  return targets.map(({ target, state }, at) => {
    const usd = prices[at] ?? Number.NaN
    return {
      target,
      state,
      outMs: state.breaker.waitMs(nowMs),
      expectMs: state.expectMs(isStream, nowMs),
      coldMs: state.coldWaitMs(nowMs),
      isSlow: state.isSlowNow(isStream, nowMs),
      usd: Number.isNaN(usd) ? dearest : usd,
    }
  })
}

/** The candidates as the strategy wants them, whether they are cold or not. `random`: 0 to below 1. */
export function rank(candidates: readonly Candidate[], wanted: Wanted, random: () => number): Candidate[] {
  switch (wanted.routing.strategy) {
    case 'ordered':
      return slowLast(candidates)
    case 'cheapest':
      return slowLast(
        candidates.toSorted(
          (a, b) =>
            Number(b.target.price.isKnown) - Number(a.target.price.isKnown) || a.usd - b.usd || a.expectMs - b.expectMs,
        ),
      )
    case 'fastest':
      return oneOfTheBest(candidates, ({ expectMs }) => expectMs, random)
    case 'balanced':
      return oneOfTheBest(
        candidates,
        ({ expectMs, usd }) => usd + (expectMs / 1000) * wanted.routing.usdPerSecond,
        random,
      )
  }
}

/** Preferred or cheap, a target that has become much slower than it was stands behind those that have not. */
function slowLast(candidates: readonly Candidate[]): Candidate[] {
  if (!candidates.some(({ isSlow }) => isSlow)) return [...candidates]
  return [...candidates.filter(({ isSlow }) => !isSlow), ...candidates.filter(({ isSlow }) => isSlow)]
}

/**
 * By score, but for the first: of those that are about as good as the best two are drawn, and the less busy one leads.
 * Many gateways that all send to the best one at once would make it the worst (power of two choices).
 */
function oneOfTheBest(
  candidates: readonly Candidate[],
  scoreOf: (candidate: Candidate) => number,
  random: () => number,
): Candidate[] {
  const scored = candidates.map((candidate) => ({ candidate, score: scoreOf(candidate) }))
  scored.sort((a, b) => a.score - b.score)
  const limit = (scored[0]?.score ?? 0) * AS_GOOD
  let good = 0
  while (good < scored.length && (scored[good]?.score ?? 0) <= limit) good += 1
  const sorted = scored.map(({ candidate }) => candidate)
  if (good < 2) return sorted
  const first = Math.floor(random() * good)
  const second = (first + 1 + Math.floor(random() * (good - 1))) % good
  const [a, b] = [sorted[first], sorted[second]]
  if (a === undefined || b === undefined) return sorted
  const lead = a.state.inFlight * a.expectMs <= b.state.inFlight * b.expectMs ? a : b
  return [lead, ...sorted.filter((candidate) => candidate !== lead)]
}

/** Weights of what speaks for a shard, as the routers of llm-d have them: what it holds of the prompt, room in queue and cache. */
const HELD = 3
const QUEUE = 2
const CACHE = 2
/** A shard that is asleep has nothing cached, and waking it takes long. */
const AWAKE = 3
/** What the highest bid for a prompt that nobody holds is worth. */
const BID = 1
/** A shard that is full is only taken when all are. */
const FULL = 100

/** Shards of one pool, best first: where the prompt's beginning is cached, as long as there is room. */
export function place(
  shards: readonly Candidate[],
  { prefix, nowMs, routing }: Wanted,
  index: PrefixIndex,
): Candidate[] {
  if (shards.length < 2) return [...shards]
  const looked = routing.prefix ? prefix : []
  const matches = shards.map(({ target }) => index.match(target.name, looked))
  const isHeld = matches.some((match) => match > 0)
  const bids = isHeld || looked.length === 0 ? [] : shards.map(({ target }) => bid(target.name, looked))
  const highest = Math.max(...bids)
  const scored = shards.map((candidate, at) => {
    const fullness = candidate.state.fullness(nowMs)
    const usage = candidate.state.freshReading(nowMs)?.cacheUsage ?? 0
    const cold = candidate.state.coldNow(nowMs)
    const score =
      HELD * (matches[at] ?? 0) +
      (bids[at] === highest ? BID : 0) -
      QUEUE * Math.min(1, fullness) -
      CACHE * usage -
      AWAKE * cold -
      (fullness >= 1 ? FULL : 0) -
      (candidate.outMs > 0 ? 2 * FULL : 0)
    return { candidate, score }
  })
  scored.sort((a, b) => b.score - a.score)
  return scored.map(({ candidate }) => candidate)
}

/** Puts the shards of each pool together, where the first of them stands. */
export function pooled(ranked: readonly Candidate[], wanted: Wanted, index: PrefixIndex): Candidate[] {
  if (!ranked.some(({ target }) => target.pool !== undefined)) return [...ranked]
  const done = new Set<string>()
  return ranked.flatMap((candidate) => {
    const { pool } = candidate.target
    if (pool === undefined) return [candidate]
    if (done.has(pool)) return []
    done.add(pool)
    return place(
      ranked.filter(({ target }) => target.pool === pool),
      wanted,
      index,
    )
  })
}
