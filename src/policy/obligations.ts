import type { CacheScope, Logging, Obligations } from '#contract/permit.ts'

/*
 * Obligations stand in annotations of the policies that permit: what a caller may do only in a certain way.
 *   @guard("strict")              guard profile
 *   @jurisdictions("EU, UK")      where the text may go at all, also as a fallback or a hedge
 *   @retention("30")              days that databases may keep what is known about the request
 *   @logging("pseudonymous")      how the caller is named in the trail
 *   @cache("tenant")              with whom kept answers are shared: none, caller (default) or tenant
 *   @reason("...")                what a person is told; on a forbid, the text of the refusal
 *   @id("...")                    name of the policy
 */

/** What one policy obliges to, as its annotations say it. */
export interface PolicyObligations {
  readonly guard: string | undefined
  readonly jurisdictions: readonly string[] | undefined
  readonly retentionDays: number | undefined
  readonly logging: Logging | undefined
  readonly cache: CacheScope | undefined
  readonly reason: string | undefined
}

const KNOWN = ['id', 'guard', 'jurisdictions', 'retention', 'logging', 'cache', 'reason']
const MAX_RETENTION_DAYS = 36_500

/** Reads the annotations of one policy; `problem` is told what can not be used. */
export function readObligations(
  annotations: Readonly<Record<string, string>>,
  problem: (message: string) => void,
): PolicyObligations {
  for (const name of Object.keys(annotations)) {
    if (!KNOWN.includes(name)) problem(`annotation \`@${name}\` is not known, use one of ${KNOWN.join(', ')}`)
  }
  const { guard, jurisdictions, retention, logging, cache, reason } = annotations
  return {
    guard,
    jurisdictions: jurisdictions === undefined ? undefined : jurisdictionList(jurisdictions, problem),
    retentionDays: retention === undefined ? undefined : days(retention, problem),
    logging: logging === undefined ? undefined : loggingOf(logging, problem),
    cache: cache === undefined ? undefined : cacheOf(cache, problem),
    reason,
  }
}

function jurisdictionList(text: string, problem: (message: string) => void): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.some((name) => !/^[A-Za-z][A-Za-z-]{0,30}$/.test(name)))
    problem('`@jurisdictions` takes names with commas between them, such as `"EU, UK"`')
  return names.toSorted()
}

function days(text: string, problem: (message: string) => void): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= MAX_RETENTION_DAYS)) problem('`@retention` takes a number of days, such as `"30"`')
  return value
}

function loggingOf(text: string, problem: (message: string) => void): Logging {
  if (text !== 'standard' && text !== 'pseudonymous') problem('`@logging` is `"standard"` or `"pseudonymous"`')
  return text === 'pseudonymous' ? 'pseudonymous' : 'standard'
}

/** From the narrowest to the widest. */
const CACHE_SCOPES: readonly CacheScope[] = ['none', 'caller', 'tenant']

function cacheOf(text: string, problem: (message: string) => void): CacheScope {
  const scope = CACHE_SCOPES.find((known) => known === text)
  if (scope === undefined) problem('`@cache` is `"none"`, `"caller"` or `"tenant"`')
  return scope ?? 'none'
}

/** What to choose among guard profiles that several policies name. */
export interface GuardOrder {
  /** From the strictest to the mildest. */
  readonly profiles: readonly string[]
  /** Applies when no policy names one. */
  readonly defaultProfile: string
}

/** Several policies oblige at once: always the narrowest of what they say. */
export function combine(policies: readonly PolicyObligations[], guards: GuardOrder): Obligations {
  const named = new Set(policies.map(({ guard }) => guard))
  let jurisdictions: readonly string[] | undefined
  let retentionDays: number | undefined
  for (const policy of policies) {
    const { jurisdictions: own, retentionDays: kept } = policy
    if (own !== undefined) jurisdictions = jurisdictions?.filter((name) => own.includes(name)) ?? own
    if (kept !== undefined) retentionDays = Math.min(retentionDays ?? kept, kept)
  }
  return {
    guardProfile: guards.profiles.find((profile) => named.has(profile)) ?? guards.defaultProfile,
    jurisdictions,
    retentionDays,
    cache: CACHE_SCOPES.find((scope) => policies.some(({ cache }) => cache === scope)) ?? 'caller',
    logging: policies.some(({ logging }) => logging === 'pseudonymous') ? 'pseudonymous' : 'standard',
  }
}
