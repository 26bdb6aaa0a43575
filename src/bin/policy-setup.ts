import type { Place } from '#contract/place.ts'
import type { Alias } from '#contract/target.ts'
import type { LoadedConfig } from '#config/load.ts'
import type { Config } from '#config/schema.ts'
import { regionOf } from '#planner/regions.ts'
import { type PolicyEngine, createPolicyEngine } from '#policy/engine.ts'
import { type ValidatedSets, loadPolicies } from '#policy/load.ts'
import { type Moment, createClock } from '#policy/moment.ts'
import type { GuardOrder } from '#policy/obligations.ts'
import { packFolder } from '#policy/packs.ts'
import type { CollectionFacts, TargetFacts } from '#policy/question.ts'

/** What a configuration says to policy: enough to decide, without a gateway that runs. */
export interface PolicySetup {
  readonly engine: PolicyEngine
  readonly aliases: ReadonlyMap<string, Alias>
  readonly collections: ReadonlyMap<string, CollectionFacts>
  /** By name. */
  readonly targets: ReadonlyMap<string, TargetFacts>
  readonly guards: GuardOrder
  readonly clock: (epochMs: number) => Moment
  readonly jurisdiction: (place: Place) => string
}

/** Folders with policies: the configuration's own and its packs. */
export function policyFolders({ config, resolve }: LoadedConfig): string[] {
  return [resolve(config.policies.folder), ...config.policies.packs.map(packFolder)]
}

/**
 * Makes the policies of a configuration ready. `folders` replaces those that it names.
 * `validated` knows sets that need no second validation. @throws {PolicyProblems}
 */
export async function setUpPolicy(
  loaded: LoadedConfig,
  folders = policyFolders(loaded),
  validated?: ValidatedSets,
): Promise<PolicySetup> {
  const { config } = loaded
  return {
    engine: await createPolicyEngine(await loadPolicies(folders, validated)),
    aliases: new Map(
      Object.entries(config.aliases).map(([name, alias]): [string, Alias] => [
        name,
        {
          name,
          ...alias,
          collections: [...alias.collections, ...alias.sql.map((query) => `sql:${query.name}`)],
          cache: alias.cache,
          usdPerCallerAndDay: alias.usdPerCallerAndDay,
        },
      ]),
    ),
    collections: collectionsOf(config),
    targets: new Map(Object.entries(config.targets).map(([name, target]) => [name, targetOf(name, target)])),
    guards: { profiles: Object.keys(config.guard.profiles), defaultProfile: config.guard.defaultProfile },
    clock: createClock(config.policies.timeZone),
    jurisdiction,
  }
}

/** Where a place lies by the region table; empty when it does not know. */
function jurisdiction(place: Place): string {
  return regionOf(place)?.jurisdiction ?? ''
}

/** Collections, queries and tables that clients may name: those of the file's data plane and those of the aliases. */
function collectionsOf(config: Config): ReadonlyMap<string, CollectionFacts> {
  const { collections = {}, queries = {}, tables = {} } = config.dataPlane ?? {}
  const labelled = (prefix: string, own: Readonly<Record<string, { readonly labels: readonly string[] }>>) =>
    Object.entries(own).map(([name, { labels }]): [string, readonly string[]] => [prefix + name, labels])
  const described = new Map([...labelled('', collections), ...labelled('sql:', queries), ...labelled('items:', tables)])
  const named = Object.values(config.aliases).flatMap((alias) => [
    ...alias.collections,
    ...alias.sql.map(({ name }) => `sql:${name}`),
  ])
  return new Map([...described.keys(), ...named].map((name) => [name, { name, labels: described.get(name) ?? [] }]))
}

function targetOf(name: string, target: Config['targets'][string]): TargetFacts {
  const { place, provider, tags, simulated } = target
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
