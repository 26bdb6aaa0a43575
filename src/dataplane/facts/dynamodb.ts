import { setTimeout as wait } from 'node:timers/promises'
import type { AttributeValue, KeysAndAttributes } from '@aws-sdk/client-dynamodb'
import { awsErrorName, awsStatus } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { FactError, exactNumber } from './facts.ts'
import type { ItemTable } from './facts.ts'
import type { ParamValues } from '#kit/sql-template.ts'

export interface DynamoTableOptions extends Omit<ItemTable, 'get'> {
  /** Name of the table in DynamoDB. */
  readonly dynamodb: string
}

/** Keys of one BatchGetItem at most (DynamoDB API reference). */
const KEYS_AT_ONCE = 100
/** Text of a key at most, in bytes (DynamoDB, quotas: partition key). */
const MAX_KEY_BYTES = 2048
/** What the table did not get to is asked again, twice as late each time. */
const RETRY_MS = [30, 1000] as const

/** Items of a DynamoDB table by key: many in one call, named attributes only. */
export function dynamoTable(aws: Aws, options: DynamoTableOptions): ItemTable {
  return {
    ...options,
    get: async (keys, signal) => {
      try {
        return await getItems(aws, options, keys, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof FactError) throw error
        throw asFactError(error)
      }
    },
  }
}

function asFactError(error: unknown): FactError {
  const name = awsErrorName(error)
  if (name === 'ResourceNotFoundException') return new FactError('DynamoDB has no such table', error)
  // The names of the attributes are bound and the values have types: only the key can be wrong.
  if (name === 'ValidationException') return new FactError('its key is another than the configuration says', error)
  const isRefused = (awsStatus(error) ?? 500) < 500
  return new FactError(isRefused ? `DynamoDB refused (${name})` : `DynamoDB did not answer (${name})`, error)
}

type Item = Record<string, AttributeValue>

async function getItems(
  aws: Aws,
  options: DynamoTableOptions,
  keys: readonly ParamValues[],
  signal: AbortSignal,
): Promise<(Readonly<Record<string, unknown>> | undefined)[]> {
  const wanted = keys.map((key) => keyOf(key))
  // DynamoDB refuses a call that names a key twice.
  const distinct = [...new Map(wanted.filter(canBe).map((key) => [nameOf(key), key])).values()]
  const found = new Map<string, Item>()
  for (let at = 0; at < distinct.length; at += KEYS_AT_ONCE) {
    for (const item of await batchGet(aws, options, distinct.slice(at, at + KEYS_AT_ONCE), signal)) {
      const key = Object.fromEntries(Object.keys(options.key).map((name) => [name, item[name] ?? { NULL: true }]))
      found.set(nameOf(key), item)
    }
  }
  const owner = options.owner === undefined ? [] : [options.owner.attribute]
  const visible = new Set([...options.attributes, ...owner])
  const { unmarshall } = await loadPackage('@aws-sdk/util-dynamodb', () => import('@aws-sdk/util-dynamodb'))
  return wanted.map((key) => {
    const item = found.get(nameOf(key))
    if (item === undefined) return undefined
    const plain = unmarshall(item, { wrapNumbers: exactNumber })
    return Object.fromEntries(
      Object.entries(plain).flatMap(([name, value]: [string, unknown]) =>
        visible.has(name) ? [[name, jsonOf(value)]] : [],
      ),
    )
  })
}

async function batchGet(
  aws: Aws,
  { dynamodb, attributes, key, owner }: DynamoTableOptions,
  keys: readonly Item[],
  signal: AbortSignal,
): Promise<Item[]> {
  const { BatchGetItemCommand } = await loadPackage(
    '@aws-sdk/client-dynamodb',
    () => import('@aws-sdk/client-dynamodb'),
  )
  const client = await aws.dynamodb()
  const read = [...new Set([...Object.keys(key), ...attributes, ...(owner === undefined ? [] : [owner.attribute])])]
  // Names of attributes may be words of DynamoDB's own language: they are bound like values.
  const aliases = read.map((name, at): [string, string] => [`#a${at}`, name])
  const projection = aliases.map(([alias]) => alias).join(', ')
  let open: KeysAndAttributes | undefined = {
    Keys: [...keys],
    ProjectionExpression: projection,
    ExpressionAttributeNames: Object.fromEntries(aliases),
  }
  const items: Item[] = []
  for (let pauseMs: number = RETRY_MS[0]; open !== undefined; pauseMs = Math.min(pauseMs * 2, RETRY_MS[1])) {
    const answer: {
      Responses?: Record<string, Item[]> | undefined
      UnprocessedKeys?: Record<string, KeysAndAttributes> | undefined
    } = await client.send(new BatchGetItemCommand({ RequestItems: { [dynamodb]: open } }), { abortSignal: signal })
    items.push(...(answer.Responses?.[dynamodb] ?? []))
    open = answer.UnprocessedKeys?.[dynamodb]
    if (open !== undefined) await wait(pauseMs, undefined, { signal })
  }
  return items
}

function keyOf(values: ParamValues): Item {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]): [string, AttributeValue] => {
      if (typeof value === 'number') return [name, { N: String(value) }]
      if (typeof value === 'string') return [name, { S: value }]
      throw new FactError(`the key \`${name}\` must be one text or number`)
    }),
  )
}

/** DynamoDB refuses the whole call for a key that no item can have. */
function canBe(key: Item): boolean {
  return Object.values(key).every(({ S: text = ' ' }) => text !== '' && Buffer.byteLength(text) <= MAX_KEY_BYTES)
}

/** The same for every way to write a number: DynamoDB gives them without exponents. */
function nameOf(key: Item): string {
  const plain = Object.entries(key).map(([name, { N: number, S: text }]) => [
    name,
    number === undefined ? text : Number(number),
  ])
  return JSON.stringify(plain.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)))
}

/** Sets become lists; bytes say nothing to a model. */
function jsonOf(value: unknown): unknown {
  if (value instanceof Set) return Array.from(value, jsonOf)
  if (value instanceof Uint8Array) return null
  if (Array.isArray(value)) return value.map(jsonOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]: [string, unknown]) => [name, jsonOf(each)]))
}
