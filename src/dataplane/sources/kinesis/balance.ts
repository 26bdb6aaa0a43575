/** Who reads a shard now: an owner whose lease lives, or nobody. */
export interface HeldShard {
  readonly shard: string
  readonly owner: string | undefined
}

/** What a consumer should get hold of. */
export interface Wanted {
  /** Shards that nobody reads. */
  readonly free: readonly string[]
  /** A shard of whoever has most, when that is at least two more than this consumer has. */
  readonly stolen: string | undefined
}

/**
 * An equal share of the shards for every consumer that holds any, and for `me`. One is stolen at a time, so that two who
 * come at once do not take everything from each other again and again.
 */
export function chooseShards(shards: readonly HeldShard[], me: string): Wanted {
  const held = new Map<string, string[]>([[me, []]])
  for (const { shard, owner } of shards) {
    if (owner !== undefined) held.set(owner, [...(held.get(owner) ?? []), shard])
  }
  const mine = held.get(me)?.length ?? 0
  const share = Math.ceil(shards.length / held.size)
  const free = shards.filter(({ owner }) => owner === undefined).map(({ shard }) => shard)
  const taken = free.slice(0, Math.max(0, share - mine))
  if (free.length > 0) return { free: taken, stolen: undefined }
  const [richest = []] = [...held.values()].toSorted((a, b) => b.length - a.length)
  return { free: taken, stolen: richest.length - mine >= 2 ? richest[0] : undefined }
}
