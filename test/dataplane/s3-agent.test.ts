import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { lanceEngine } from '#dataplane/index/lance-store.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { s3Home } from '#dataplane/index/shared-home.ts'
import { ingest } from '#dataplane/ingest/ingest.ts'
import { createPreparer } from '#dataplane/ingest/preparer.ts'
import { startDataPlane } from '#dataplane/serve.ts'
import type { DataPlaneOptions } from '#dataplane/serve.ts'
import {
  collectionOf,
  createMinter,
  createWordEmbedder,
  ISSUER,
  NOW_EPOCH_MS,
  skipWithoutIndex,
} from '#dataplane/test-agent.ts'
import { asList, asRecord, asText } from '#kit/json.ts'
import { awsWorld, BUCKET, eventually } from './aws-world.ts'
import type { AwsWorld } from './aws-world.ts'

const minter = await createMinter()
const preparer = createPreparer()
after(async () => await preparer.close())

async function agentOf(t: TestContext, world: AwsWorld, options: Partial<DataPlaneOptions>) {
  const plane = await startDataPlane({
    issuer: ISSUER,
    fetchKeys: async () => await Promise.resolve(minter.jwks),
    dataDir: join(world.folder, 'agent'),
    collections: [collectionOf('', { source: world.source() })],
    now: () => NOW_EPOCH_MS,
    embedder: createWordEmbedder(),
    onFault: (error) => world.faults.push(error),
    ...options,
  })
  t.after(async () => await plane.close())
  await plane.ready
  const find = async (query: string): Promise<string[]> => {
    const body = { queries: [query], collections: ['docs'], topK: 5, maxBytes: 65_536, principal: await minter.mint() }
    const answer = await fetch(`${plane.url}/v1/context`, { method: 'POST', body: JSON.stringify(body) })
    const passages = asList(asRecord(await answer.json())?.['passages'])
    return passages.map((passage) => asText(asRecord(asRecord(passage)?.['source'])?.['document']) ?? '')
  }
  return { plane, find }
}

for (const switches of [
  { repeated: false, outOfOrder: false },
  { repeated: true, outOfOrder: true },
]) {
  const what = switches.repeated ? ', also when events come twice and out of order' : ''
  test(`an object that comes, changes or goes is seen within seconds${what}`, { skip: skipWithoutIndex }, async (t) => {
    const world = await awsWorld(t)
    world.sim.queues.create('events')
    Object.assign(world.sim.notify(BUCKET, 'events'), switches)
    const queue = `${world.sim.urls.sqs}/123456789012/events`
    world.put('docs/first.md', 'The anemometer measures the wind.')
    const source = world.source({ queue })
    const { find } = await agentOf(t, world, { collections: [collectionOf('', { source })] })
    assert.deepEqual(await find('anemometer'), ['first.md'])
    const startedMs = performance.now()
    world.put('docs/a b/näch+ste.md', 'The tide gauge measures the sea.')
    world.put('elsewhere/x.md', 'The tide gauge is not ours.')
    await eventually(async () => (await find('tide gauge')).length > 0, 5000)
    t.diagnostic(`retrievable after ${Math.round(performance.now() - startedMs)} ms`)
    assert.deepEqual(await find('tide gauge'), ['a b/näch+ste.md'])
    for (const text of ['The crane lifts.', 'The lidar measures.', 'The barometer measures pressure.']) {
      world.put('docs/first.md', text)
    }
    await eventually(async () => (await find('barometer pressure')).length > 0, 5000)
    assert.deepEqual(await find('anemometer'), [])
    world.remove('docs/first.md')
    await eventually(async () => (await find('barometer pressure')).length === 0, 5000)
    // An event about what has long gone again, and one that nobody understands.
    const { queues } = world.sim
    queues.byName('events').send('what?')
    world.put('docs/last.md', 'The sextant measures angles.')
    await eventually(async () => (await find('sextant angles')).length > 0, 5000)
    await eventually(() => world.faults.length > 0)
    assert.match(String(world.faults[0]), /no event of S3, it stays there/)
  })
}

test(
  'a restart serves the index that is there, unless the rules have changed',
  { skip: skipWithoutIndex },
  async (t) => {
    const world = await awsWorld(t)
    world.put('docs/first.md', 'The anemometer measures the wind.')
    const first = await agentOf(t, world, { servesOld: true })
    assert.deepEqual(await first.find('anemometer'), ['first.md'])
    await first.plane.close()
    world.put('docs/second.md', 'The tide gauge measures the sea.')
    // The source is slow: what is there is served meanwhile.
    world.sim.faults.set({ service: 's3', kind: 'latency', ms: 2000 })
    const second = await agentOf(t, world, { servesOld: true })
    assert.deepEqual(await second.find('anemometer'), ['first.md'])
    assert.deepEqual(await second.find('tide gauge'), [])
    await eventually(async () => (await second.find('tide gauge')).length > 0)
    await second.plane.close()
    // Under other rules the old index would show too much: it is waited for.
    const rules = [{ documents: '*', roles: ['people'], groups: [] }]
    const startedMs = performance.now()
    const collections = [collectionOf('', { source: world.source(), rules })]
    const third = await agentOf(t, world, { servesOld: true, collections })
    assert.ok(performance.now() - startedMs > 1900)
    assert.deepEqual(await third.find('anemometer'), [])
  },
)

test(
  'an index on S3 is written by one agent and read by others, which find what is new',
  { skip: skipWithoutIndex, timeout: 60_000 },
  async (t) => {
    const world = await awsWorld(t)
    world.put('docs/first.md', 'The anemometer measures the wind.')
    world.put('docs/hr/pay.md', 'The salary of a lighthouse keeper.')
    const { accessKeyId, secretAccessKey, region, urls } = world.sim
    const engineFor = (agent: string) =>
      lanceEngine({
        uri: `s3://${BUCKET}/index`,
        storageOptions: {
          awsRegion: region,
          awsAccessKeyId: accessKeyId,
          awsSecretAccessKey: secretAccessKey,
          awsEndpoint: urls.s3,
          allowHttp: 'true',
        },
        home: (collection, scratch) =>
          s3Home(world.aws, {
            bucket: BUCKET,
            prefix: `index/${collection}/`,
            scratch: `${scratch}-${agent}`,
            now: Date.now,
          }),
      })
    const collection = collectionOf('', {
      source: world.source(),
      rules: [{ documents: 'hr/**', roles: ['people'], groups: [] }],
    })
    const tools = { embedder: createWordEmbedder(), preparer }
    const openAs = async (agent: string) => {
      const options = { dataDir: join(world.folder, agent), engine: engineFor(agent), embedder: tools.embedder }
      const index = await openCollection(collection, options)
      t.after(async () => await index.close())
      return index
    }
    // Nobody has written it: a reader must not make an empty one.
    const reader = {
      dataDir: join(world.folder, 'reader'),
      engine: engineFor('reader'),
      collections: [collection],
      writes: false,
    }
    await assert.rejects(agentOf(t, world, reader), /nobody has written the index of `docs` yet/)
    const writer = await openAs('writer')
    await ingest(writer, tools)
    const { find } = await agentOf(t, world, {
      ...reader,
      dataDir: join(world.folder, 'reader-2'),
      engine: engineFor('reader-2'),
    })
    assert.deepEqual(await find('anemometer wind'), ['first.md'])
    assert.deepEqual(await find('salary lighthouse'), [])
    world.put('docs/second.md', 'The tide gauge measures the sea.')
    await ingest(writer, tools)
    await eventually(async () => (await find('tide gauge')).length > 0, 15_000)
    // Another writer, with an empty folder, knows what is there: nothing is read again.
    const other = await openAs('other')
    assert.deepEqual((await ingest(other, tools)).changed, 0)
    // Two at once: one of them is told so, and a lease that nobody renews is taken over.
    await assert.rejects(
      writer.alone(async () => await ingest(other, tools)),
      { name: 'LockedError', message: /another agent ingests/ },
    )
    world.put('docs/third.md', 'The sextant.')
    await wait(10)
    assert.equal((await ingest(other, tools)).changed, 1)
    assert.equal((await ingest(writer, tools)).changed, 0)
  },
)
