import { setTimeout as wait } from 'node:timers/promises'
import type { AttributeValue, KeysAndAttributes } from '@aws-sdk/client-dynamodb'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { FactError } from './facts.ts'
import type { ItemTable } from './facts.ts'
import type { ParamValues } from '#kit/sql-template.ts'

export interface DynamoTableOptions extends Omit<ItemTable, 'get'> {
  /** Name of the table in DynamoDB. */
  readonly dynamodb: string
}

/** Keys of one BatchGetItem at most (DynamoDB API reference). */
const KEYS_AT_ONCE = 100
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
        throw new FactError(`DynamoDB did not answer (${awsErrorName(error)})`, error)
      }
    },
  }
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
  const distinct = [...new Map(wanted.map((key) => [nameOf(key), key])).values()]
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
    const plain = unmarshall(item, { wrapNumbers: (text) => numberOf(text) })
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

function nameOf(key: Item): string {
  return JSON.stringify(Object.entries(key).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function numberOf(text: string): number | string {
  const number = Number(text)
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number)) ? number : text
}

/** Sets become lists; bytes say nothing to a model. */
function jsonOf(value: unknown): unknown {
  if (value instanceof Set) return Array.from(value, jsonOf)
  if (value instanceof Uint8Array) return null
  if (Array.isArray(value)) return value.map(jsonOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]: [string, unknown]) => [name, jsonOf(each)]))
}
