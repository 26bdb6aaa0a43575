import type { Ask } from '#contract/ask.ts'
import type {
  LimitAmounts,
  LimitTally,
  LimitUnit,
  LimitUse,
  RateNote,
  RateNotes,
  Reservation,
} from '#contract/limit.ts'
import type { Principal } from '#contract/principal.ts'
import type { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import { type DearestPrice, type Estimate, type OutputLengths, dearestPrice, estimate } from './estimate.ts'
import type { Hold, Limiter } from './limiter.ts'
import { remaining } from './purse.ts'
import { refusalOf } from './refusal.ts'
import { type Claim, type LimitRule, type Team, claimsOf } from './rule.ts'

/** What limits need: rules and teams of one configuration, and what outlives it. */
export interface LimitDeps {
  readonly limiter: Limiter
  readonly lengths: OutputLengths
  readonly rules: readonly LimitRule[]
  readonly teams: readonly Team[]
}

export interface Asked {
  readonly principal: Principal
  readonly ask: Ask
  readonly alias: string
  /** Those that may answer. */
  readonly targets: readonly Target[]
}

/** More than this is no usage: what a target reports is not believed beyond it. */
const MAX_AMOUNT = 1e12
/** The least that is held on top when an answer grows, in tokens. */
const CHUNK_TOKENS = 256

const NOTHING: LimitAmounts = { microUsd: 0, requests: 0, tokens: 0 }

/**
 * Holds what the request is likely to need of every rule that applies: of all of them, or of none.
 * @returns undefined when no rule applies; one that is refused holds nothing and says why.
 */
export function reserve(deps: LimitDeps, asked: Asked): Held | undefined {
  const claims = claimsOf(deps, asked.principal, asked.alias)
  if (claims.length === 0) return undefined
  const price = dearestPrice(asked.targets)
  const need = estimate(asked.ask, price, deps.lengths.of(asked.alias))
  const holds = holdsOf(deps.limiter, claims, need)
  const short = deps.limiter.hold(holds)
  if (short.length === 0) return new Held(deps, { alias: asked.alias, need, price, holds, refusal: undefined })
  const refusal = refusalOf(short, deps.limiter)
  const refusing = short.filter(({ account }) => account.rule.name === refusal.rule)
  return new Held(deps, { alias: asked.alias, need, price, holds: refusing, refusal: refusal.refusal })
}

/** @throws {Refusal} LIMIT_RATE, LIMIT_BUDGET */
export function admitHeld(held: Held | undefined): void {
  if (held?.refusal !== undefined) throw held.refusal
}

/** A guess is cut to what the limit leaves at all: a small limit would let nothing pass otherwise. */
function holdsOf(limiter: Limiter, claims: readonly Claim[], need: Estimate): readonly Hold[] {
  return claims.flatMap((claim) => {
    const account = limiter.accountOf(claim)
    return account.purses.map((purse) => {
      const { sure, guess } = need[purse.unit]
      return { account, purse, amount: sure + Math.min(guess, Math.max(0, purse.limit - sure)) }
    })
  })
}

interface HeldFacts {
  readonly alias: string
  readonly need: Estimate
  readonly price: DearestPrice
  readonly holds: readonly Hold[]
  readonly refusal: Refusal | undefined
}

/** What one request holds. */
export class Held implements Reservation {
  readonly rates: RateNotes
  readonly #deps: LimitDeps
  readonly #facts: HeldFacts
  readonly #most: Record<LimitUnit, number> = { requests: 0, tokens: 0, microUsd: 0 }
  /** Tokens of the answer so far, as far as they could be counted. */
  #seenOutput = 0
  #tally: LimitTally | undefined

  constructor(deps: LimitDeps, facts: HeldFacts) {
    this.#deps = deps
    this.#facts = facts
    this.rates = ratesOf(facts.holds, deps.limiter.nowEpochMs())
    if (facts.refusal === undefined) this.#note()
    else this.#tally = { reserved: NOTHING, rules: rulesOf(facts.holds), settled: NOTHING }
  }

  get refusal(): Refusal | undefined {
    return this.#facts.refusal
  }

  /**
   * Tells how many tokens of the answer there are by now, and holds more ahead of them.
   * @returns why the answer has to be cut, where a rule wants that and nothing more can be had.
   */
  meter(outputTokens: number): Refusal | undefined {
    if (this.#tally !== undefined) return undefined
    this.#seenOutput = Math.max(this.#seenOutput, whole(outputTokens))
    for (const hold of this.#facts.holds) {
      const seen = this.#seen(hold.purse.unit)
      const chunk = this.#chunk(hold.purse.unit)
      if (seen + chunk / 2 <= hold.amount) continue
      if (this.#deps.limiter.grow(hold, Math.ceil(seen + chunk - hold.amount)) || seen <= hold.amount) continue
      if (this.#deps.limiter.grow(hold, seen - hold.amount)) continue
      if (hold.account.rule.cutOff) return refusalOf([{ ...hold, amount: seen }], this.#deps.limiter, true).refusal
      this.#deps.limiter.overdraw(hold, seen - hold.amount)
    }
    this.#note()
    return undefined
  }

  settle(used: LimitUse | undefined): LimitTally {
    if (this.#tally !== undefined) return this.#tally
    const settled = this.#settled(used)
    this.#tally = { reserved: amounts(this.#most), rules: rulesOf(this.#facts.holds), settled }
    this.#deps.limiter.settle(this.#facts.holds, (unit) => settled[unit])
    if (used?.isCounted === true && !used.isEstimated && used.outputTokens > 0)
      this.#deps.lengths.learn(this.#facts.alias, whole(used.outputTokens))
    return this.#tally
  }

  #settled(used: LimitUse | undefined): LimitAmounts {
    if (used === undefined) return amounts(this.#most)
    if (!used.isCounted) return NOTHING
    // What the caller did not get any more was made nevertheless.
    const least = (unit: LimitUnit): number => (used.isEstimated ? this.#seen(unit) : 0)
    return {
      microUsd: whole(Math.max(used.microUsd, least('microUsd'))),
      requests: 1,
      tokens: whole(Math.max(used.tokens, least('tokens'))),
    }
  }

  /** What the request has come to by now. */
  #seen(unit: LimitUnit): number {
    const { need, price } = this.#facts
    if (unit === 'requests') return 1
    if (unit === 'tokens') return need.tokens.sure + this.#seenOutput
    return need.microUsd.sure + Math.ceil(this.#seenOutput * price.output)
  }

  #chunk(unit: LimitUnit): number {
    if (unit === 'requests') return 0
    return unit === 'tokens' ? CHUNK_TOKENS : CHUNK_TOKENS * this.#facts.price.output
  }

  #note(): void {
    for (const { purse, amount } of this.#facts.holds) this.#most[purse.unit] = Math.max(this.#most[purse.unit], amount)
  }
}

/** Whole, finite and not negative, whatever a target reports. */
function whole(amount: number): number {
  return Number.isFinite(amount) ? Math.min(MAX_AMOUNT, Math.max(0, Math.ceil(amount))) : 0
}

function amounts({ microUsd, requests, tokens }: Readonly<Record<LimitUnit, number>>): LimitAmounts {
  return { microUsd, requests, tokens }
}

function rulesOf(holds: readonly Hold[]): readonly string[] {
  return [...new Set(holds.map(({ account }) => account.rule.name))]
}

function ratesOf(holds: readonly Hold[], nowEpochMs: number): RateNotes {
  return { requests: tightest(holds, 'requests', nowEpochMs), tokens: tightest(holds, 'tokens', nowEpochMs) }
}

function tightest(holds: readonly Hold[], unit: LimitUnit, nowEpochMs: number): RateNote | undefined {
  let least: RateNote | undefined
  for (const { account, purse } of holds) {
    if (purse.unit !== unit) continue
    const left = remaining(purse)
    if (least !== undefined && least.remaining <= left) continue
    least = { limit: purse.limit, remaining: left, resetS: Math.max(0, (account.span.endMs - nowEpochMs) / 1000) }
  }
  return least
}
