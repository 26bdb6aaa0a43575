import type { Ask } from '#contract/ask.ts'
import type { Permit, Release } from '#contract/permit.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import type { FindingCount } from '#contract/screened.ts'
import type { Alias, Target } from '#contract/target.ts'
import { Lru } from '#kit/lru.ts'
import type { Decision, PolicyEngine } from './engine.ts'
import { withinScope } from './scope.ts'

export interface PolicyDeps {
  readonly engine: PolicyEngine
  readonly aliases: ReadonlyMap<string, Alias>
  readonly collections: ReadonlySet<string>
  /** Guard profiles from the strictest to the mildest; when permits name several, the strictest applies. */
  readonly profiles: readonly string[]
  /** Applies when no permit names one. */
  readonly defaultProfile: string
  /** Country or union in which a region lies, such as `US` or `EU`; empty when not known. */
  readonly jurisdiction: (target: Target) => string
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
      `there is no model \`${printable(ask.alias)}\`, choose one of ${[...deps.aliases.keys()].map((name) => `\`${name}\``).join(', ')}`,
      { param: 'model' },
    )
  }
  const caller = principalKey(principal)
  const use = deps.engine.decide(`use\n${caller}\n${alias.name}\n${ask.dialect}`, () => ({
    principal,
    action: 'use',
    resource: { type: 'Alias', id: alias.name, attributes: { residency: alias.residency } },
    context: { dialect: ask.dialect },
  }))
  if (!use.allow) throw denied(use, `model \`${alias.name}\``, principal)
  const collections = wantedCollections(deps, alias, ask)
  withinScope(principal, alias.name, collections)
  const decisions = [use, ...collections.map((collection) => mayGround(deps, principal, caller, alias, collection))]
  return {
    alias: alias.name,
    collections,
    guardProfile: strictest(deps, decisions),
    policies: [...new Set(decisions.flatMap(({ policies }) => policies.map(({ id }) => id)))],
  }
}

/**
 * The second question, after the guard: which of the alias's targets may a text of this classification go to?
 * Every target that is tried later, also as a fallback, must be in the answer.
 * @throws {Refusal} POLICY_DENIED when none is left.
 */
export function release(
  deps: PolicyDeps,
  principal: Principal,
  permit: Permit,
  text: { readonly found: readonly FindingCount[]; readonly targets: readonly Target[] },
): Release {
  const findings = [...new Set(text.found.map(({ type }) => type))].toSorted()
  const residency = deps.aliases.get(permit.alias)?.residency ?? ''
  const grounded = permit.collections.length > 0
  const caller = principalKey(principal)
  const forbidden: { target: string; policies: string[]; decision: Decision }[] = []
  const targets: string[] = []
  for (const target of text.targets) {
    const key = `release\n${caller}\n${permit.alias}\n${target.name}\n${grounded}\n${findings.join(' ')}`
    const decision = deps.engine.decide(key, () => ({
      principal,
      action: 'release',
      resource: {
        type: 'Target',
        id: target.name,
        attributes: {
          cloud: target.place.cloud,
          region: target.place.region,
          jurisdiction: deps.jurisdiction(target),
          provider: target.provider,
        },
      },
      context: { alias: permit.alias, residency, findings, grounded },
    }))
    if (decision.allow) targets.push(target.name)
    else forbidden.push({ target: target.name, policies: decision.policies.map(({ id }) => id), decision })
  }
  const [first] = forbidden
  if (targets.length === 0 && first !== undefined)
    throw denied(first.decision, `every target of model \`${permit.alias}\``, principal)
  return { targets, forbidden: forbidden.map(({ target, policies }) => ({ target, policies })) }
}

function wantedCollections(deps: PolicyDeps, alias: Alias, ask: Ask): string[] {
  const asked = ask.ground?.collections ?? []
  for (const collection of asked) {
    if (!deps.collections.has(collection)) {
      const known = [...deps.collections].map((name) => `\`${name}\``).join(', ')
      throw new Refusal(
        'CONTEXT_UNKNOWN',
        `there is no collection \`${printable(collection)}\`, choose one of ${known}`,
        {
          param: 'thinplane.ground.collections',
        },
      )
    }
  }
  return [...new Set([...alias.collections, ...asked])]
}

function mayGround(deps: PolicyDeps, principal: Principal, caller: string, alias: Alias, collection: string): Decision {
  const decision = deps.engine.decide(`ground\n${caller}\n${alias.name}\n${collection}`, () => ({
    principal,
    action: 'ground',
    resource: { type: 'Collection', id: collection, attributes: {} },
    context: { alias: alias.name },
  }))
  if (!decision.allow) throw denied(decision, `collection \`${collection}\``, principal)
  return decision
}

function strictest(deps: PolicyDeps, decisions: readonly Decision[]): string {
  const named = new Set(decisions.flatMap(({ policies }) => policies.map(({ guard }) => guard)))
  return deps.profiles.find((profile) => named.has(profile)) ?? deps.defaultProfile
}

function denied(decision: Decision, what: string, principal: Principal): Refusal {
  const [policy] = decision.policies
  const roles =
    principal.roles.length === 0
      ? 'no role'
      : `the roles ${principal.roles.map((role) => `\`${printable(role)}\``).join(', ')}`
  const why =
    policy === undefined
      ? `no policy permits it to a caller with ${roles}`
      : (policy.reason ?? `policy \`${policy.id}\` forbids it`)
  return new Refusal('POLICY_DENIED', `${what} is not permitted: ${why}`)
}

/**
 * A short name for everything of the caller that a policy can read: equal for equal callers, so that decisions are
 * shared over tokens. Looked up by object first, since a credential that was seen gives the same object again.
 */
const namesByPrincipal = new WeakMap<Principal, string>()
const namesByFacts = new Lru<string, string>(20_000)
let names = 0

function principalKey(principal: Principal): string {
  const known = namesByPrincipal.get(principal)
  if (known !== undefined) return known
  const { tenant, subject, kind, via, client, roles, groups } = principal
  const facts = JSON.stringify([tenant, subject, kind, via, client, roles, groups])
  let name = namesByFacts.get(facts)
  if (name === undefined) {
    names += 1
    name = String(names)
    namesByFacts.set(facts, name)
  }
  namesByPrincipal.set(principal, name)
  return name
}

function printable(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e]/g, '?').slice(0, 80)
}
