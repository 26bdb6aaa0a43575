import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { ListShardsCommand, MergeShardsCommand, PutRecordCommand, SplitShardCommand } from '@aws-sdk/client-kinesis'
import type { ContextAnswer } from '#contract/context.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import { startDataPlane } from '#dataplane/serve.ts'
import type { DataPlane } from '#dataplane/serve.ts'
import { kinesisSource } from '#dataplane/sources/kinesis/kinesis.ts'
import type { KinesisSourceOptions } from '#dataplane/sources/kinesis/kinesis.ts'
import { openLeases } from '#dataplane/sources/kinesis/leases.ts'
import type { SourceChange } from '#dataplane/sources/source.ts'
import {
  collectionOf,
  createMinter,
  createWordEmbedder,
  engineIn,
  folderWith,
  ISSUER,
  skipWithoutIndex,
} from '#dataplane/test-agent.ts'
import { eventually } from './aws-world.ts'
import { awsError, startFaultProxy } from './fault-proxy.ts'
import type { FaultProxy } from './fault-proxy.ts'
import {
  createLeases,
  createStream,
  localAws,
  putEvents,
  startDynamo,
  startKinesis,
  streamIsActive,
} from './stream-world.ts'
import type { LocalService } from './stream-world.ts'

const AGENT = fileURLToPath(new URL('./stream-agent.ts', import.meta.url))
/** Short, so that the tests need not wait. */
const LEASE_MS = 1500
const POLL_MS = 100

let kinesis: LocalService
let dynamo: LocalService
before(async () => {
  ;[kinesis, dynamo] = await Promise.all([startKinesis(), startDynamo()])
})
after(() => {
  kinesis.close()
  dynamo.close()
})

interface StreamWorld {
  readonly aws: Aws
  readonly stream: string
  readonly leases: string
  readonly kinesis: FaultProxy
  readonly dynamo: FaultProxy
  readonly faults: string[]
  put(...events: readonly ({ readonly id: string } & Readonly<Record<string, unknown>>)[]): Promise<void>
  putRaw(data: Uint8Array | string): Promise<void>
  source(changes?: Partial<KinesisSourceOptions>): ReturnType<typeof kinesisSource>
}

let serial = 0

/** A stream and a table of leases of their own, behind proxies. */
async function streamWorld(t: TestContext, shards = 1): Promise<StreamWorld> {
  serial += 1
  const [stream, leases] = [`events-${serial}`, `leases-${serial}`]
  const proxies = { kinesis: await startFaultProxy(kinesis.url), dynamo: await startFaultProxy(dynamo.url) }
  const aws = localAws({ kinesis: proxies.kinesis.url, dynamodb: proxies.dynamo.url })
  const faults: string[] = []
  t.after(async () => {
    aws.close()
    await proxies.kinesis.close()
    await proxies.dynamo.close()
  })
  await createStream(aws, stream, shards)
  await createLeases(aws, leases)
  return {
    aws,
    stream,
    leases,
    ...proxies,
    faults,
    put: async (...events) => await putEvents(aws, stream, events),
    async putRaw(data) {
      const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
      const client = await aws.kinesis()
      await client.send(new PutRecordCommand({ StreamName: stream, PartitionKey: 'raw', Data: bytes }))
    },
    source: (changes = {}) =>
      kinesisSource(aws, {
        stream,
        leases,
        id: 'id',
        text: 'text',
        from: 'trim-horizon',
        leaseMs: LEASE_MS,
        pollMs: POLL_MS,
        onFault: (error) => faults.push(String(error)),
        ...changes,
      }),
  }
}

interface Reader {
  readonly got: SourceChange[]
  readonly documents: () => string[]
  /** Resolves when the consumer has ended; rejects with what ended it. */
  readonly stop: () => Promise<void>
  readonly ended: Promise<void>
}

/** A consumer that only collects. */
function read(
  t: TestContext,
  source: ReturnType<typeof kinesisSource>,
  onTake: (changes: readonly SourceChange[]) => Promise<void> | void = () => undefined,
): Reader {
  const got: SourceChange[] = []
  const end = new AbortController()
  const ended = source.watch(async (changes) => {
    await onTake(changes)
    got.push(...changes)
  }, end.signal)
  ended.catch(() => undefined)
  const stop = async (): Promise<void> => {
    end.abort(new Error('the test ends'))
    await ended
  }
  t.after(async () => await stop().catch(() => undefined))
  return { got, ended, stop, documents: () => got.map(({ document }) => document) }
}

const numbered = (from: number, to: number, text = 'wind') =>
  Array.from({ length: to - from }, (_, at) => ({ id: `d-${from + at}`, text: `${text} ${from + at}` }))

async function leasesIn({ aws, leases }: StreamWorld) {
  const client = await aws.dynamodb()
  const { Items: items = [] } = await client.send(new ScanCommand({ TableName: leases, ConsistentRead: true }))
  return items.map((item) => ({
    id: item['id']?.S ?? '',
    owner: item['owner']?.S,
    checkpoint: item['checkpoint']?.S,
    isEnded: item['isEnded']?.BOOL === true,
  }))
}

async function openShards({ aws, stream }: StreamWorld) {
  const client = await aws.kinesis()
  const { Shards: shards = [] } = await client.send(new ListShardsCommand({ StreamName: stream }))
  return shards.filter(({ SequenceNumberRange: range }) => range?.EndingSequenceNumber === undefined)
}

interface Agent {
  readonly plane: DataPlane
  readonly faults: string[]
  readonly find: (query: string) => Promise<readonly string[]>
  /** Closes it before the test ends. */
  readonly close: () => Promise<void>
}

async function agentOver(
  t: TestContext,
  source: ReturnType<typeof kinesisSource>,
  dataDir: string,
  changes: Partial<Collection> = {},
): Promise<Agent> {
  const minter = await createMinter('key-1', Date.now())
  const faults: string[] = []
  const plane = await startDataPlane({
    issuer: ISSUER,
    fetchKeys: async () => await Promise.resolve(minter.jwks),
    dataDir,
    collections: [collectionOf('', { source, ...changes })],
    embedder: createWordEmbedder(),
    onFault: (error) => faults.push(String(error)),
  })
  let isOpen = true
  const close = async (): Promise<void> => {
    if (isOpen) await plane.close()
    isOpen = false
  }
  t.after(close)
  await plane.ready
  return {
    plane,
    faults,
    close,
    async find(query) {
      const body = JSON.stringify({
        queries: [query],
        collections: ['docs'],
        topK: 5,
        maxBytes: 65_536,
        sql: [],
        items: [],
        principal: await minter.mint(),
      })
      const response = await fetch(`${plane.url}/v1/context`, { method: 'POST', body })
      assert.equal(response.status, 200)
      const { passages } = (await response.json()) as ContextAnswer
      return passages.map(({ source: { document }, text }) => `${document}: ${text}`)
    },
  }
}

test(
  'an event can be retrieved within five seconds, also changed, and no more when it is deleted',
  { skip: skipWithoutIndex, timeout: 60_000 },
  async (t) => {
    const world = await streamWorld(t, 2)
    // As it is shipped: with the times of production.
    const { find, faults } = await agentOver(
      t,
      kinesisSource(world.aws, { ...world, id: 'id', text: 'text', from: 'trim-horizon', onFault: () => undefined }),
      await folderWith({}),
    )
    const arrives = async (what: string, put: () => Promise<void>, there: (found: readonly string[]) => boolean) => {
      const startedMs = performance.now()
      await put()
      await eventually(async () => there(await find('anemometer')), 5000)
      t.diagnostic(`${what} after ${Math.round(performance.now() - startedMs)} ms`)
    }
    await arrives(
      'new',
      async () => await world.put({ id: 'wind/1', title: 'Wind', text: 'The anemometer measures the wind.' }),
      ([first]) => first === 'wind/1: The anemometer measures the wind.',
    )
    await arrives(
      'changed',
      async () => await world.put({ id: 'wind/1', text: 'The anemometer was sold.' }),
      (found) => found.length === 1 && found[0] === 'wind/1: The anemometer was sold.',
    )
    await arrives(
      'deleted',
      async () => await world.put({ id: 'wind/1', deleted: true }),
      (found) => found.length === 0,
    )
    await arrives(
      'without text',
      async () => await world.put({ id: 'order', instrument: 'anemometer', pieces: 3 }),
      ([first]) => first?.startsWith('order: ') === true && first.includes('pieces'),
    )
    assert.deepEqual(faults, [])
  },
)

test(
  'a listing of a stream removes nothing, and gives what is there the readers of today',
  { skip: skipWithoutIndex, timeout: 60_000 },
  async (t) => {
    const world = await streamWorld(t)
    const dataDir = await folderWith({})
    const first = await agentOver(t, world.source(), dataDir)
    await world.put({ id: 'pay/1', text: 'The salary of the keeper.' }, { id: 'open/1', text: 'The salary table.' })
    await eventually(async () => (await first.find('salary')).length === 2)
    const [again] = await first.plane.ingest('docs')
    assert.deepEqual([again?.documents, again?.removed, again?.changed], [2, 0, 0])
    await first.close()
    const rules = [{ documents: 'pay/**', roles: ['people'], groups: [] }]
    const second = await agentOver(t, world.source(), dataDir, { rules })
    assert.deepEqual(await second.find('salary'), ['open/1: The salary table.'])
  },
)

for (const when of ['while it is read', 'before it is read']) {
  test(
    `splits and merges of a stream ${when} lose nothing, double nothing, and keep the order of a document`,
    { timeout: 90_000 },
    async (t) => {
      const world = await streamWorld(t, 1)
      let takes = 0
      const begin = () =>
        read(t, world.source(), async () => {
          takes += 1
          // The eldest shard is the slowest: its children must wait all the same.
          if (takes === 1) await new Promise((resolve) => setTimeout(resolve, 500))
        })
      const early = when === 'while it is read' ? begin() : undefined
      await splitAndMerge(world)
      const { got, stop } = early ?? begin()
      await eventually(() => got.length >= 240, 30_000)
      await stop()
      assert.equal(got.length, 240)
      assert.equal(new Set(got.map(({ document }) => document)).size, 120)
      const texts = await Promise.all(got.filter(({ document }) => document === 'd-7').map(textOf))
      assert.deepEqual(texts, ['wind 7', 'second 7', 'third 7', 'fourth 7'])
      const leases = await leasesIn(world)
      // The first shard, its two children, and the one that they were merged into.
      assert.deepEqual([leases.length, leases.filter(({ isEnded }) => isEnded).length], [4, 3])
      assert.ok(leases.every(({ owner }) => owner === undefined))
    },
  )
}

async function textOf(change: SourceChange): Promise<string> {
  if (change.kind !== 'arrived') return change.kind
  const { input } = await change.open()
  return 'bytes' in input ? new TextDecoder().decode(input.bytes) : ''
}

/** 240 events of 120 documents; the shards change in between. */
async function splitAndMerge(world: StreamWorld): Promise<void> {
  const { aws, stream } = world
  const client = await aws.kinesis()
  await world.put(...numbered(0, 40), ...numbered(0, 40, 'second'))
  const [shard] = await openShards(world)
  const half = String(2n ** 127n)
  await client.send(
    new SplitShardCommand({ StreamName: stream, ShardToSplit: shard?.ShardId, NewStartingHashKey: half }),
  )
  await streamIsActive(aws, stream)
  await world.put(...numbered(40, 80), ...numbered(0, 40, 'third'))
  const [left, right] = await openShards(world)
  await client.send(
    new MergeShardsCommand({
      StreamName: stream,
      ShardToMerge: left?.ShardId,
      AdjacentShardToMerge: right?.ShardId,
    }),
  )
  await streamIsActive(aws, stream)
  await world.put(...numbered(80, 120), ...numbered(0, 40, 'fourth'))
}

test(
  'a shard that is read from the latest on begins there; what follows on it is read whole',
  { timeout: 60_000 },
  async (t) => {
    const world = await streamWorld(t, 1)
    await world.put(...numbered(0, 10))
    const source = world.source({ from: 'latest' })
    const first = read(t, source)
    await eventually(async () => (await leasesIn(world)).length === 1)
    await first.stop()
    assert.deepEqual(first.documents(), [])
    // Nobody reads, and still nothing of it is lost.
    await world.put(...numbered(10, 20))
    const [shard] = await openShards(world)
    const client = await world.aws.kinesis()
    await client.send(
      new SplitShardCommand({
        StreamName: world.stream,
        ShardToSplit: shard?.ShardId,
        NewStartingHashKey: String(2n ** 127n),
      }),
    )
    await streamIsActive(world.aws, world.stream)
    await world.put(...numbered(20, 30))
    const second = read(t, source)
    await eventually(() => second.got.length >= 20)
    await second.stop()
    assert.deepEqual(
      second.documents().toSorted(),
      numbered(10, 30).map(({ id }) => id),
    )
  },
)

test(
  'events that are none stop nothing, are counted, and are not repeated in the fault',
  { timeout: 60_000 },
  async (t) => {
    const world = await streamWorld(t)
    await world.putRaw('secret-4711 is no JSON')
    await world.putRaw(JSON.stringify({ text: 'secret-4711 without a name' }))
    await world.putRaw(Buffer.concat([Buffer.from([0xf3, 0x89, 0x9a, 0xc2]), Buffer.from('secret-4711')]))
    await world.put({ id: 'good', text: 'wind' })
    const { documents, stop } = read(t, world.source())
    await eventually(() => documents().includes('good'))
    await stop()
    const told = world.faults.join('\n')
    assert.match(told, /1 not a JSON object/)
    assert.match(told, /1 without a usable id/)
    assert.match(told, /1 aggregated by the Kinesis Producer Library/)
    assert.ok(!told.includes('4711'))
    // They are done: a second consumer does not see them again.
    const before = world.faults.length
    const again = read(t, world.source())
    await world.put({ id: 'next', text: 'wind' })
    await eventually(() => again.documents().includes('next'))
    assert.deepEqual(again.documents(), ['next'])
    assert.equal(world.faults.length, before)
  },
)

function spawnAgent(world: StreamWorld, dataDir: string, dynamodb = world.dynamo.url) {
  const { stream, leases } = world
  const options = { dataDir, kinesis: world.kinesis.url, dynamodb, stream, leases, leaseMs: LEASE_MS }
  return spawn(process.execPath, [AGENT, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] })
}

test(
  'two consumers share the shards; when one is killed, the other takes over and nothing is lost',
  { skip: skipWithoutIndex, timeout: 120_000 },
  async (t) => {
    const world = await streamWorld(t, 4)
    const child = spawnAgent(world, await folderWith({}))
    t.after(() => child.kill('SIGKILL'))
    await eventually(async () => new Set((await leasesIn(world)).map(({ owner }) => owner)).size === 1, 20_000)
    const here = read(t, world.source())
    const owners = async (): Promise<number[]> => {
      const counts = new Map<string, number>()
      for (const { owner } of await leasesIn(world)) {
        if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1)
      }
      return [...counts.values()]
    }
    await eventually(async () => String(await owners()) === '2,2', 20_000)
    // They stay as they are: nobody steals back and forth.
    const shared = JSON.stringify((await leasesIn(world)).map(({ id, owner }) => [id, owner]))
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS))
    assert.equal(JSON.stringify((await leasesIn(world)).map(({ id, owner }) => [id, owner])), shared)
    await world.put(...numbered(0, 80))
    await eventually(() => here.got.length > 0, 10_000)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const killedAtMs = performance.now()
    await world.put(...numbered(80, 160))
    await eventually(() => numbered(80, 160).every(({ id }) => here.documents().includes(id)), 20_000)
    t.diagnostic(`taken over ${Math.round(performance.now() - killedAtMs)} ms after the kill, leases of ${LEASE_MS} ms`)
    assert.deepEqual(await owners(), [4])
    // What this consumer read it read once: it lost no lease.
    assert.equal(new Set(here.documents()).size, here.got.length)
  },
)

test(
  'a consumer that is killed between index and checkpoint repeats events and doubles no passage',
  { skip: skipWithoutIndex, timeout: 120_000 },
  async (t) => {
    const world = await streamWorld(t)
    const dataDir = await folderWith({})
    await world.put(...numbered(0, 30), { id: 'd-3', text: 'changed 3' }, { id: 'd-4', deleted: true })
    const child = spawnAgent(world, dataDir)
    t.after(() => child.kill('SIGKILL'))
    // The index has the events, and the checkpoint never arrives.
    const killed = once(child, 'exit')
    world.dynamo.interfere = async ({ operation, body }) => {
      if (operation !== 'UpdateItem' || !body.includes('SET checkpoint')) return undefined
      child.kill('SIGKILL')
      await killed
      return awsError('InternalServerError', 500)
    }
    await killed
    world.dynamo.interfere = () => undefined
    assert.deepEqual(
      (await leasesIn(world)).map(({ checkpoint }) => checkpoint),
      [undefined],
    )
    assert.equal(await withIndex(dataDir, async ({ store }) => await store.countPassages()), 29)
    const repeated: string[] = []
    const source = world.source()
    const { find, close } = await agentOver(
      t,
      {
        name: source.name,
        watch: async (take, signal) =>
          await source.watch(async (changes) => {
            await take(changes)
            repeated.push(...changes.map(({ document }) => document))
          }, signal),
      },
      dataDir,
    )
    await world.put({ id: 'last', text: 'The last anemometer.' })
    await eventually(async () => (await find('anemometer')).length === 1, 20_000)
    assert.equal(repeated.length, 33)
    await close()
    await withIndex(dataDir, async ({ store, manifest }) => {
      // 29 of the thirty are left, and the last one.
      assert.equal(await store.countPassages(), 30)
      const texts = (await Array.fromAsync(store.read('d-3'))).flat().map(({ text }) => text)
      assert.deepEqual(texts, ['changed 3'])
      assert.equal(manifest.get('d-4')?.fate, 'deleted')
    })
  },
)

async function withIndex<Result>(dataDir: string, look: (index: CollectionIndex) => Promise<Result>): Promise<Result> {
  const options = { dataDir, engine: engineIn(dataDir), embedder: createWordEmbedder() }
  const index = await openCollection(collectionOf(''), options)
  try {
    return await look(index)
  } finally {
    await index.close()
  }
}

test('iterators that expire are had again where the checkpoint is', { timeout: 60_000 }, async (t) => {
  const world = await streamWorld(t)
  const { documents } = read(t, world.source())
  await world.put(...numbered(0, 5))
  await eventually(() => documents().length === 5)
  const expired = new Set<string>()
  world.kinesis.interfere = ({ operation, body }) => {
    if (operation !== 'GetRecords' || (expired.size >= 3 && !expired.has(body))) return undefined
    expired.add(body)
    return awsError('ExpiredIteratorException')
  }
  await world.put(...numbered(5, 10))
  await eventually(() => documents().length >= 10)
  assert.equal(expired.size, 3)
  assert.deepEqual(
    documents(),
    numbered(0, 10).map(({ id }) => id),
  )
  assert.deepEqual(world.faults, [])
})

test('throttling is waited out and told once; refused permissions end the consumer', { timeout: 60_000 }, async (t) => {
  const world = await streamWorld(t)
  const reader = read(t, world.source())
  await world.put(...numbered(0, 5))
  await eventually(() => reader.got.length === 5)
  let throttled = 0
  world.kinesis.interfere = ({ operation }) => {
    if (operation !== 'GetRecords' || throttled >= 5) return undefined
    throttled += 1
    return awsError('ProvisionedThroughputExceededException')
  }
  await world.put(...numbered(5, 10))
  await eventually(() => reader.got.length >= 10, 20_000)
  assert.deepEqual(
    reader.documents(),
    numbered(0, 10).map(({ id }) => id),
  )
  assert.equal(world.faults.length, 1)
  assert.match(world.faults[0] ?? '', /can not be read \(ProvisionedThroughputExceededException\)/)
  let refused = 0
  world.kinesis.interfere = ({ operation }) => {
    if (operation !== 'GetRecords') return undefined
    refused += 1
    return awsError('AccessDeniedException')
  }
  await assert.rejects(
    reader.ended,
    /the shard `shardId-\d+` of the stream `events-\d+` can not be read \(AccessDenied/,
  )
  assert.equal(refused, 1)
  assert.ok((await leasesIn(world)).every(({ owner }) => owner === undefined))
})

test(
  'a consumer that loses its lease neither takes the next events nor moves the checkpoint',
  { timeout: 60_000 },
  async (t) => {
    const world = await streamWorld(t)
    let release: () => void = () => undefined
    const waits = new Promise<void>((resolve) => (release = resolve))
    let isTaking = false
    const reader = read(t, world.source(), async () => {
      isTaking = true
      await waits
    })
    await world.put(...numbered(0, 5))
    await eventually(() => isTaking)
    const thief = openLeases(world.aws, { table: world.leases, stream: world.stream, owner: 'thief' })
    const [lease] = await leasesIn(world)
    const shard = lease?.id.slice(world.stream.length + 1) ?? ''
    await eventually(async () => {
      const seen = (await thief.read([shard])).get(shard)
      return seen !== undefined && (await thief.take(shard, seen))
    })
    const keepAlive = setInterval(() => void thief.renew(shard).catch(() => false), 200)
    t.after(() => clearInterval(keepAlive))
    release()
    await eventually(() => reader.got.length === 5)
    await world.put(...numbered(5, 10))
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS))
    assert.equal(reader.got.length, 5)
    assert.deepEqual(
      (await leasesIn(world)).map(({ owner, checkpoint }) => [owner, checkpoint]),
      [['thief', undefined]],
    )
    assert.equal(await thief.checkpoint(shard, '1'), true)
    assert.equal(
      await openLeases(world.aws, { table: world.leases, stream: world.stream, owner: 'other' }).end(shard),
      false,
    )
  },
)

test(
  'a table that is not there or has another key, and a stream that is not there, are named',
  { timeout: 60_000 },
  async (t) => {
    const world = await streamWorld(t)
    const reasons = await Promise.all(
      [{ leases: 'nowhere' }, { stream: 'nothing' }].map(
        async (changes) => await read(t, world.source(changes)).ended.catch(String),
      ),
    )
    assert.match(String(reasons[0]), /the DynamoDB table `nowhere` for the leases can not be used \(ResourceNotFoundE/)
    assert.match(String(reasons[1]), /the Kinesis stream `nothing` can not be read \(ResourceNotFoundException\)/)
    const { createTable } = await import('./stream-world.ts')
    await createTable(world.aws, {
      TableName: `other-key-${serial}`,
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
    })
    await assert.rejects(read(t, world.source({ leases: `other-key-${serial}` })).ended, /its key must be `id`, a text/)
  },
)

test(
  'an outage of the lease table is waited out as long as the lease lasts, then it ends the consumer',
  { timeout: 60_000 },
  async (t) => {
    const world = await streamWorld(t)
    const reader = read(t, world.source())
    await world.put(...numbered(0, 5))
    await eventually(() => reader.got.length === 5)
    let isOut = true
    world.dynamo.interfere = ({ operation }) =>
      isOut && operation === 'BatchGetItem' ? awsError('ResourceNotFoundException') : undefined
    await eventually(() => world.faults.length > 0)
    isOut = false
    await world.put(...numbered(5, 10))
    await eventually(() => reader.got.length === 10)
    isOut = true
    await assert.rejects(reader.ended, /the DynamoDB table `leases-\d+` for the leases can not be used/)
  },
)
