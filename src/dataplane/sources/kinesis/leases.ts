import { setTimeout as wait } from 'node:timers/promises'
import type { AttributeValue, KeysAndAttributes } from '@aws-sdk/client-dynamodb'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'

/** Who reads a shard and how far that got. */
export interface Lease {
  /** Undefined: it was given back. */
  readonly owner: string | undefined
  /** Moves with every sign of life: one that stands still is a lease that nobody holds. */
  readonly counter: number
  /** Sequence number of the last record that is in the index; undefined before the first. */
  readonly checkpoint: string | undefined
  /** Without a checkpoint: records that arrived since are read. Undefined: from the oldest on. */
  readonly sinceEpochMs: number | undefined
  /** Whether the shard was closed and read to its end. */
  readonly isEnded: boolean
}

/**
 * The leases of one stream, for one consumer. Every write is conditional: false says that somebody else was faster, or
 * that the lease is not this consumer's any more.
 */
export interface LeaseTable {
  read(shards: readonly string[]): Promise<ReadonlyMap<string, Lease>>
  /** Begins a shard that has no lease. */
  create(shard: string, sinceEpochMs: number | undefined): Promise<boolean>
  /** Takes a lease as it was seen, whoever has it. */
  take(shard: string, seen: Lease): Promise<boolean>
  renew(shard: string): Promise<boolean>
  checkpoint(shard: string, sequence: string): Promise<boolean>
  /** The shard was read to its end; its children can be begun. */
  end(shard: string): Promise<boolean>
  giveBack(shard: string): Promise<boolean>
}

export interface LeaseTableOptions {
  /** Table whose key is the text `id`. */
  readonly table: string
  readonly stream: string
  /** Unlike that of any other consumer, ever. */
  readonly owner: string
}

/** Keys of one BatchGetItem at most (DynamoDB API reference). */
const KEYS_AT_ONCE = 100
const RETRY_MS = [30, 1000] as const

/** What a lease becomes by an update. */
interface Update {
  readonly shard: string
  readonly expression: string
  readonly condition: string
  readonly values: Readonly<Record<string, AttributeValue>>
}

/** `counter` is a word of DynamoDB's own language, and `owner` may become one. */
const NAMES = { '#owner': 'owner', '#counter': 'counter' }
const OWN = '#owner = :me'

/** @throws from every method when the table can not be used, naming it. */
export function openLeases(aws: Aws, { table, stream, owner }: LeaseTableOptions): LeaseTable {
  const me: AttributeValue = { S: owner }
  const one: AttributeValue = { N: '1' }
  const keyOf = (shard: string) => ({ id: { S: `${stream}/${shard}` } })
  const update = async ({ shard, expression, condition, values }: Update): Promise<boolean> => {
    const { UpdateItemCommand } = await loadDynamo()
    const client = await aws.dynamodb()
    try {
      await client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: keyOf(shard),
          UpdateExpression: expression,
          ConditionExpression: condition,
          ExpressionAttributeNames: NAMES,
          ExpressionAttributeValues: values,
        }),
      )
      return true
    } catch (error) {
      if (awsErrorName(error) === 'ConditionalCheckFailedException') return false
      throw unusable(table, error)
    }
  }
  return {
    async read(shards) {
      const leases = new Map<string, Lease>()
      for (let at = 0; at < shards.length; at += KEYS_AT_ONCE) {
        const keys = shards.slice(at, at + KEYS_AT_ONCE).map(keyOf)
        for (const item of await batchGet(aws, table, keys)) {
          leases.set((item['id']?.S ?? '').slice(stream.length + 1), leaseOf(item))
        }
      }
      return leases
    },
    create: async (shard, sinceEpochMs) =>
      await update({
        shard,
        expression: `SET #owner = :me, #counter = :one, isEnded = :no${sinceEpochMs === undefined ? '' : ', since = :since'}`,
        condition: 'attribute_not_exists(id)',
        values: {
          ':me': me,
          ':one': one,
          ':no': { BOOL: false },
          ...(sinceEpochMs === undefined ? {} : { ':since': { N: String(sinceEpochMs) } }),
        },
      }),
    take: async (shard, seen) =>
      await update({
        shard,
        expression: 'SET #owner = :me, #counter = #counter + :one',
        condition: '#counter = :seen AND isEnded = :no',
        values: { ':me': me, ':one': one, ':seen': { N: String(seen.counter) }, ':no': { BOOL: false } },
      }),
    renew: async (shard) =>
      await update({
        shard,
        expression: 'SET #counter = #counter + :one',
        condition: OWN,
        values: { ':me': me, ':one': one },
      }),
    checkpoint: async (shard, sequence) =>
      await update({
        shard,
        expression: 'SET checkpoint = :sequence, #counter = #counter + :one',
        condition: OWN,
        values: { ':me': me, ':one': one, ':sequence': { S: sequence } },
      }),
    end: async (shard) =>
      await update({
        shard,
        expression: 'SET isEnded = :yes, #counter = #counter + :one REMOVE #owner',
        condition: OWN,
        values: { ':me': me, ':one': one, ':yes': { BOOL: true } },
      }),
    giveBack: async (shard) =>
      await update({
        shard,
        expression: 'SET #counter = #counter + :one REMOVE #owner',
        condition: OWN,
        values: { ':me': me, ':one': one },
      }),
  }
}

async function batchGet(
  aws: Aws,
  table: string,
  keys: readonly Record<string, AttributeValue>[],
): Promise<Record<string, AttributeValue>[]> {
  const { BatchGetItemCommand } = await loadDynamo()
  const client = await aws.dynamodb()
  const items: Record<string, AttributeValue>[] = []
  let open: KeysAndAttributes | undefined = { Keys: [...keys], ConsistentRead: true }
  for (let pauseMs: number = RETRY_MS[0]; open !== undefined; pauseMs = Math.min(pauseMs * 2, RETRY_MS[1])) {
    const answer: {
      Responses?: Record<string, Record<string, AttributeValue>[]> | undefined
      UnprocessedKeys?: Record<string, KeysAndAttributes> | undefined
    } = await client.send(new BatchGetItemCommand({ RequestItems: { [table]: open } })).catch((error: unknown) => {
      throw unusable(table, error)
    })
    items.push(...(answer.Responses?.[table] ?? []))
    open = answer.UnprocessedKeys?.[table]
    if (open !== undefined) await wait(pauseMs)
  }
  return items
}

function leaseOf(item: Readonly<Record<string, AttributeValue>>): Lease {
  const since = item['since']?.N
  return {
    owner: item['owner']?.S,
    counter: Number(item['counter']?.N ?? 0),
    checkpoint: item['checkpoint']?.S,
    sinceEpochMs: since === undefined ? undefined : Number(since),
    isEnded: item['isEnded']?.BOOL === true,
  }
}

function unusable(table: string, error: unknown): Error {
  const name = awsErrorName(error)
  const mend = name === 'ValidationException' ? ', its key must be `id`, a text, and nothing else' : ''
  return new Error(`the DynamoDB table \`${table}\` for the leases can not be used (${name})${mend}`, { cause: error })
}

async function loadDynamo() {
  return await loadPackage('@aws-sdk/client-dynamodb', () => import('@aws-sdk/client-dynamodb'))
}
