import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TestContext } from 'node:test'
import { openAws } from '#dataplane/aws/aws.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { ingest } from '#dataplane/ingest/ingest.ts'
import { createPreparer } from '#dataplane/ingest/preparer.ts'
import { SourceError } from '#dataplane/sources/source.ts'
import { collectionOf, createWordEmbedder, engineIn, skipWithoutIndex } from '#dataplane/test-agent.ts'
import { awsWorld, BUCKET } from './aws-world.ts'
import type { AwsWorld } from './aws-world.ts'

const { signal } = new AbortController()
const preparer = createPreparer()
after(async () => await preparer.close())

async function indexOf(t: TestContext, world: AwsWorld, source = world.source()) {
  const embedder = createWordEmbedder()
  const options = { dataDir: world.folder, engine: engineIn(world.folder), embedder }
  const index = await openCollection(collectionOf('', { source }), options)
  t.after(async () => await index.close())
  return { index, run: async () => await ingest(index, { embedder, preparer }) }
}

const reads = ({ sim }: AwsWorld) =>
  sim.requests.last('s3').filter(({ method, target }) => method === 'GET' && !target.includes('list-type')).length

test('a prefix is listed page by page, without what stands for folders', async (t) => {
  const world = await awsWorld(t)
  for (let at = 0; at < 1203; at += 1) world.put(`docs/${String(at).padStart(5, '0')} a+b/ü.txt`, `text ${at}`)
  world.put('docs/', '')
  world.put('docs/folder/', '')
  world.put('other/x.txt', 'not ours')
  const objects = await Array.fromAsync(world.source().list(signal))
  assert.equal(objects.length, 1203)
  assert.equal(objects[7]?.document, '00007 a+b/ü.txt')
  const opened = await world.source().open(objects[7] ?? assert.fail(), signal)
  assert.ok('bytes' in opened.input)
  assert.equal(new TextDecoder().decode(opened.input.bytes), 'text 7')
  assert.equal(opened.version, objects[7]?.version)
})

test('only what changed is read, and what was deleted leaves a tombstone', { skip: skipWithoutIndex }, async (t) => {
  const world = await awsWorld(t, { opaqueEtags: true })
  for (const name of ['a', 'b', 'c']) world.put(`docs/${name}.md`, `# ${name}\n\nThe ${name} lighthouse.`)
  const { index, run } = await indexOf(t, world)
  assert.equal((await run()).documents, 3)
  const before = reads(world)
  assert.deepEqual((await run()).changed, 0)
  assert.equal(reads(world), before)
  world.put('docs/b.md', '# b\n\nThe new lighthouse.')
  world.remove('docs/c.md')
  const report = await run()
  assert.deepEqual([report.changed, report.removed, report.documents], [1, 1, 2])
  assert.equal(reads(world), before + 1)
  assert.equal(index.manifest.get('c.md')?.fate, 'deleted')
  assert.equal(await index.store.countPassages(), 2)
  // Back again, as it was: the tombstone is no reason to leave it out.
  world.put('docs/c.md', '# c\n\nThe c lighthouse.')
  assert.equal((await run()).documents, 3)
})

test(
  'a large object goes through a file in bounded memory, and its file is removed',
  { timeout: 120_000 },
  async (t) => {
    const world = await awsWorld(t)
    const sizeBytes = 300 * 1024 * 1024
    const block = Buffer.alloc(1024 * 1024, 'The tide gauge measures the sea. ')
    world.sim.s3.putGenerated(BUCKET, 'docs/large.log', {
      sizeBytes,
      read: (start, end) => block.subarray(start % 1024, (start % 1024) + end - start),
    })
    const source = world.source()
    const [object] = await Array.fromAsync(source.list(signal))
    assert.ok(object)
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    let peak = 0
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20)
    const opened = await source.open(object, signal)
    clearInterval(timer)
    assert.ok('path' in opened.input && opened.input.size === sizeBytes)
    assert.ok(peak - before < 200 * 1024 * 1024, `${Math.round((peak - before) / 1024 / 1024)} MB more`)
    const hash = createHash('sha256')
    for await (const piece of createReadStream(opened.input.path)) hash.update(piece as Uint8Array)
    assert.equal(hash.digest('hex'), opened.digest)
    await opened.close()
    assert.deepEqual(await readdir(join(world.folder, 'spool')), [])
  },
)

test('a connection that breaks is taken up where it broke; one that always breaks is the fate of one object', async (t) => {
  const world = await awsWorld(t)
  const bytes = Buffer.from(Array.from({ length: 9 * 1024 * 1024 }, (_, at) => at % 251))
  world.put('docs/a.bin', bytes)
  const source = world.source()
  const [object] = await Array.fromAsync(source.list(signal))
  assert.ok(object)
  world.sim.faults.set({ service: 's3', kind: 'reset-after', count: 2, afterEvents: 3 })
  const opened = await source.open(object, signal)
  assert.equal(opened.digest, createHash('sha256').update(bytes).digest('hex'))
  const ranges = world.sim.requests.last('s3').map(({ headers }) => headers['range'])
  assert.equal(ranges.filter((range) => range !== undefined).length, 2)
  await opened.close()
  world.sim.faults.set({ service: 's3', kind: 'reset-after', afterEvents: 1 })
  await assert.rejects(source.open(object, signal), /broke again and again|did not answer/)
})

test('an object that is deleted or replaced while it is read is not half of each', async (t) => {
  const world = await awsWorld(t)
  world.put('docs/a.txt', 'old')
  const source = world.source()
  const [object] = await Array.fromAsync(source.list(signal))
  assert.ok(object)
  world.put('docs/a.txt', 'newer')
  const opened = await source.open(object, signal)
  assert.ok('bytes' in opened.input)
  assert.equal(new TextDecoder().decode(opened.input.bytes), 'newer')
  assert.notEqual(opened.version, object.version)
  world.remove('docs/a.txt')
  await assert.rejects(source.open(object, signal), (error) => error instanceof SourceError && error.reason === 'gone')
  assert.equal(await source.find?.('a.txt', signal), undefined)
})

test('an object over the limit is not read', async (t) => {
  const world = await awsWorld(t)
  world.sim.s3.putGenerated(BUCKET, 'docs/huge.pdf', {
    sizeBytes: 5 * 1024 ** 3,
    read: (start, end) => new Uint8Array(end - start),
  })
  const source = world.source()
  const [object] = await Array.fromAsync(source.list(signal))
  assert.ok(object)
  await assert.rejects(source.open(object, signal), { name: 'SourceError', reason: 'too-large', message: /4096 MB/ })
  assert.equal(reads(world), 0)
})

test('what its format can not be read at this size is not fetched', { skip: skipWithoutIndex }, async (t) => {
  const world = await awsWorld(t)
  const read = (start: number, end: number) => new Uint8Array(end - start)
  world.sim.s3.putGenerated(BUCKET, 'docs/huge.pdf', { sizeBytes: 500 * 1024 ** 2, read })
  const { index, run } = await indexOf(t, world)
  assert.equal((await run()).failures, 1)
  assert.equal(index.manifest.get('huge.pdf')?.fate, 'too-large')
  assert.equal(reads(world), 0)
})

test('throttling is waited out', { skip: skipWithoutIndex }, async (t) => {
  const world = await awsWorld(t)
  world.put('docs/a.txt', 'wind')
  world.sim.faults.set({ service: 's3', kind: 'throttle', count: 3 })
  const { run } = await indexOf(t, world)
  assert.equal((await run()).documents, 1)
})

for (const [what, fault] of [
  ['credentials that expired', 'expired'],
  ['a bucket that is not there', 'bucket'],
] as const) {
  test(`${what} end the ingest, and nothing is taken for deleted`, { skip: skipWithoutIndex }, async (t) => {
    const world = await awsWorld(t)
    world.put('docs/a.txt', 'wind')
    let broken = false
    const good = world.source()
    const bad =
      fault === 'bucket'
        ? world.source({ bucket: 'nowhere' })
        : (await import('#dataplane/sources/s3.ts')).s3Source(expiredAws(world), {
            bucket: BUCKET,
            prefix: 'docs/',
            maxBytes: 1e9,
            spool: join(world.folder, 'spool'),
            onFault: () => undefined,
          })
    const source = { ...good, list: (given: AbortSignal) => (broken ? bad : good).list(given) }
    const { index, run } = await indexOf(t, world, source)
    await run()
    broken = true
    await assert.rejects(run(), { name: /NoSuchBucket|ExpiredToken/ })
    assert.equal(index.manifest.get('a.txt')?.fate, 'indexed')
    assert.equal(await index.store.countPassages(), 1)
  })
}

function expiredAws({ sim }: AwsWorld) {
  const session = sim.issueSession(-10)
  const { accessKeyId, secretAccessKey, sessionToken } = session
  return openAws({ region: sim.region, keys: { accessKeyId, secretAccessKey, sessionToken }, endpoints: sim.urls })
}

test(
  'a Glue job runs before the listing; when it fails, nothing is ingested and nothing removed',
  { skip: skipWithoutIndex },
  async (t) => {
    const world = await awsWorld(t)
    let isBroken = false
    world.sim.jobs.onJob('prepare', {
      runMs: 30,
      run: (args) => {
        if (isBroken) throw new Error('the cluster fell over')
        world.put('docs/made.txt', `wind ${args['--day']}`)
      },
    })
    const job = { name: 'prepare', arguments: { '--day': 'today' }, timeoutMs: 10_000, pollMs: [10, 20] as const }
    const { index, run } = await indexOf(t, world, world.source({ job }))
    assert.equal((await run()).documents, 1)
    isBroken = true
    await assert.rejects(run(), /the Glue job `prepare` ended with FAILED \(run jr_\w+\): .*the cluster fell over/)
    assert.equal(index.manifest.get('made.txt')?.fate, 'indexed')
    const unknown = await indexOf(t, world, world.source({ job: { ...job, name: 'nothing' } }))
    await assert.rejects(unknown.run(), /`nothing` can not be started \(EntityNotFoundException\)/)
    world.sim.jobs.onJob('slow', { runMs: 5000, run: () => undefined })
    const slow = await indexOf(t, world, world.source({ job: { ...job, name: 'slow', timeoutMs: 100 } }))
    await assert.rejects(slow.run(), /`slow` did not end within/)
  },
)
