import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openAws } from '#dataplane/aws/aws.ts'
import { startAws } from '#simclouds/start-aws.ts'
import { s3VectorsEngine } from './s3vectors-store.ts'
import { indexStoreSuite } from './store.suite.ts'
import type { PassageWithVector } from './store.ts'

const sim = await startAws()
const { accessKeyId, secretAccessKey, region, urls } = sim
const aws = openAws({ region, keys: { accessKeyId, secretAccessKey }, endpoints: urls })
sim.vectors.create('vectors')
after(async () => {
  aws.close()
  await sim.close()
})
const open = () => s3VectorsEngine(aws, { bucket: 'vectors' })

indexStoreSuite('S3 Vectors', async () => await Promise.resolve(open()), { textless: true })

const passage = (document: string, start: number, changes: Partial<PassageWithVector> = {}): PassageWithVector => ({
  document,
  title: '',
  heading: '',
  page: 0,
  record: 0,
  lastRecord: 0,
  start,
  end: start + 1,
  text: `${document} ${start}`,
  access: 'open',
  findings: '[]',
  rules: '1',
  generation: 'a',
  vector: Float32Array.of(1, 0),
  ...changes,
})

const keysIn = (index: string) => [...sim.vectors.index('vectors', index).vectors.keys()]

test('a long document has a register of several pages, which goes with it', async () => {
  const store = await open().open('long', 2)
  const starts = Array.from({ length: 400 }, (_, at) => at * 5003)
  await store.replace([{ document: 'a', passages: starts.map((start) => passage('a', start)) }], true)
  const registers = () => keysIn('passages-long-x').filter((key) => key.includes('#')).length
  assert.equal(registers(), 8)
  const read = async () => (await Array.fromAsync(store.read('a'))).flat().map(({ start }) => start)
  assert.deepEqual(await read(), starts)
  // Only the beginning and the end are left: a page that is empty in between is no end.
  const few = [0, 5003 * 399]
  await store.replace([{ document: 'a', passages: few.map((start) => passage('a', start)) }], false)
  assert.deepEqual(await read(), few)
  assert.equal(registers(), 2)
  await store.replace([{ document: 'a', passages: [passage('a', 7)] }], false)
  assert.equal(await store.countPassages(), 1)
  assert.equal(registers(), 1)
  await store.remove(['a'])
  assert.deepEqual(keysIn('passages-long-x'), [])
})

test('a kill at any point leaves no passage without a name, and the next attempt ends as if there had been none', async (t) => {
  const requests = { left: 0 }
  const client = await aws.s3vectors()
  const killed = new Error('killed')
  client.middlewareStack.add(
    (next) => async (args) => {
      if (requests.left === 0) throw killed
      requests.left -= 1
      return await next(args)
    },
    { step: 'initialize', name: 'kill' },
  )
  t.after(() => client.middlewareStack.remove('kill'))
  for (let kill = 1; kill < 20; kill += 1) {
    requests.left = Number.POSITIVE_INFINITY
    const engine = open()
    await engine.drop('kill')
    const store = await engine.open('kill', 2)
    const old = [0, 10, 600_000].map((start) => passage('a', start))
    await store.replace([{ document: 'a', passages: old }], true)
    const fresh = [10, 20].map((start) => passage('a', start, { generation: 'b' }))
    requests.left = kill
    const outcome = await store.replace([{ document: 'a', passages: fresh }], false).catch((error: unknown) => error)
    const isWhole = outcome === undefined
    if (!isWhole) assert.equal(outcome, killed)
    requests.left = Number.POSITIVE_INFINITY
    const named = (await Array.fromAsync(store.read('a'))).flat().length
    assert.equal(named, await store.countPassages(), `after ${kill} requests`)
    await store.replace([{ document: 'a', passages: fresh }], false)
    assert.deepEqual(
      (await Array.fromAsync(store.read('a'))).flat().map(({ start, generation }) => `${start} ${generation}`),
      ['10 b', '20 b'],
    )
    await store.remove(['a'])
    assert.deepEqual(keysIn('passages-kill-x'), [])
    if (isWhole) return
  }
  assert.fail('it never came to its end')
})

test('a passage for which the model gave nothing is kept and never found', async () => {
  const store = await open().open('zero', 2)
  const zero = passage('a', 0, { vector: new Float32Array(2) })
  await store.append([zero, passage('a', 9)])
  assert.deepEqual((await Array.fromAsync(store.read('a'))).flat()[0], zero)
  const hits = await store.searchVector(Float32Array.of(1, 1), ['open'], 10)
  assert.deepEqual(
    hits.map(({ passage: { start } }) => start),
    [9],
  )
  assert.deepEqual(await store.searchVector(new Float32Array(2), ['open'], 10), [])
  // Registers are no passages, whoever asks.
  assert.equal((await store.searchVector(Float32Array.of(1, 1), ['open', '#register'], 200)).length, 1)
})

test('names of collections become names of indexes, each its own', async () => {
  const names = ['a_b', 'a-b', 'a', 'x'.repeat(63), `${'x'.repeat(62)}y`, '0', 'ab-']
  const engine = open()
  for (const name of names) {
    const store = await engine.open(name, 2)
    await store.append([passage(name, 0)])
    assert.equal(await store.countPassages(), 1, name)
  }
})

test('a bucket that is not there, and an index of other vectors, are told', async () => {
  await assert.rejects(
    s3VectorsEngine(aws, { bucket: 'nowhere' }).open('a', 2),
    /no vector bucket `nowhere`, create it/,
  )
  await open().open('other', 2)
  await assert.rejects(open().open('other', 3), /`passages-other-x` is made otherwise than it has to be/)
})
