import type { Release } from '#contract/permit.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Alias, Target } from '#contract/target.ts'
import type { Health } from './health.ts'

export interface RouteDeps {
  readonly targets: ReadonlyMap<string, Target>
  readonly health: Health
}

/** The targets of an alias in its order of preference. */
export function targetsOf(deps: RouteDeps, alias: Alias): Target[] {
  return alias.targets.map((name) => deps.targets.get(name)).filter((target) => target !== undefined)
}

/**
 * The targets to try, in order: permitted by the second answer of policy, and not out.
 * The breaker is asked again when each one's turn comes.
 * @throws {Refusal} ROUTE_NO_TARGET with when to come back.
 */
export function choose(deps: RouteDeps, alias: Alias, release: Release): readonly Target[] {
  const permitted = targetsOf(deps, alias).filter(({ name }) => release.targets.includes(name))
  const ready = permitted.filter(({ name }) => deps.health.waitMs([name]) === 0)
  if (ready.length === 0) {
    const retryAfterS = Math.max(1, Math.ceil(deps.health.waitMs(permitted.map(({ name }) => name)) / 1000))
    throw new Refusal(
      'ROUTE_NO_TARGET',
      `every target of model \`${alias.name}\` is out, try again in ${retryAfterS} s`,
      { retryAfterS },
    )
  }
  return ready
}
