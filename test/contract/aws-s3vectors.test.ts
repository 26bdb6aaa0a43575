import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openAws } from '#dataplane/aws/aws.ts'
import { s3VectorsEngine } from '#dataplane/index/s3vectors-store.ts'
import { amzDate, signV4 } from '#kit/sigv4.ts'
import { withAws } from '#simclouds/aws.suite.ts'
import { at, send, type Answered } from '#simclouds/client.suite.ts'
import type { RunningAws } from '#simclouds/start-aws.ts'
import { ServiceModel } from './botocore.ts'
import { contract } from './contracts.ts'

function serviceModel(context: TestContext): ServiceModel | undefined {
  const model = contract(context, 'aws/s3vectors/service-2.nodocs.json')
  return model === undefined ? undefined : new ServiceModel(model)
}

function call(
  { urls, region, accessKeyId, secretAccessKey }: RunningAws,
  operation: string,
  body: unknown,
): Promise<Answered> {
  const url = new URL(`${urls.s3vectors}/${operation}`)
  const text = JSON.stringify(body)
  const headers = { 'content-type': 'application/json' }
  const scope = { service: 's3vectors', region, accessKeyId, secretAccessKey, amzDate: amzDate(Date.now()) }
  return send(url.href, text, { ...headers, ...signV4({ method: 'POST', url, headers, body: text }, scope) })
}

const PLACE = { vectorBucketName: 'vectors', indexName: 'passages' }
const ONE = { key: 'a', data: { float32: [1, 0] } }
const FLAGS = { returnData: true, returnMetadata: true }

test('requests and answers meet the service model', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  await withAws(async (aws) => {
    aws.vectors.create('vectors')
    const made = { dataType: 'float32', dimension: 2, distanceMetric: 'cosine' }
    const metadata = { access: 'open', n: 1, tags: ['a'], text: 'x' }
    for (const [operation, body] of [
      ['CreateIndex', { ...made, metadataConfiguration: { nonFilterableMetadataKeys: ['text'] } }],
      ['GetIndex', {}],
      [
        'PutVectors',
        {
          vectors: [
            { ...ONE, metadata },
            { key: 'b', data: { float32: [0.5, 0.25] } },
          ],
        },
      ],
      ['GetVectors', { keys: ['a', 'nothing'], ...FLAGS }],
      ['ListVectors', { maxResults: 1, ...FLAGS }],
      ['ListVectors', { nextToken: 'a' }],
      [
        'QueryVectors',
        { topK: 3, queryVector: ONE.data, filter: { access: 'open' }, returnDistance: true, returnMetadata: true },
      ],
      ['DeleteVectors', { keys: ['a'] }],
      ['DeleteIndex', {}],
    ] as const) {
      const request = { ...PLACE, ...body }
      assert.deepEqual(model.problems(`${operation}Input`, request), [], operation)
      const answered = await call(aws, operation, request)
      assert.equal(answered.status, 200, `${operation}: ${answered.text}`)
      assert.deepEqual(model.problems(`${operation}Output`, at(answered.text)), [], operation)
    }
  })
})

test('what the service model or the documentation does not allow is refused, by an exception that it names', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  await withAws(async (aws) => {
    aws.vectors.create('vectors')
    await call(aws, 'CreateIndex', {
      ...PLACE,
      dataType: 'float32',
      dimension: 2,
      distanceMetric: 'cosine',
      metadataConfiguration: { nonFilterableMetadataKeys: ['text'] },
    })
    const put = (vector: object) => ({ vectors: [{ ...ONE, ...vector }] })
    const query = (more: object) => ({ topK: 1, queryVector: ONE.data, ...more })
    const rows: readonly (readonly [operation: string, body: object, status: number, says: RegExp])[] = [
      ['CreateIndex', { dataType: 'float32', dimension: 4097, distanceMetric: 'cosine' }, 400, /dimension/],
      ['CreateIndex', { dataType: 'float32', dimension: 2, distanceMetric: 'cosine' }, 409, /already exists/],
      ['GetIndex', { indexName: 'nothing' }, 404, /could not be found/],
      ['GetIndex', { vectorBucketName: 'nothing' }, 404, /could not be found/],
      ['GetIndex', { invented: true }, 400, /validation/],
      ['PutVectors', { vectors: [] }, 400, /vectors/],
      [
        'PutVectors',
        { vectors: Array.from({ length: 501 }, (_, key) => ({ ...ONE, key: String(key) })) },
        400,
        /vectors/,
      ],
      ['PutVectors', put({ data: { float32: [1] } }), 400, /length 2/],
      ['PutVectors', put({ data: { float32: [0, 0] } }), 400, /zero/],
      ['PutVectors', put({ data: { float32: [1e39, 0] } }), 400, /finite/],
      ['PutVectors', put({ metadata: { access: 'x'.repeat(2100) } }), 400, /2048/],
      ['PutVectors', put({ metadata: { text: 'x'.repeat(41_000) } }), 400, /40960/],
      ['PutVectors', put({ metadata: { access: { deep: 1 } } }), 400, /filterable/],
      ['GetVectors', { keys: Array.from({ length: 101 }, String) }, 400, /keys/],
      ['DeleteVectors', { keys: Array.from({ length: 501 }, String) }, 400, /keys/],
      ['ListVectors', { maxResults: 1001 }, 400, /maxResults/],
      ['QueryVectors', query({ topK: 101 }), 400, /topK/],
      ['QueryVectors', query({ queryVector: { float32: [1, 2, 3] } }), 400, /length 2/],
      ['QueryVectors', query({ filter: { text: 'x' } }), 400, /non-filterable/],
      ['QueryVectors', query({ filter: { access: { $in: [] } } }), 400, /not empty/],
      ['QueryVectors', query({ filter: { access: { $like: 'x' } } }), 400, /unknown operator/],
      ['QueryVectors', query({ filter: {} }), 400, /empty/],
    ]
    for (const [operation, body, status, says] of rows) {
      const answered = await call(aws, operation, { ...PLACE, ...body })
      assert.equal(answered.status, status, `${operation} ${JSON.stringify(body).slice(0, 100)}: ${answered.text}`)
      assert.match(answered.text, says)
      const type = String(answered.headers['x-amzn-errortype'])
      assert.ok(model.errors(operation)?.includes(type), `${operation} does not throw ${type}`)
      assert.deepEqual(model.problems(type, at(answered.text)), [])
    }
    assert.equal((await call(aws, 'ListVectorBuckets', {})).status, 403)
    assert.equal(aws.vectors.index('vectors', 'passages').vectors.size, 0)
    const wrong = await call({ ...aws, secretAccessKey: 'wrong' }, 'GetIndex', PLACE)
    assert.equal(wrong.status, 403)
  })
})

test('what the index sends meets the service model', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  await withAws(async (sim) => {
    sim.vectors.create('vectors')
    const { accessKeyId, secretAccessKey, region, urls } = sim
    const aws = openAws({ region, keys: { accessKeyId, secretAccessKey }, endpoints: urls })
    const store = await s3VectorsEngine(aws, { bucket: 'vectors' }).open('docs', 2)
    const passage = { title: 't', heading: '', page: 1, record: 0, lastRecord: 0, access: 'open', findings: '[]' }
    const passages = Array.from({ length: 450 }, (_, start) => ({
      ...passage,
      document: 'a',
      start,
      end: start + 1,
      text: 'x',
      rules: '1',
      generation: 'a',
      vector: Float32Array.of(1, start),
    }))
    await store.replace([{ document: 'a', passages }], true)
    await store.setAccess('a', 'shut')
    assert.equal((await store.searchVector(Float32Array.of(1, 0), ['shut'], 500)).length, 100)
    await store.prune('a', 'b')
    assert.equal(await store.countPassages(), 0)
    const seen = new Set<string>()
    for (const { target, body } of sim.requests.last('s3vectors')) {
      const operation = target.slice(1)
      seen.add(operation)
      assert.deepEqual(model.problems(`${operation}Input`, JSON.parse(body)), [], operation)
    }
    assert.deepEqual([...seen].toSorted(), [
      'CreateIndex',
      'DeleteVectors',
      'GetVectors',
      'ListVectors',
      'PutVectors',
      'QueryVectors',
    ])
    aws.close()
  })
})
