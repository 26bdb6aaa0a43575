import type { Config, TargetConfig, WrittenConfig } from './schema.ts'

/** Names of the targets that one written target becomes. */
export function shardNames(name: string, { shards }: WrittenConfig['targets'][string]): readonly string[] {
  return shards === undefined ? [name] : shards.map((_, at) => `${name}-${at + 1}`)
}

/** Makes each shard of a pool a target of its own, and lets aliases that name the pool name all of them. */
export function withShards(written: WrittenConfig): Config {
  const targets: Record<string, TargetConfig> = {}
  for (const [name, { endpoint, shards, ...rest }] of Object.entries(written.targets)) {
    if (endpoint !== undefined) targets[name] = { ...rest, endpoint }
    for (const [at, shard] of (shards ?? []).entries())
      targets[`${name}-${at + 1}`] = { ...rest, endpoint: shard, pool: name }
  }
  const aliases = Object.fromEntries(
    Object.entries(written.aliases).map(([name, alias]) => [
      name,
      {
        ...alias,
        targets: alias.targets.flatMap((target) => {
          const known = written.targets[target]
          return known === undefined ? [target] : shardNames(target, known)
        }),
      },
    ]),
  )
  return { ...written, targets, aliases }
}
