import type { LimitUnit } from '#contract/limit.ts'
import type { Principal } from '#contract/principal.ts'
import type { LimitWindow } from './window.ts'

/** One rule of the configuration. An absent list holds for all. */
export interface LimitRule {
  readonly name: string
  readonly per: 'key' | 'caller' | 'team' | 'alias' | 'tenant' | 'all'
  readonly window: LimitWindow
  /** What may be used in one window, by unit; at least one. */
  readonly amounts: Readonly<Partial<Record<LimitUnit, number>>>
  readonly aliases?: readonly string[] | undefined
  readonly roles?: readonly string[] | undefined
  readonly teams?: readonly string[] | undefined
  readonly tenants?: readonly string[] | undefined
  /** Whether an answer is cut when nothing more can be had for it. */
  readonly cutOff: boolean
}

/** Who is in a team: everybody with one of these. */
export interface Team {
  readonly name: string
  readonly groups: readonly string[]
  readonly roles: readonly string[]
  /** Ids of keys. */
  readonly keys: readonly string[]
  readonly subjects: readonly string[]
}

/** Whom a rule counts a request for. */
export interface Claim {
  readonly rule: LimitRule
  readonly subject: string
}

/** Every rule that applies, with whom it counts: a rule by team counts in each team of the caller. */
export function claimsOf(
  { rules, teams }: { readonly rules: readonly LimitRule[]; readonly teams: readonly Team[] },
  principal: Principal,
  alias: string,
): readonly Claim[] {
  const mine = teams.length === 0 ? [] : teams.filter((team) => isMember(team, principal)).map(({ name }) => name)
  const claims: Claim[] = []
  for (const rule of rules) {
    if (rule.aliases?.includes(alias) === false || rule.tenants?.includes(principal.tenant) === false) continue
    if (rule.roles?.some((role) => principal.roles.includes(role)) === false) continue
    const within = rule.teams === undefined ? mine : mine.filter((team) => rule.teams?.includes(team))
    if (rule.teams !== undefined && within.length === 0) continue
    for (const subject of subjectsOf(rule, principal, alias, within)) claims.push({ rule, subject })
  }
  return claims
}

function isMember(team: Team, { groups, roles, kind, credentialId, subject }: Principal): boolean {
  return (
    team.subjects.includes(subject) ||
    (kind === 'key' && team.keys.includes(credentialId)) ||
    team.roles.some((role) => roles.includes(role)) ||
    team.groups.some((group) => groups.includes(group))
  )
}

function subjectsOf(
  { per }: LimitRule,
  { kind, credentialId, tenant, subject }: Principal,
  alias: string,
  teams: readonly string[],
): readonly string[] {
  switch (per) {
    case 'key':
      return kind === 'key' ? [credentialId] : []
    case 'caller':
      return [`${tenant}/${subject}`]
    case 'team':
      return teams
    case 'alias':
      return [alias]
    case 'tenant':
      return [tenant]
    case 'all':
      return ['']
  }
}
