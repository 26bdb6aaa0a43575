import type { Release } from '#contract/permit.ts'
import type { Plan, Strategy } from '#contract/route.ts'
import type { Candidate } from './rank.ts'

/** What a decision went by, kept until somebody wants it in words. */
export interface Decision {
  readonly strategy: Strategy
  readonly kind: Plan['kind']
  /** In the order in which they would be tried; those that are not, behind. */
  readonly order: readonly Candidate[]
  /** How many of them will be. */
  readonly tried: number
  readonly forbidden: Release['forbidden']
  /** Those that were preferred but are cold. */
  readonly passedOver: readonly Candidate[]
  readonly woken: readonly string[]
  readonly hedgeAfterMs: number | undefined
  readonly nowMs: number
}

/** Candidates that a line names. */
const NAMED = 8

/** One line: how, the choice, why not the others, and what happens beside. */
export function decisionLine(decision: Decision): string {
  const { strategy, kind, order, tried, forbidden, passedOver, woken, hedgeAfterMs } = decision
  const [first] = order
  const out = order.slice(tried).filter(({ outMs }) => outMs > 0)
  const parts = [
    `${strategy}: ${first === undefined ? 'nothing' : `${first.target.name} ${kind === 'hold' ? 'when it is awake' : kind === 'detour' ? 'as a detour' : 'first'}, ${about(first, decision)}`}`,
    ...listed(
      order.slice(1, tried).filter((candidate) => !passedOver.includes(candidate)),
      (candidate) => `then ${candidate.target.name} ${about(candidate, decision)}`,
    ),
    ...listed(passedOver, (candidate) => `${candidate.target.name} passed over, ${coldness(candidate, decision)}`),
    ...listed(out, ({ target, outMs }) => `${target.name} out for ${Math.ceil(outMs)} ms`),
    ...listed(forbidden, ({ target, policies }) => `${target} forbidden by ${policies.join(', ') || 'no permit'}`),
    ...(woken.length === 0 ? [] : [`waking ${woken.join(', ')}`]),
    ...(hedgeAfterMs === undefined ? [] : [`hedge after ${Math.round(hedgeAfterMs)} ms`]),
  ]
  return parts.join('; ')
}

function listed<Item>(items: readonly Item[], text: (item: Item) => string): string[] {
  const shown = items.slice(0, NAMED).map(text)
  return items.length > NAMED ? [...shown, `and ${items.length - NAMED} more`] : shown
}

function about(candidate: Candidate, decision: Decision): string {
  const { target, expectMs, usd, state } = candidate
  const price = target.price.isKnown ? ` $${usd.toPrecision(2)}` : ' price not given'
  const slow = state.slowness.isSlow ? ' slow' : ''
  return `${Math.round(expectMs)} ms${slow}${price}${target.scaling === undefined ? '' : ` ${coldness(candidate, decision)}`}`
}

function coldness({ state, coldMs }: Candidate, { nowMs }: Decision): string {
  const idleMs = state.warmth?.idleMs(nowMs) ?? 0
  const idle = Number.isFinite(idleMs) ? `idle ${seconds(idleMs)}` : 'not seen yet'
  return `cold ${state.coldNow(nowMs).toFixed(2)} (${idle}, +${seconds(coldMs)})`
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`
}
