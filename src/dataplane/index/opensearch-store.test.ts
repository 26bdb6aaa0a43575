import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openAws } from '#dataplane/aws/aws.ts'
import { startAws } from '#simclouds/start-aws.ts'
import { openSearchEngine } from './opensearch-store.ts'
import { indexStoreSuite } from './store.suite.ts'
import type { PassageWithVector } from './store.ts'

const sim = await startAws()
const { accessKeyId, secretAccessKey, region, urls } = sim
const aws = openAws({ region, keys: { accessKeyId, secretAccessKey }, endpoints: urls })
after(async () => {
  aws.close()
  await sim.close()
})
const open = () => openSearchEngine(aws, { endpoint: `${urls.opensearch}/` })

indexStoreSuite('OpenSearch', async () => await Promise.resolve(open()))

const passage = (start: number, changes: Partial<PassageWithVector> = {}): PassageWithVector => ({
  document: 'a',
  title: '',
  heading: '',
  page: 0,
  record: 0,
  lastRecord: 0,
  start,
  end: start + 1,
  text: `wind ${start}`,
  access: 'open',
  findings: '[]',
  rules: '1',
  generation: 'a',
  vector: Float32Array.of(1, 0),
  ...changes,
})

test('a domain that is busy is asked again, one that stays busy is told', { timeout: 30_000 }, async () => {
  const store = await open().open('busy', 2)
  sim.faults.set({ service: 'opensearch', kind: 'throttle', count: 2 })
  await store.append([passage(0)])
  assert.equal(await store.countPassages(), 1)
  sim.faults.set({ service: 'opensearch', kind: 'error', status: 503 })
  await assert.rejects(store.countPassages(), /OpenSearch refused with status 503 \(simulated_fault\)/)
  sim.faults.clear()
})

test('temporary keys are signed with their session; expired and wrong ones are refused', async (t) => {
  const countAs = async (keys: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }) => {
    const own = openAws({ region, keys, endpoints: urls })
    t.after(() => own.close())
    const store = await openSearchEngine(own, { endpoint: urls.opensearch }).open('keys', 2)
    return await store.countPassages()
  }
  const session = (lifetimeS: number) => {
    const issued = sim.issueSession(lifetimeS)
    return {
      accessKeyId: issued.accessKeyId,
      secretAccessKey: issued.secretAccessKey,
      sessionToken: issued.sessionToken,
    }
  }
  assert.equal(await countAs(session(60)), 0)
  await assert.rejects(countAs(session(-10)), /OpenSearch refused with status 403/)
  await assert.rejects(countAs({ accessKeyId, secretAccessKey: 'wrong' }), /OpenSearch refused with status 403/)
})

test('a passage for which the model gave nothing is found by its words only', async () => {
  const store = await open().open('zero', 2)
  const zero = passage(0, { vector: new Float32Array(2), text: 'anemometer' })
  await store.append([zero, passage(9)])
  assert.deepEqual((await Array.fromAsync(store.read('a'))).flat()[0], zero)
  const starts = (hits: readonly { passage: PassageWithVector }[]) => hits.map(({ passage: { start } }) => start)
  assert.deepEqual(starts(await store.searchVector(Float32Array.of(1, 1), ['open'], 10)), [9])
  assert.deepEqual(starts(await store.searchText('anemometers', ['open'], 10)), [0])
  assert.deepEqual(await store.searchVector(new Float32Array(2), ['open'], 10), [])
})

test('a query of very many words is asked with its first ones', async () => {
  const store = await open().open('words', 2)
  await store.append([passage(0)])
  assert.equal((await store.searchText(`wind ${'tide '.repeat(3000)}`, ['open'], 10)).length, 1)
})

test('a passage that the domain does not take is told by its kind, never with its text', async () => {
  const store = await open().open('refused', 2)
  const write = store.append([passage(0, { start: 2 ** 40, text: 'secret-4711' })])
  await assert.rejects(write, (error) => {
    assert.ok(error instanceof Error)
    assert.match(error.message, /did not take every passage \(mapper_parsing_exception\)/)
    assert.ok(!String(error.cause).includes('4711'))
    return true
  })
})

test('an index of other vectors, and a domain that does not answer, are told', async () => {
  await open().open('other', 2)
  await assert.rejects(open().open('other', 3), /`passages-other` of OpenSearch has vectors of another length/)
  const nowhere = openSearchEngine(aws, { endpoint: 'http://127.0.0.1:1' })
  await assert.rejects(nowhere.open('a', 2), /^Error: OpenSearch did not answer$/)
})
