import type { Ask } from '#contract/ask.ts'
import type { Permit, Release } from '#contract/permit.ts'
import type { Place } from '#contract/place.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import type { FindingCount } from '#contract/screened.ts'
import type { Alias, Target } from '#contract/target.ts'
import { Lru } from '#kit/lru.ts'
import { principalName } from './caller.ts'
import { type Classification, classify } from './classes.ts'
import { type FirstAnswer, type TargetAnswer, decideFirst, decideSecond, groundedOn, reasonOf } from './decide.ts'
import type { PolicyEngine } from './engine.ts'
import type { Moment } from './moment.ts'
import type { GuardOrder } from './obligations.ts'
import type { BudgetState, CollectionFacts, RequestFacts, TargetFacts } from './question.ts'
import { withinScope } from './scope.ts'

export interface PolicyOptions {
  readonly engine: PolicyEngine
  readonly aliases: ReadonlyMap<string, Alias>
  readonly collections: ReadonlyMap<string, CollectionFacts>
  readonly guards: GuardOrder
  /** Country or union in which a place lies, such as `US` or `EU`; empty when not known. */
  readonly jurisdiction: (place: Place) => string
  /** Other planes that see a request's text; an obligation binds them too. */
  readonly planes: readonly {
    readonly name: string
    readonly place: Place
    readonly sees: (permit: Permit) => boolean
  }[]
  readonly clock: (epochMs: number) => Moment
  readonly nowEpochMs: () => number
  readonly budget: (principal: Principal, alias: Alias) => BudgetState
}

/** One set of policies over one configuration, with what it has decided so far. */
export interface PolicyDeps extends PolicyOptions {
  readonly first: Lru<string, First>
  readonly second: Lru<string, Second>
}

interface First {
  readonly answer: FirstAnswer
  readonly permit: Permit
  readonly facts: RequestFacts
}

interface Second {
  readonly answers: readonly TargetAnswer[]
  readonly release: Release
}

const CACHED = 20_000

/**
 * Decisions are cached for the lifetime of the set by every input that its policies can read. A reload makes a new
 * set, and with it new caches.
 */
export function openPolicy(options: PolicyOptions): PolicyDeps {
  return { ...options, first: new Lru(CACHED), second: new Lru(CACHED) }
}

/**
 * The first question to policy, before the guard: may this caller use this alias, and ground on these collections?
 * @throws {Refusal} ROUTE_UNKNOWN_MODEL, CONTEXT_UNKNOWN, POLICY_DENIED
 */
export function permit(deps: PolicyDeps, principal: Principal, ask: Ask): Permit {
  const alias = deps.aliases.get(ask.alias)
  if (alias === undefined) {
    throw new Refusal(
      'ROUTE_UNKNOWN_MODEL',
      `there is no model \`${printable(ask.alias)}\`, choose one of ${listed(deps.aliases.keys())}`,
      { param: 'model' },
    )
  }
  const asked = ask.ground?.collections ?? []
  const purpose = ask.purpose ?? alias.purpose
  const key = `${principalName(principal)}\n${alias.name}\n${ask.dialect}\n${purpose}\n${asked.join('\n')}\n${changing(deps, principal, alias)}`
  let first = deps.first.get(key)
  if (first === undefined) {
    first = decide(deps, principal, ask, alias, purpose)
    deps.first.set(key, first)
  }
  if (first.answer.refused !== undefined) throw denied(first.answer.refused.what, first.answer, principal)
  withinScope(principal, alias.name, first.permit.collections)
  bindPlanes(deps, first.permit)
  return first.permit
}

function decide(deps: PolicyDeps, principal: Principal, ask: Ask, alias: Alias, purpose: string): First {
  const asked = ask.ground?.collections ?? []
  const unknown = asked.find((collection) => !deps.collections.has(collection))
  if (unknown !== undefined) {
    throw new Refusal(
      'CONTEXT_UNKNOWN',
      `there is no collection \`${printable(unknown)}\`, choose one of ${listed(deps.collections.keys())}`,
      { param: 'thinplane.ground.collections' },
    )
  }
  const facts: RequestFacts = {
    alias,
    dialect: ask.dialect,
    purpose,
    collections: groundedOn(alias.collections, asked, deps.collections),
    moment: deps.clock(deps.nowEpochMs()),
    budget: deps.budget(principal, alias),
  }
  const answer = decideFirst(deps.engine, deps.guards, principal, facts)
  return {
    answer,
    facts,
    permit: {
      alias: alias.name,
      collections: facts.collections.map(({ name }) => name),
      purpose,
      policies: answer.policies,
      ...answer.obligations,
    },
  }
}

/** The bound of an obligation holds for every plane that sees the text, not for models alone. */
function bindPlanes(deps: PolicyDeps, permit: Permit): void {
  const { jurisdictions } = permit
  if (jurisdictions === undefined) return
  for (const { name, sees, place } of deps.planes) {
    if (!sees(permit) || jurisdictions.includes(deps.jurisdiction(place))) continue
    throw new Refusal(
      'POLICY_DENIED',
      `policy binds this text to ${jurisdictions.join(', ')}, and the ${name} is not there: move it, or use an alias that does without it`,
      { policies: permit.policies.filter((id) => deps.engine.policies.get(id)?.jurisdictions !== undefined) },
    )
  }
}

/**
 * The second question, after the guard: which of the alias's targets may a text of this classification go to?
 * Every target that is tried later, also as a fallback or a hedge, must be in the answer.
 * @throws {Refusal} POLICY_DENIED when none is left.
 */
export function release(
  deps: PolicyDeps,
  principal: Principal,
  permit: Permit,
  text: { readonly found: readonly FindingCount[]; readonly targets: readonly Target[] },
): Release {
  const alias = deps.aliases.get(permit.alias)
  if (alias === undefined) throw new Error('a permit for an alias that does not exist')
  const classes = classify(text.found)
  const key = `${principalName(principal)}\n${alias.name}\n${permit.purpose}\n${permit.collections.join('\n')}\n${changing(deps, principal, alias)}\n${classes.findings.join(' ')}\n${classes.remaining.join(' ')}`
  let second = deps.second.get(key)
  if (second === undefined) {
    second = decideRelease(deps, principal, permit, alias, classes, text.targets)
    deps.second.set(key, second)
  }
  const [answer] = second.answers
  if (second.release.targets.length === 0 && answer !== undefined) {
    const reason = answer.reason ?? 'no policy permits it'
    throw new Refusal('POLICY_DENIED', `every target of model \`${permit.alias}\` is not permitted: ${reason}`, {
      policies: answer.policies,
    })
  }
  return second.release
}

function decideRelease(
  deps: PolicyDeps,
  principal: Principal,
  permit: Permit,
  alias: Alias,
  text: Classification,
  candidates: readonly Target[],
): Second {
  const facts: RequestFacts = {
    alias,
    dialect: '',
    purpose: permit.purpose,
    collections: groundedOn(permit.collections, [], deps.collections),
    moment: deps.clock(deps.nowEpochMs()),
    budget: deps.budget(principal, alias),
  }
  const targets = candidates.map((target) => targetFacts(target, deps.jurisdiction))
  const bound = { obligations: permit, policies: permit.policies }
  const answers = decideSecond(deps.engine, principal, facts, bound, text, targets)
  return {
    answers,
    release: {
      targets: answers.filter(({ allow }) => allow).map(({ target }) => target),
      forbidden: answers.filter(({ allow }) => !allow).map(({ target, policies }) => ({ target, policies })),
      policies: [...new Set(answers.filter(({ allow }) => allow).flatMap(({ policies }) => policies))],
    },
  }
}

/** A target as policies see it. */
export function targetFacts(target: Target, jurisdiction: (place: Place) => string): TargetFacts {
  const { name, place, provider, tags, simulated } = target
  return {
    name,
    cloud: place.cloud,
    region: place.region,
    jurisdiction: target.jurisdiction ?? jurisdiction(place),
    provider,
    tags,
    simulated,
  }
}

/** The inputs that change by themselves, as far as some policy reads them: what bounds how long a decision is kept. */
function changing(deps: PolicyDeps, principal: Principal, alias: Alias): string {
  const { time, budget } = deps.engine.reads
  if (time === 'never' && !budget) return ''
  const moment = deps.clock(deps.nowEpochMs())
  const when = time === 'never' ? '' : time === 'minute' ? String(moment.epochMs) : `${moment.weekday} ${moment.hour}`
  return budget ? `${when} ${deps.budget(principal, alias)}` : when
}

function denied(what: string, { refused, policies }: FirstAnswer, principal: Principal): Refusal {
  const roles =
    principal.roles.length === 0
      ? 'no role'
      : `the roles ${principal.roles.map((role) => `\`${printable(role)}\``).join(', ')}`
  const why = (refused && reasonOf(refused.decision)) ?? `no policy permits it to a caller with ${roles}`
  return new Refusal('POLICY_DENIED', `${what} is not permitted: ${why}`, { policies })
}

function listed(names: Iterable<string>): string {
  return [...names].map((name) => `\`${name}\``).join(', ')
}

function printable(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e]/g, '?').slice(0, 80)
}
