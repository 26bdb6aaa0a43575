/** Embedding and ranking on Bedrock, against the simulated service. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { openAws } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { openDeadline } from '#dataplane/deadline.ts'
import { createBedrockEmbedder } from '#dataplane/embed/bedrock.ts'
import type { BedrockEmbedderOptions, BedrockModel } from '#dataplane/embed/bedrock.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { ingest } from '#dataplane/ingest/ingest.ts'
import { createPreparer } from '#dataplane/ingest/preparer.ts'
import { createBedrockReranker } from '#dataplane/retrieve/bedrock-rerank.ts'
import type { Reranker } from '#dataplane/retrieve/rerank.ts'
import { retrieve } from '#dataplane/retrieve/retrieve.ts'
import { startDataPlane } from '#dataplane/serve.ts'
import type { DataPlaneOptions } from '#dataplane/serve.ts'
import { collectionOf, createMinter, engineIn, ISSUER, NOW_EPOCH_MS, skipWithoutIndex } from '#dataplane/test-agent.ts'
import { asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { awsWorld, eventually } from './aws-world.ts'
import type { AwsWorld } from './aws-world.ts'

const TITAN = 'amazon.titan-embed-text-v2:0'
const COHERE = 'cohere.embed-v4:0'
const RERANK = 'cohere.rerank-v3-5:0'
const MODELS: readonly BedrockModel[] = [TITAN, COHERE]

const minter = await createMinter()
const preparer = createPreparer()
after(async () => await preparer.close())

function embedderOf(t: TestContext, { aws }: AwsWorld, options: Partial<BedrockEmbedderOptions> = {}) {
  const embedder = createBedrockEmbedder(aws, { model: TITAN, dimensions: 256, concurrency: 4, ...options })
  t.after(async () => await embedder.close())
  return embedder
}

/** What the service was sent, oldest first. */
const sent = ({ sim }: AwsWorld) => sim.requests.last('bedrock').map(({ body }) => asRecord(parseJson(body)) ?? {})

const textsOf = (body: Readonly<Record<string, unknown>>) => (asList(body['texts']) ?? []).map((text) => asText(text))

const lengthOf = (vector: Float32Array | undefined) => Math.hypot(...(vector ?? []))

const closeness = (a: Float32Array | undefined, b: Float32Array | undefined) =>
  Array.from(a ?? [], (value, at) => value * (b?.[at] ?? 0)).reduce((sum, product) => sum + product, 0)

test('Titan is given one text a call, in the form that it takes', async (t) => {
  const world = await awsWorld(t)
  const embedder = embedderOf(t, world)
  assert.deepEqual([embedder.model, embedder.dimensions, embedder.floor], [`${TITAN}/256`, 256, 0])
  const vectors = await embedder.embed(['The anemometer.', 'The tide gauge.', 'The anemometer.'])
  assert.deepEqual(
    vectors.map((vector) => vector.length),
    [256, 256, 256],
  )
  for (const vector of vectors) assert.ok(Math.abs(lengthOf(vector) - 1) < 1e-6)
  // In order: the first and the third say the same.
  assert.deepEqual(vectors[0], vectors[2])
  assert.notDeepEqual(vectors[0], vectors[1])
  assert.deepEqual(
    sent(world).toSorted((a, b) => String(a['inputText']).localeCompare(String(b['inputText']))),
    ['The anemometer.', 'The anemometer.', 'The tide gauge.'].map((inputText) => ({
      inputText,
      dimensions: 256,
      normalize: true,
    })),
  )
  assert.match(world.sim.requests.last('bedrock')[0]?.target ?? '', /^\/model\/amazon\.titan-embed-text-v2.*\/invoke$/)
})

test('Cohere is given 96 texts a call, of several documents in one', async (t) => {
  const world = await awsWorld(t)
  const embedder = embedderOf(t, world, { model: COHERE, dimensions: 512 })
  const documents = Array.from({ length: 10 }, (_, document) =>
    Array.from({ length: 20 }, (_text, at) => `buoy${document} number${at}`),
  )
  const vectors = await Promise.all(documents.map(async (texts) => await embedder.embed(texts)))
  const bodies = sent(world)
  assert.deepEqual(
    bodies.map((body) => textsOf(body).length).toSorted((a, b) => a - b),
    [8, 96, 96],
  )
  assert.deepEqual(bodies.flatMap(textsOf), documents.flat())
  const { texts: _texts, ...form } = bodies[0] ?? {}
  assert.deepEqual(form, {
    input_type: 'search_document',
    embedding_types: ['float'],
    output_dimension: 512,
    truncate: 'RIGHT',
  })
  // Each text has its own vector, whichever call carried it.
  const again = await embedder.embed(['buoy7 number3'])
  assert.ok(closeness(again[0], vectors[7]?.[3]) > 0.999)
  assert.ok(closeness(again[0], vectors[7]?.[4]) < 0.9)
  assert.equal(vectors[7]?.[3]?.length, 512)
})

test('a question is embedded as a question, once', async (t) => {
  const world = await awsWorld(t)
  const embedder = embedderOf(t, world, { model: COHERE })
  const [question, same] = await Promise.all([embedder.embedQuery('tide'), embedder.embedQuery('tide')])
  assert.equal(question, same)
  const [passage] = await embedder.embed(['tide'])
  assert.deepEqual(
    sent(world).map((body) => [body['input_type'], textsOf(body)]),
    [
      ['search_query', ['tide']],
      ['search_document', ['tide']],
    ],
  )
  assert.notDeepEqual(question, passage)
  assert.ok(Math.abs(lengthOf(question) - 1) < 1e-6)
})

test('dimensions that a model does not have are refused at once', async (t) => {
  const { aws } = await awsWorld(t)
  const make = (model: BedrockModel, dimensions: number) => () =>
    createBedrockEmbedder(aws, { model, dimensions, concurrency: 1 })
  assert.throws(make(TITAN, 1536), {
    name: 'TypeError',
    message: `${TITAN} has no vectors of 1536, choose one of 256, 512, 1024`,
  })
  assert.throws(make(COHERE, 384), { name: 'TypeError', message: /choose one of 256, 512, 1024, 1536/ })
  assert.equal(createBedrockEmbedder(aws, { model: COHERE, concurrency: 1 }).dimensions, 1024)
  assert.equal(make(COHERE, 1536)().model, `${COHERE}/1536`)
})

test('a text that is longer than the model takes is cut', async (t) => {
  const world = await awsWorld(t)
  const embedder = embedderOf(t, world, { model: COHERE })
  await embedder.embed(['x'.repeat(100_001)])
  assert.equal(textsOf(sent(world)[0] ?? {})[0]?.length, 100_000)
})

test('throttling is waited out', async (t) => {
  const world = await awsWorld(t)
  world.sim.faults.set({ service: 'bedrock', kind: 'throttle', count: 2 })
  const [vector] = await embedderOf(t, world).embed(['wind'])
  assert.equal(vector?.length, 256)
  assert.equal(sent(world).length, 3)
})

test('a failure is told with its name, without the text, and is not remembered', async (t) => {
  const world = await awsWorld(t)
  const embedder = embedderOf(t, world)
  world.sim.faults.set({ service: 'bedrock', kind: 'error', status: 403, count: 1 })
  await assert.rejects(embedder.embedQuery('my secret question'), (error) => {
    assert.ok(error instanceof Error)
    assert.equal(error.name, 'EmbedError')
    assert.match(error.message, /^amazon\.titan-embed-text-v2:0 can not be had \(AccessDeniedException\)$/)
    return true
  })
  assert.equal((await embedder.embedQuery('my secret question')).length, 256)
})

test('an answer that is cut is no answer', async (t) => {
  const world = await awsWorld(t)
  world.sim.faults.set({ service: 'bedrock', kind: 'malformed', count: 1 })
  const embedder = embedderOf(t, world)
  await assert.rejects(embedder.embed(['wind']), { name: 'EmbedError', message: /can not be had \(\w+\)/ })
  assert.equal((await embedder.embed(['wind'])).length, 1)
})

/** A service that answers with this, whatever it is asked. */
async function answering(t: TestContext, answer: unknown): Promise<Aws> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end(JSON.stringify(answer)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const keys = { accessKeyId: 'a', secretAccessKey: 's' }
  const aws = openAws({ region: 'us-east-1', keys, endpoints: { bedrock: `http://127.0.0.1:${address.port}` } })
  t.after(() => {
    aws.close()
    server.closeAllConnections()
    server.close()
  })
  return aws
}

test('vectors become unit vectors; those of another size, or too few, are none', async (t) => {
  const padded = (...first: readonly number[]) => [...first, ...Array.from({ length: 256 - first.length }, () => 0)]
  const ask = async (model: BedrockModel, answer: unknown) => {
    const embedder = createBedrockEmbedder(await answering(t, answer), { model, dimensions: 256, concurrency: 1 })
    return await embedder.embed(['one', 'two'])
  }
  const [vector] = await ask(TITAN, { embedding: padded(3, 4) })
  assert.deepEqual(Array.from(vector ?? []).slice(0, 3), [Math.fround(0.6), Math.fround(0.8), 0])
  const [nothing] = await ask(TITAN, { embedding: padded() })
  assert.deepEqual(nothing, new Float32Array(256))
  // Cohere says it in one of two ways.
  const [same] = await ask(COHERE, { embeddings: [padded(3, 4), padded(1)] })
  assert.deepEqual(same, vector)
  const none = { name: 'EmbedError', message: / gave no vector of 256 for a text$/ }
  await assert.rejects(ask(TITAN, { embedding: [1, 0] }), none)
  await assert.rejects(ask(COHERE, { embeddings: { float: [padded(1)] } }), none)
  await assert.rejects(ask(COHERE, { embeddings: 7 }), /can not be had \(ZodError\)/)
})

test('a reranker that leaves a text out thinks nothing of it', async (t) => {
  const aws = await answering(t, {
    results: [
      { index: 2, relevance_score: 0.9 },
      { index: 0, relevance_score: 0.1 },
    ],
  })
  const reranker = createBedrockReranker(aws, { model: RERANK, candidates: 7 })
  const { signal } = new AbortController()
  assert.deepEqual(await reranker.score('tide', ['a', 'b', 'c'], signal), [0.1, 0, 0.9])
})

test('no more calls at once than allowed', async (t) => {
  const world = await awsWorld(t)
  world.sim.faults.set({ service: 'bedrock', kind: 'latency', ms: 60 })
  const embedder = embedderOf(t, world, { concurrency: 3 })
  const embedded = embedder.embed(Array.from({ length: 12 }, (_, at) => `text ${at}`))
  let most = 0
  let isOver = false
  const watched = (async () => {
    while (!isOver) {
      most = Math.max(most, world.sim.requests.last('bedrock').filter(({ finished }) => !finished).length)
      await wait(5)
    }
  })()
  assert.equal((await embedded).length, 12)
  isOver = true
  await watched
  assert.equal(most, 3)
})

test('a question that waits goes before the passages', async (t) => {
  const world = await awsWorld(t)
  world.sim.faults.set({ service: 'bedrock', kind: 'latency', ms: 30 })
  const embedder = embedderOf(t, world, { concurrency: 1 })
  const passages = embedder.embed(['first', 'second', 'third'])
  await embedder.embedQuery('question')
  assert.deepEqual(
    sent(world).map((body) => body['inputText']),
    ['first', 'question'],
  )
  await passages
  assert.equal(sent(world).length, 4)
})

test('closing rejects what is asked and what waits, and hangs up', async (t) => {
  const world = await awsWorld(t)
  world.sim.faults.set({ service: 'bedrock', kind: 'hang' })
  const embedder = embedderOf(t, world, { concurrency: 1 })
  const asked = [embedder.embed(['first']), embedder.embed(['second']), embedder.embedQuery('question')]
  const outcomes = Promise.allSettled(asked)
  await eventually(() => sent(world).length === 1)
  await embedder.close()
  const closed = { name: 'EmbedError', message: 'the embedder was closed' }
  for (const outcome of await outcomes) {
    assert.ok(outcome.status === 'rejected')
    assert.throws(() => {
      throw outcome.reason
    }, closed)
  }
  await eventually(() => world.sim.requests.last('bedrock')[0]?.aborted === true)
  await assert.rejects(embedder.embed(['later']), closed)
  await assert.rejects(embedder.embedQuery('later'), closed)
  assert.equal(sent(world).length, 1)
})

test('passages that only just wait for others are rejected as well', async (t) => {
  const world = await awsWorld(t)
  const embedder = embedderOf(t, world, { model: COHERE })
  const asked = assert.rejects(embedder.embed(['wind']), /the embedder was closed/)
  await embedder.close()
  await asked
  await wait(20)
  assert.equal(sent(world).length, 0)
})

for (const model of MODELS) {
  test(
    `an error of ${model} that lasts ends the ingest, and nothing is lost`,
    { skip: skipWithoutIndex },
    async (t) => {
      const world = await awsWorld(t)
      const embedder = embedderOf(t, world, { model })
      world.put('docs/a.md', 'The anemometer measures the wind.')
      world.put('docs/b.md', 'The tide gauge measures the sea.')
      const options = { dataDir: world.folder, engine: engineIn(world.folder), embedder }
      const index = await openCollection(collectionOf('', { source: world.source() }), options)
      t.after(async () => await index.close())
      const run = async () => await ingest(index, { embedder, preparer })
      assert.equal((await run()).documents, 2)
      world.put('docs/b.md', 'The crane lifts containers.')
      for (let at = 0; at < 12; at += 1) world.put(`docs/new-${at}.md`, `The lighthouse ${at} stands.`)
      world.sim.faults.set({ service: 'bedrock', kind: 'error', status: 503 })
      const message = new RegExp(`^${model.replaceAll('.', '\\.')} can not be had \\(\\w+\\)$`)
      await assert.rejects(run(), { name: 'EmbedError', message })
      // What was there is there still, also of the document that changed.
      const access = ['open']
      assert.equal((await index.store.searchText('tide gauge', access, 5)).length, 1)
      assert.equal((await index.store.searchText('anemometer', access, 5)).length, 1)
      world.sim.faults.clear()
      const report = await run()
      assert.deepEqual([report.documents, report.failures, report.changed], [14, 0, 13])
      assert.equal(await index.store.countPassages(), report.passages)
      assert.equal((await index.store.searchText('tide gauge', access, 5)).length, 0)
      assert.equal((await run()).changed, 0)
    },
  )
}

async function agentOf(t: TestContext, world: AwsWorld, options: Partial<DataPlaneOptions>) {
  const faults: unknown[] = []
  const plane = await startDataPlane({
    issuer: ISSUER,
    fetchKeys: async () => await Promise.resolve(minter.jwks),
    dataDir: join(world.folder, 'agent'),
    collections: [collectionOf('', { source: world.source() })],
    now: () => NOW_EPOCH_MS,
    onFault: (error) => faults.push(error),
    ...options,
  })
  t.after(async () => await plane.close())
  await plane.ready
  const ask = async (query: string, changes: Readonly<Record<string, unknown>> = {}) => {
    const principal = await minter.mint()
    const body = { queries: [query], collections: ['docs'], topK: 5, maxBytes: 65_536, principal, ...changes }
    const response = await fetch(`${plane.url}/v1/context`, { method: 'POST', body: JSON.stringify(body) })
    const answer = asRecord(await response.json())
    const passages = (asList(answer?.['passages']) ?? []).map((passage) => asRecord(passage))
    return {
      status: response.status,
      documents: passages.map((passage) => asText(asRecord(passage?.['source'])?.['document'])),
      scores: passages.map((passage) => Number(passage?.['score'])),
      missing: (asList(answer?.['missing']) ?? []).join(),
      spans: (asList(answer?.['spans']) ?? []).map((span) => asText(asRecord(span)?.['name'])),
    }
  }
  return { ask, faults }
}

function putLighthouses(world: AwsWorld): void {
  world.put('docs/wind.md', '# Wind\n\nThe anemometer measures the wind.')
  world.put('docs/sea.md', '# Sea\n\nThe tide gauge measures the sea.')
  world.put('docs/crane.md', '# Harbour\n\nThe crane lifts containers.')
}

for (const model of MODELS) {
  test(`a whole ingest and retrieval with ${model}; without it the words do`, { skip: skipWithoutIndex }, async (t) => {
    const world = await awsWorld(t)
    putLighthouses(world)
    const embedder = embedderOf(t, world, { model, dimensions: 512, floor: 0.25 })
    const { ask, faults } = await agentOf(t, world, { embedder })
    const found = await ask('What does the anemometer measure?')
    assert.deepEqual([found.status, found.documents[0], found.missing], [200, 'wind.md', ''])
    assert.deepEqual((await ask('football cup')).documents, [])
    if (model === COHERE) {
      const of = (type: string) => sent(world).filter((body) => body['input_type'] === type)
      assert.equal(of('search_document').flatMap(textsOf).length, 3)
      assert.deepEqual(of('search_query').flatMap(textsOf), [
        'ready',
        'What does the anemometer measure?',
        'football cup',
      ])
    }
    world.sim.faults.set({ service: 'bedrock', kind: 'error', status: 403 })
    const broken = await ask('tide gauge')
    assert.deepEqual([broken.status, broken.documents], [200, ['sea.md']])
    assert.equal(broken.missing, 'the search by meaning was left out: the embedding model can not be had')
    assert.match(String(faults[0]), /can not be had \(AccessDeniedException\)/)
    world.sim.faults.clear()
    world.sim.faults.set({ service: 'bedrock', kind: 'hang' })
    const late = await ask('crane', { deadlineMs: 500 })
    assert.deepEqual([late.status, late.documents], [200, ['crane.md']])
    assert.equal(late.missing, 'the search by meaning was left out: the embedding model is busy')
  })
}

test('the scores of the reranker are those of the texts, in their order', async (t) => {
  const world = await awsWorld(t)
  const reranker = createBedrockReranker(world.aws, { model: RERANK, candidates: 7 })
  assert.deepEqual([reranker.model, reranker.candidates], [RERANK, 7])
  const texts = ['The crane.', 'The tide gauge measures.', 'The tide.']
  const scores = await reranker.score('tide gauge', texts, new AbortController().signal)
  assert.equal(scores.length, 3)
  assert.equal(scores[0], 0)
  assert.ok((scores[1] ?? 0) > (scores[2] ?? 0) && (scores[2] ?? 0) > 0)
  assert.deepEqual(sent(world), [{ query: 'tide gauge', documents: texts, top_n: 3, api_version: 2 }])
  world.sim.faults.set({ service: 'bedrock', kind: 'error', status: 403, count: 1 })
  await assert.rejects(reranker.score('tide gauge', texts, new AbortController().signal), {
    name: 'RerankError',
    message: `${RERANK} can not be had (AccessDeniedException)`,
  })
  world.sim.faults.set({ service: 'bedrock', kind: 'hang', count: 1 })
  await assert.rejects(reranker.score('tide', texts, AbortSignal.timeout(100)), { name: 'RerankError' })
})

/** Ten documents on one subject: by meaning and words `a` is first, for the reranker `b`. */
function putRivals(world: AwsWorld): void {
  world.put('docs/a.md', 'The pump of the harbour. The pump of the harbour is a pump, and the harbour has a pump.')
  world.put('docs/b.md', 'The pump of the harbour is tested yearly by the engineer who tested the crane.')
  for (const name of ['c', 'd', 'e', 'f']) world.put(`docs/${name}.md`, `The pump ${name} stands by the ${name} quay.`)
}

const QUESTION = 'when is the pump of the harbour tested'

test('the reranker changes the order; slow or broken, the fused ranks stand', { skip: skipWithoutIndex }, async (t) => {
  const world = await awsWorld(t)
  putRivals(world)
  const embedder = embedderOf(t, world)
  const real = createBedrockReranker(world.aws, { model: RERANK, candidates: 30 })
  // Worst first, so that the order must change whatever the searches say.
  const reversed: Reranker = {
    ...real,
    score: async (query, texts, signal) => (await real.score(query, texts, signal)).map((score) => 1 - score),
  }
  const plain = await agentOf(t, world, { embedder })
  const fused = await plain.ask(QUESTION)
  assert.ok(fused.documents.length === 5 && !fused.spans.includes('rerank'))
  const { ask, faults } = await agentOf(t, world, {
    embedder,
    reranker: reversed,
    dataDir: join(world.folder, 'second'),
  })
  const asked = await ask(QUESTION)
  assert.notDeepEqual(asked.documents, fused.documents)
  assert.equal(asked.missing, '')
  assert.ok(asked.spans.includes('rerank'))
  assert.deepEqual(
    asked.scores,
    asked.scores.toSorted((a, b) => b - a),
  )
  const request = sent(world).findLast((body) => body['api_version'] === 2)
  assert.equal(request?.['query'], QUESTION)
  assert.match(asText(asList(request?.['documents'])?.[0]) ?? '', /^\w\n.*pump/s)
  world.sim.faults.set({ service: 'bedrock', kind: 'error', status: 403, path: 'rerank' })
  const broken = await ask(QUESTION)
  assert.deepEqual(broken.documents, fused.documents)
  assert.equal(broken.missing, 'the better order was left out: the reranker did not answer')
  assert.match(String(faults[0]), /rerank-v3-5:0 can not be had \(AccessDeniedException\)/)
  world.sim.faults.clear()
  world.sim.faults.set({ service: 'bedrock', kind: 'hang', path: 'rerank' })
  const startedMs = performance.now()
  const slow = await ask(QUESTION, { deadlineMs: 10_000 })
  assert.ok(performance.now() - startedMs < 3000)
  assert.deepEqual(slow.documents, fused.documents)
  assert.equal(slow.missing, broken.missing)
})

test(
  'candidates that the reranker is not given come behind those that it was',
  { skip: skipWithoutIndex },
  async (t) => {
    const world = await awsWorld(t)
    putRivals(world)
    const embedder = embedderOf(t, world)
    const options = { dataDir: world.folder, engine: engineIn(world.folder), embedder }
    const index = await openCollection(collectionOf('', { source: world.source() }), options)
    t.after(async () => await index.close())
    await ingest(index, { embedder, preparer })
    const ask = async (reranker?: Reranker) => {
      const request = { queries: [QUESTION], collections: [{ index, accessIds: ['open'] }], topK: 6 }
      const deadline = openDeadline(20_000, new AbortController().signal)
      const { passages } = await retrieve(request, { embedder, reranker, now: Date.now }, deadline)
      return passages.map(({ passage }) => passage.document)
    }
    const fused = await ask()
    assert.equal(fused.length, 6)
    const turned: Reranker = {
      model: 'turned',
      candidates: 2,
      score: async (_query, texts) => await Promise.resolve(texts.map((_, at) => at * 1e-9)),
    }
    assert.deepEqual(await ask(turned), [fused[1], fused[0], ...fused.slice(2)])
  },
)
