import type { Entry, EntryPrincipal } from '#contract/entry.ts'
import type { Principal } from '#contract/principal.ts'
import type { Alias } from '#contract/target.ts'
import { classify } from './classes.ts'
import { decideFirst, decideSecond, groundedOn, reasonOf } from './decide.ts'
import type { PolicyEngine } from './engine.ts'
import type { Moment } from './moment.ts'
import type { GuardOrder } from './obligations.ts'
import type { BudgetState, CollectionFacts, RequestFacts, TargetFacts } from './question.ts'

export interface ReplayDeps {
  readonly engine: PolicyEngine
  readonly aliases: ReadonlyMap<string, Alias>
  readonly collections: ReadonlyMap<string, CollectionFacts>
  readonly targets: ReadonlyMap<string, TargetFacts>
  readonly guards: GuardOrder
  readonly clock: (epochMs: number) => Moment
  /** What the caller had spent by then. */
  readonly budget: (principal: Principal, alias: Alias) => BudgetState
}

/** What a set of policies would have done to one request of the trail. */
export type Replayed =
  /** The trail does not hold what the set would have to read: why. */
  | { readonly outcome: 'unknown'; readonly why: string }
  | { readonly outcome: 'same' }
  | {
      readonly outcome: 'refused' | 'permitted' | 'changed'
      readonly how: string
      readonly policies: readonly string[]
    }

/**
 * Asks the set about a recorded request. A request that was refused before the guard has no findings, so only the
 * first answer can be compared.
 */
export function replayEntry(deps: ReplayDeps, entry: Entry): Replayed {
  if (entry.principal === undefined) return { outcome: 'unknown', why: 'the caller was not identified' }
  if (entry.alias === '') return { outcome: 'unknown', why: 'the request was not read' }
  const alias = deps.aliases.get(entry.alias)
  if (alias === undefined) return { outcome: 'unknown', why: `there is no model \`${entry.alias}\` any more` }
  const unknown = unreadable(deps.engine, entry.principal)
  if (unknown !== undefined) return { outcome: 'unknown', why: unknown }
  const principal = recordedPrincipal(entry.principal)
  const wasDenied = entry.outcome === 'denied'
  const facts: RequestFacts = {
    alias,
    dialect: entry.dialect,
    purpose: entry.policy.purpose === '' ? alias.purpose : entry.policy.purpose,
    collections: groundedOn(wasDenied ? alias.collections : entry.policy.collections, [], deps.collections),
    moment: deps.clock(entry.atEpochMs),
    budget: deps.budget(principal, alias),
  }
  const first = decideFirst(deps.engine, deps.guards, principal, facts)
  if (first.refused !== undefined) {
    const why = reasonOf(first.refused.decision) ?? 'no policy permits it'
    return wasDenied
      ? { outcome: 'same' }
      : { outcome: 'refused', how: `${first.refused.what}: ${why}`, policies: first.policies }
  }
  const targets = alias.targets.map((name) => deps.targets.get(name)).filter((target) => target !== undefined)
  const answers = decideSecond(
    deps.engine,
    principal,
    facts,
    first,
    classify(entry.findings.filter(({ where }) => where !== 'answer')),
    targets,
  )
  const allowed = answers.filter(({ allow }) => allow).map(({ target }) => target)
  if (allowed.length === 0) {
    const [answer] = answers
    if (wasDenied) return { outcome: 'same' }
    return {
      outcome: 'refused',
      how: `every target: ${answer?.reason ?? 'no policy permits it'}`,
      policies: answer?.policies ?? [],
    }
  }
  if (wasDenied) return { outcome: 'permitted', how: `targets ${allowed.join(', ')}`, policies: first.policies }
  const changes = changesOf(
    entry,
    first.obligations,
    answers.filter(({ allow }) => !allow).map(({ target }) => target),
  )
  return changes.length === 0
    ? { outcome: 'same' }
    : { outcome: 'changed', how: changes.join('; '), policies: first.policies }
}

/** What the set reads and the trail does not hold. */
function unreadable(engine: PolicyEngine, principal: EntryPrincipal): string | undefined {
  const texts = [...engine.policies.values()].map(({ text }) => text)
  if (principal.groupCount > principal.groups.length && texts.some((text) => text.includes('Thinplane::Group')))
    return `the trail lists ${principal.groups.length} of the caller's ${principal.groupCount} groups`
  const isPseudonym = principal.subject.startsWith('p-')
  if (isPseudonym && texts.some((text) => /principal\.(?:subject|client)|Thinplane::Caller::/.test(text)))
    return 'the caller stands in the trail under a pseudonym'
  return undefined
}

function changesOf(
  { policy, target }: Entry,
  now: ReturnType<typeof decideFirst>['obligations'],
  forbidden: readonly string[],
): string[] {
  const changes: string[] = []
  if (policy.guardProfile !== '' && policy.guardProfile !== now.guardProfile)
    changes.push(`guard ${policy.guardProfile} -> ${now.guardProfile}`)
  if (target !== '' && forbidden.includes(target)) changes.push(`not to ${target}, which answered`)
  const [before, after] = [[...policy.forbidden].toSorted().join(', '), [...forbidden].toSorted().join(', ')]
  if (before !== after) changes.push(`forbidden targets: ${before || 'none'} -> ${after || 'none'}`)
  if (policy.logging !== now.logging) changes.push(`logging ${policy.logging} -> ${now.logging}`)
  if (policy.retentionDays !== now.retentionDays)
    changes.push(`retention ${policy.retentionDays ?? 'unbound'} -> ${now.retentionDays ?? 'unbound'} days`)
  return changes
}

/** The caller of a recorded request, as far as the trail holds it. */
export function recordedPrincipal(entry: EntryPrincipal): Principal {
  const { subject, tenant, kind, roles, groups, client, via, credentialId, agent } = entry
  return {
    subject,
    tenant,
    kind: kind === 'app' || kind === 'key' ? kind : 'user',
    roles,
    groups,
    client: client === '' ? undefined : client,
    via,
    credentialId,
    agent,
  }
}
