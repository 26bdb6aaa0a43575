import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { BatchWriteItemCommand } from '@aws-sdk/client-dynamodb'
import type { AttributeValue, CreateTableCommandInput } from '@aws-sdk/client-dynamodb'
import { z } from 'zod'
import type { PassportClaims } from '#contract/context.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { openDeadline } from '#dataplane/deadline.ts'
import { dynamoTable } from '#dataplane/facts/dynamodb.ts'
import type { DynamoTableOptions } from '#dataplane/facts/dynamodb.ts'
import { FactError } from '#dataplane/facts/facts.ts'
import type { ItemTable } from '#dataplane/facts/facts.ts'
import { bindFacts, lookUp } from '#dataplane/facts/look-up.ts'
import { awsError, startFaultProxy } from './fault-proxy.ts'
import type { FaultProxy } from './fault-proxy.ts'
import { createTable, localAws, startDynamo } from './stream-world.ts'
import type { LocalService } from './stream-world.ts'

let dynamo: LocalService
before(async () => {
  dynamo = await startDynamo()
})
after(() => dynamo.close())

type Item = Readonly<Record<string, AttributeValue>>

interface Table {
  readonly aws: Aws
  readonly proxy: FaultProxy
  /** Name in DynamoDB. */
  readonly name: string
  table(changes?: Partial<DynamoTableOptions>): ItemTable
}

let serial = 0
const { signal } = new AbortController()

async function tableWith(
  t: TestContext,
  items: readonly Item[],
  keys: readonly (readonly [name: string, type: 'S' | 'N'])[] = [['id', 'S']],
): Promise<Table> {
  serial += 1
  const name = `items-${serial}`
  const proxy = await startFaultProxy(dynamo.url)
  const aws = localAws({ dynamodb: proxy.url })
  t.after(async () => {
    aws.close()
    await proxy.close()
  })
  const schema: CreateTableCommandInput['KeySchema'] = keys.map(([key], at) => ({
    AttributeName: key,
    KeyType: at === 0 ? 'HASH' : 'RANGE',
  }))
  await createTable(aws, {
    TableName: name,
    KeySchema: schema,
    AttributeDefinitions: keys.map(([key, type]) => ({ AttributeName: key, AttributeType: type })),
  })
  const client = await aws.dynamodb()
  for (let at = 0; at < items.length; at += 25) {
    const put = items.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } }))
    await client.send(new BatchWriteItemCommand({ RequestItems: { [name]: put } }))
  }
  return {
    aws,
    proxy,
    name,
    table: (changes = {}) =>
      dynamoTable(aws, {
        name: 'boats',
        title: 'Boats',
        dynamodb: name,
        key: Object.fromEntries(keys.map(([key, type]) => [key, { type: type === 'S' ? 'text' : 'number' }])),
        attributes: ['id', 'tons'],
        owner: undefined,
        readers: { roles: [], groups: [] },
        ...changes,
      }),
  }
}

const boat = (id: string, more: Item = {}): Item => ({
  id: { S: id },
  tons: { N: '3' },
  secret: { S: 'hidden' },
  ...more,
})

const reads = ({ proxy }: Table) => proxy.calls.filter(({ operation }) => operation === 'BatchGetItem')

test('items come in the order of their keys, with a gap where there is none, a hundred keys a call', async (t) => {
  const world = await tableWith(
    t,
    Array.from({ length: 230 }, (_, at) => boat(`b${at}`)),
  )
  const wanted = Array.from({ length: 250 }, (_, at) => `b${(at * 7) % 250}`)
  const found = await world.table().get(
    [...wanted, 'b3', 'b3'].map((id) => ({ id })),
    signal,
  )
  assert.deepEqual(
    found.map((item) => item?.['id']),
    [...wanted, 'b3', 'b3'].map((id) => (Number(id.slice(1)) < 230 ? id : undefined)),
  )
  assert.deepEqual(found[0], { id: 'b0', tons: 3 })
  assert.equal(reads(world).length, 3)
  assert.deepEqual(await world.table().get([], signal), [])
})

test('a key may be numbers and texts, however DynamoDB writes them', async (t) => {
  const numbers = [0, -1, 7, 0.1, 1.5, 1e-7, 1e21, -2.5e-9, Number.MAX_SAFE_INTEGER]
  const world = await tableWith(
    t,
    numbers.map((at) => ({ harbour: { S: 'älv' }, at: { N: String(at) }, id: { S: `n${at}` } })),
    [
      ['harbour', 'S'],
      ['at', 'N'],
    ],
  )
  const keys = [...numbers, -0, 8].map((at) => ({ at, harbour: 'älv' }))
  const found = await world.table({ attributes: ['id'] }).get(keys, signal)
  assert.deepEqual(
    found.map((item) => item?.['id']),
    [...numbers.map((at) => `n${at}`), 'n0', undefined],
  )
})

test('only the named attributes are read and given, whatever they are called', async (t) => {
  const names = ['name', 'status', 'size', 'a.b', '#hash', ':colon', 'select', 'with blank', 'constructor', 'ü']
  const world = await tableWith(t, [
    boat('a', Object.fromEntries(names.map((name): [string, AttributeValue] => [name, { S: `of ${name}` }]))),
  ])
  const [item] = await world.table({ attributes: names }).get([{ id: 'a' }], signal)
  assert.deepEqual(
    Object.entries(item ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    names.map((name) => [name, `of ${name}`]).toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  )
  const [call] = reads(world)
  assert.ok(call !== undefined && !call.body.includes('secret'))
  assert.ok(call.body.includes('ProjectionExpression'))
})

test('values come as JSON: numbers that it would lose as text, sets as lists, bytes as nothing', async (t) => {
  const exact = '12345678901234567890123456789.123456789'
  const item: Item = {
    tons: { N: exact },
    price: { N: '19.99' },
    large: { N: '9007199254740993' },
    precise: { N: '0.12345678901234567890' },
    tags: { SS: ['a', 'b'] },
    counts: { NS: ['1', '9007199254740993'] },
    none: { NULL: true },
    yes: { BOOL: true },
    bytes: { B: new Uint8Array([1]) },
    deep: { M: { list: { L: [{ N: '1' }, { S: 'x' }, { B: new Uint8Array([1]) }] } } },
  }
  const world = await tableWith(t, [boat('a', item)])
  const [found] = await world.table({ attributes: Object.keys(item) }).get([{ id: 'a' }], signal)
  const { counts, tags, ...rest } = z
    .looseObject({ counts: z.array(z.unknown()), tags: z.array(z.string()) })
    .parse(found)
  assert.deepEqual(tags.toSorted(), ['a', 'b'])
  assert.deepEqual(new Set(counts), new Set([1, '9007199254740993']))
  assert.deepEqual(rest, {
    tons: exact,
    price: 19.99,
    large: '9007199254740993',
    precise: '0.1234567890123456789',
    none: null,
    yes: true,
    bytes: null,
    deep: { list: [1, 'x', null] },
  })
  assert.doesNotThrow(() => JSON.stringify(found))
})

test('what DynamoDB did not get to is asked again, and that alone', async (t) => {
  const world = await tableWith(
    t,
    ['a', 'b', 'c'].map((id) => boat(id)),
  )
  let calls = 0
  const Request = z.object({ RequestItems: z.record(z.string(), z.looseObject({ Keys: z.array(z.unknown()) })) })
  world.proxy.interfere = ({ operation, body }) => {
    calls += operation === 'BatchGetItem' ? 1 : 0
    if (operation !== 'BatchGetItem' || calls > 3) return undefined
    const asked = Request.parse(JSON.parse(body)).RequestItems[world.name] ?? assert.fail()
    if (calls > 1) return { status: 200, body: { Responses: {}, UnprocessedKeys: { [world.name]: asked } } }
    const rest = { ...asked, Keys: asked.Keys.slice(1) }
    return {
      status: 200,
      body: { Responses: { [world.name]: [boat('a')] }, UnprocessedKeys: { [world.name]: rest } },
    }
  }
  const found = await world.table().get(
    ['a', 'b', 'c', 'd'].map((id) => ({ id })),
    signal,
  )
  assert.deepEqual(
    found.map((item) => item?.['id']),
    ['a', 'b', 'c', undefined],
  )
  assert.equal(calls, 4)
  const last = Request.parse(JSON.parse(reads(world).at(-1)?.body ?? '')).RequestItems[world.name]
  assert.equal(last?.Keys.length, 3)
  // Never ready: until the caller leaves.
  world.proxy.interfere = ({ body }) => ({
    status: 200,
    body: { Responses: {}, UnprocessedKeys: Request.parse(JSON.parse(body)).RequestItems },
  })
  await assert.rejects(world.table().get([{ id: 'a' }], AbortSignal.timeout(300)), { name: 'TimeoutError' })
})

test('a key that no item can have is an item that is not there, and spoils no other', async (t) => {
  const world = await tableWith(t, [boat('a')])
  const found = await world.table().get([{ id: '' }, { id: 'a' }, { id: 'ä'.repeat(1200) }], signal)
  assert.deepEqual(found, [undefined, { id: 'a', tons: 3 }, undefined])
  await assert.rejects(world.table().get([{ id: ['a', 'b'] }], signal), /the key `id` must be one text or number/)
})

test('a table that is not there, has another key or may not be read is named as what it is', async (t) => {
  const world = await tableWith(t, [boat('a')])
  const rejects = async (
    table: ItemTable,
    message: RegExp,
    key: Readonly<Record<string, string | number>> = { id: 'a' },
  ) =>
    await assert.rejects(table.get([key], signal), (error) => error instanceof FactError && message.test(error.message))
  await rejects(world.table({ dynamodb: 'nowhere' }), /^DynamoDB has no such table$/)
  await rejects(world.table({ key: { id: { type: 'number' } } }), /its key is another than the configuration says/, {
    id: 7,
  })
  await rejects(world.table({ key: { pk: { type: 'text' } } }), /its key is another than the configuration says/, {
    pk: 'a',
  })
  world.proxy.interfere = () => awsError('AccessDeniedException')
  await rejects(world.table(), /^DynamoDB refused \(AccessDeniedException\)$/)
  world.proxy.interfere = () => awsError('InternalServerError', 500)
  await rejects(world.table(), /^DynamoDB did not answer \(InternalServerError\)$/)
})

const CALLER: PassportClaims = {
  iss: 'i',
  aud: 'a',
  sub: 'kim',
  tenant: 'nordwind',
  roles: ['sailor'],
  groups: ['g1', 'g2'],
  collections: ['items:boats'],
  purpose: '',
  residency: '',
  jti: 'j',
  iat: 0,
  exp: 1,
}

async function ask(table: ItemTable, ids: readonly string[], totalMs = 5000) {
  const sources = { queries: new Map(), tables: new Map([['boats', table]]) }
  const items = ids.map((id) => ({ table: 'boats', key: { id } }))
  const request = { queries: [], collections: [], topK: 1, maxBytes: 1000, sql: [], items, principal: '' }
  const faults: unknown[] = []
  const startedMs = performance.now()
  const found = await lookUp(bindFacts(sources, request, CALLER), {
    deadline: openDeadline(totalMs, signal),
    now: Date.now,
    onFault: (error) => faults.push(error),
  })
  return { ...found, faults, ms: performance.now() - startedMs, shown: found.items.map(({ item }) => item) }
}

test('items of others are as if they were not there, and whose they are is told to nobody', async (t) => {
  const world = await tableWith(t, [
    boat('own', { owner: { S: 'nordwind' } }),
    boat('theirs', { owner: { S: 'globex' } }),
    boat('nobodys'),
    boat('number', { owner: { N: '7' } }),
    boat('shared', { owner: { SS: ['globex', 'nordwind'] } }),
    boat('list', { owner: { L: [{ S: 'globex' }, { S: 'g2' }] } }),
  ])
  const ids = ['own', 'theirs', 'nobodys', 'number', 'shared', 'list', 'none']
  const byTenant = await ask(world.table({ owner: { attribute: 'owner', from: 'tenant' } }), ids)
  assert.deepEqual(byTenant.shown, [
    { id: 'own', tons: 3 },
    { id: 'shared', tons: 3 },
  ])
  assert.deepEqual(byTenant.missing, ['table `boats`: 5 of the items are not there'])
  const byGroup = await ask(world.table({ owner: { attribute: 'owner', from: 'groups' } }), ids)
  assert.deepEqual(byGroup.shown, [{ id: 'list', tons: 3 }])
  assert.equal((await ask(world.table(), ids)).shown.length, 6)
  assert.ok(!JSON.stringify([byTenant.items, byTenant.missing]).includes('nordwind'))
})

test('a slow table is missing when the time is over, and a throttled one is waited for', async (t) => {
  const world = await tableWith(t, [boat('a')])
  let isSlow = true
  world.proxy.interfere = async () => {
    if (isSlow) await new Promise((resolve) => setTimeout(resolve, 3000).unref())
    return undefined
  }
  const late = await ask(world.table(), ['a'], 300)
  assert.deepEqual(late.missing, ['the table `boats` was not answered within 300 ms'])
  assert.ok(late.ms < 1500)
  isSlow = false
  let throttled = 0
  world.proxy.interfere = () => {
    throttled += 1
    return throttled > 2 ? undefined : awsError('ProvisionedThroughputExceededException')
  }
  assert.deepEqual((await ask(world.table(), ['a'], 8000)).shown, [{ id: 'a', tons: 3 }])
  assert.equal(throttled, 3)
})
