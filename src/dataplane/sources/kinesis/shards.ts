import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import type { Lease } from './leases.ts'

/** A shard of a stream, open or closed, whose records are still kept. */
export interface Shard {
  readonly id: string
  /** One after a split, two after a merge. They may be listed no more. */
  readonly parents: readonly string[]
  /** Whether it takes no more records: it was split or merged. */
  readonly isClosed: boolean
}

/** Where a shard without a checkpoint is begun. */
export type From = 'trim-horizon' | 'latest'

/** A shard whose turn it is. */
export interface ReadableShard {
  readonly shard: string
  /** Undefined: nobody has read it yet. */
  readonly lease: Lease | undefined
  /** Of a shard without a lease: at its oldest record, or at what arrives from now on. */
  readonly begin: 'oldest' | 'now'
}

/** All shards of a stream. @throws when the stream can not be read. */
export async function listShards(aws: Aws, stream: string, signal: AbortSignal): Promise<Shard[]> {
  const { ListShardsCommand } = await loadPackage('@aws-sdk/client-kinesis', () => import('@aws-sdk/client-kinesis'))
  const client = await aws.kinesis()
  const shards: Shard[] = []
  for (let token: string | undefined; ;) {
    // A token stands for the stream as well; naming both is refused.
    const page = await client
      .send(new ListShardsCommand(token === undefined ? { StreamName: stream } : { NextToken: token }), {
        abortSignal: signal,
      })
      .catch((error: unknown) => {
        signal.throwIfAborted()
        throw new Error(`the Kinesis stream \`${stream}\` can not be read (${awsErrorName(error)})`, { cause: error })
      })
    for (const { ShardId: id, ParentShardId, AdjacentParentShardId, SequenceNumberRange: range } of page.Shards ?? []) {
      if (id === undefined) continue
      const parents = [ParentShardId, AdjacentParentShardId].filter((parent) => parent !== undefined)
      shards.push({ id, parents, isClosed: range?.EndingSequenceNumber !== undefined })
    }
    token = page.NextToken
    if (token === undefined) return shards
  }
}

/**
 * Shards that are not at their end and whose parents are: the events of a document stay in their order across a split
 * or a merge.
 */
export function readableShards(
  shards: readonly Shard[],
  leases: ReadonlyMap<string, Lease>,
  from: From,
): ReadableShard[] {
  const listed = new Map(shards.map((shard) => [shard.id, shard]))
  // From the latest on means: what was closed before anybody read here is not of interest, what follows on what was read is.
  const isSkipped = ({ isClosed, parents }: Shard) =>
    from === 'latest' && isClosed && !parents.some((parent) => leases.has(parent))
  const isEnded = (shard: Shard): boolean => leases.get(shard.id)?.isEnded ?? isSkipped(shard)
  const isDone = (id: string): boolean => {
    const shard = listed.get(id)
    return shard === undefined || isEnded(shard)
  }
  return shards
    .filter((shard) => !isEnded(shard) && shard.parents.every(isDone))
    .map(({ id, parents }) => ({
      shard: id,
      lease: leases.get(id),
      begin: from === 'latest' && !parents.some((parent) => leases.has(parent)) ? 'now' : 'oldest',
    }))
}
