import { type Ask, textOfPart } from '#contract/ask.ts'
import type { Permit, Release } from '#contract/permit.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Leg, Plan } from '#contract/route.ts'
import type { Alias, Target } from '#contract/target.ts'
import { type Decision, decisionLine } from './decision.ts'
import { prefixOf } from './prefix.ts'
import { type Candidate, type Wanted, candidatesOf, pooled, rank } from './rank.ts'
import type { Router } from './router.ts'

export interface RouteDeps {
  readonly targets: ReadonlyMap<string, Target>
  readonly router: Router
}

/** One request as the router sees it. */
export interface RouteRequest {
  readonly alias: Alias
  readonly permit: Permit
  readonly release: Release
  readonly ask: Ask
  /** Names the tenant to servers that keep caches apart; means nothing elsewhere. */
  readonly salt: string
}

/** Legs of one plan: as many calls as the border lets a request make into the inference layer. */
const MOST_LEGS = 4
/** Characters of English for a token, and the output that is expected of a request that sets no limit. */
const CHARS_PER_TOKEN = 4
const EXPECTED_OUTPUT = 256
/**
 * A hedge for a target that may be cold, before its own times are known: after this part of a start. Two seconds of
 * twenty-five are beyond any warm first token.
 */
const COLD_HEDGE_PART = 0.08

/** The targets of an alias in its order of preference. */
export function targetsOf(deps: Pick<RouteDeps, 'targets'>, alias: Alias): Target[] {
  return alias.targets.map((name) => deps.targets.get(name)).filter((target) => target !== undefined)
}

/**
 * Decides which targets are tried, in which order, and what happens beside: permitted ones only, also as a second leg.
 * @throws {Refusal} ROUTE_NO_TARGET with when to come back.
 */
export function choose(deps: RouteDeps, request: RouteRequest): Plan {
  const { router } = deps
  const { alias, release, permit } = request
  released.set(permit, release)
  const wanted = wantedBy(deps, request)
  const { decision, ready, woken } = decide(deps, alias, release, wanted)
  const [first] = ready
  if (first === undefined) throw nothingLeft(alias, decision.order)
  for (const { target, state } of woken) router.waker.wake(target, state)
  const { routing } = alias
  const budget = router.hedgesOf(alias.name)
  budget.earn(routing.hedge.percent)
  if (first.target.pool !== undefined) router.prefixes.placed(first.target.name, wanted.prefix)
  return {
    legs: legsOf(router, ready, routing),
    kind: decision.kind,
    hedgeAfterMs: decision.hedgeAfterMs,
    salt: request.salt,
    takeHedge: () => budget.take(routing.hedge.percent),
    line: () => decisionLine(decision),
  }
}

/** What was released to whom last: permits are kept by policy, and die with its cache. */
const released = new WeakMap<Permit, Release>()

/**
 * Before the guard's managed check and the data plane are asked: begins to wake what the router would want, as far as
 * the same caller was last permitted to use it. Saves the length of those calls, no more.
 */
export function foresee(deps: RouteDeps, alias: Alias, permit: Permit): void {
  const release = released.get(permit)
  if (release === undefined || !alias.targets.some((name) => deps.targets.get(name)?.scaling !== undefined)) return
  const { woken } = decide(deps, alias, release, smallRequest(deps, alias), false)
  for (const { target, state } of woken) deps.router.waker.wake(target, state)
}

/** What the router would do now with a small streamed request, and why; nothing is done. */
export function preview(deps: RouteDeps, alias: Alias): string {
  const release = { targets: alias.targets, forbidden: [], policies: [] }
  return decisionLine(decide(deps, alias, release, smallRequest(deps, alias), false).decision)
}

function smallRequest({ router }: RouteDeps, { routing }: Alias): Wanted {
  return {
    routing,
    isStream: true,
    size: { input: EXPECTED_OUTPUT, output: EXPECTED_OUTPUT },
    prefix: [],
    nowMs: router.options.clock(),
  }
}

function wantedBy({ router, targets }: RouteDeps, { alias, ask, salt }: RouteRequest): Wanted {
  let chars = 0
  for (const { parts } of ask.messages) for (const part of parts) chars += textOfPart(part).length
  const isGenerate = (ask.operation ?? 'generate') === 'generate'
  const isPooled = alias.routing.prefix && alias.targets.some((name) => targets.get(name)?.pool !== undefined)
  return {
    routing: alias.routing,
    isStream: ask.stream && isGenerate,
    size: {
      input: chars / CHARS_PER_TOKEN,
      output: isGenerate ? Math.min(ask.sampling.maxTokens ?? EXPECTED_OUTPUT, EXPECTED_OUTPUT) : 0,
    },
    prefix: isPooled && isGenerate ? prefixOf(ask, salt) : [],
    nowMs: router.options.clock(),
  }
}

interface Decided {
  readonly decision: Decision
  /** Those that may be asked now, in order: awake ones first. */
  readonly ready: readonly Candidate[]
  /** Cold ones that are wanted: to be woken. */
  readonly woken: readonly Candidate[]
}

/** `counts`: this is a request, and counts among those that make waking a target worthwhile. */
function decide(deps: RouteDeps, alias: Alias, release: Release, wanted: Wanted, counts = true): Decided {
  const { router } = deps
  const { nowMs, routing } = wanted
  const ranked = pooled(
    rank(candidatesOf(permitted(deps, alias, release), wanted), wanted, router.options.random),
    wanted,
    router.prefixes,
  )
  const isCold = ({ coldMs }: Candidate): boolean => coldMs > routing.detourAboveMs
  const order = ranked.some(isCold)
    ? [...ranked.filter((candidate) => !isCold(candidate)), ...ranked.filter(isCold)]
    : ranked
  const ready = order.filter(({ outMs }) => outMs === 0)
  const [first, second] = ready
  const isHeld = first !== undefined && isCold(first)
  // What was preferred to the one that leads: passed over when that one is awake.
  const preferred =
    order === ranked || first === undefined ? [] : ranked.slice(0, ranked.indexOf(first) + 1).filter(isCold)
  const woken = preferred.filter(({ state }) => !counts || state.wanted(nowMs))
  return {
    ready,
    woken,
    decision: {
      strategy: routing.strategy,
      kind: isHeld ? 'hold' : preferred.length > 0 ? 'detour' : 'first',
      order: ready.length === order.length ? order : [...ready, ...order.filter(({ outMs }) => outMs > 0)],
      tried: Math.min(ready.length, MOST_LEGS),
      forbidden: release.forbidden,
      passedOver: isHeld ? [] : preferred,
      woken: woken.map(({ target }) => target.name),
      hedgeAfterMs:
        first === undefined || second === undefined || isHeld ? undefined : hedgeAfter(first, second, wanted),
      nowMs,
    },
  }
}

function permitted({ targets, router }: RouteDeps, alias: Alias, release: Release) {
  let names = namesOf.get(release)
  if (names === undefined) {
    names = new Set(release.targets)
    namesOf.set(release, names)
  }
  const list: { readonly target: Target; readonly state: Candidate['state'] }[] = []
  for (const name of alias.targets) {
    const target = targets.get(name)
    if (target !== undefined && names.has(name)) list.push({ target, state: router.stateOf(target) })
  }
  return list
}

/** Answers of policy are kept and come again: the names of each are put together once. */
const namesOf = new WeakMap<Release, ReadonlySet<string>>()

function legsOf(router: Router, ready: readonly Candidate[], { detourAboveMs, maxWaitMs }: Alias['routing']): Leg[] {
  const legs = ready
    .slice(0, MOST_LEGS)
    .map(({ target, state, coldMs }): Leg =>
      coldMs > detourAboveMs
        ? { target, awake: (signal) => router.waker.awake(target, state, maxWaitMs, signal) }
        : { target },
    )
  const [only] = ready
  // Cloud Run says 429 or 503 when nothing is there after all: where nobody else can answer, it is waited for.
  if (only !== undefined && legs.length === 1 && legs[0]?.awake === undefined && only.target.scaling !== undefined) {
    const { target, state } = only
    legs.push({ target, awake: (signal) => router.waker.awake(target, state, maxWaitMs, signal) })
  }
  return legs
}

/** After the 95th percentile of the first leg's own times; never into a target that is cold. */
function hedgeAfter(first: Candidate, second: Candidate, { routing, isStream, nowMs }: Wanted): number | undefined {
  if (routing.hedge.percent === 0 || second.coldMs > routing.detourAboveMs) return undefined
  const learnt = first.state.hedgeMs(isStream, nowMs)
  if (!Number.isNaN(learnt)) return Math.max(routing.hedge.minMs, learnt)
  const { warmth } = first.state
  if (warmth === undefined || !isStream) return undefined
  return Math.max(routing.hedge.minMs, COLD_HEDGE_PART * warmth.startQuantile(0.5))
}

function nothingLeft(alias: Alias, order: readonly Candidate[]): Refusal {
  const waitMs = Math.min(...order.map(({ outMs }) => outMs))
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1000))
  return new Refusal(
    'ROUTE_NO_TARGET',
    `every target of model \`${alias.name}\` is out, try again in ${retryAfterS} s`,
    { retryAfterS },
  )
}
