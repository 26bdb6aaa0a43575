import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import { parseJson } from '#kit/json.ts'
import { AwsProblem } from '#simclouds/aws-json.ts'
import type { AwsAccount } from '#simclouds/aws-json.ts'
import { checkSignature } from '#simclouds/aws-signature.ts'
import { json } from '#simclouds/service.ts'
import type { BodyReply, Service, SimRequest } from '#simclouds/service.ts'
import { readFilter } from './filter.ts'
import type { Metadata, StoredVector, VectorBuckets, VectorIndex } from './vector-buckets.ts'

/** Limits of the S3 User Guide, "Limitations and restrictions" of S3 Vectors. */
const MAX_TOP_K = 100
const MAX_METADATA_BYTES = 40_960
const MAX_FILTERABLE_BYTES = 2048
const MAX_METADATA_KEYS = 50
const MAX_BODY_BYTES = 20 * 1024 * 1024
const DEFAULT_PAGE = 500

const bucketName = z.string().regex(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/)
const indexName = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
const place = { vectorBucketName: bucketName, indexName }
const key = z.string().min(1).max(1024)
const data = z.strictObject({ float32: z.array(z.number()) })
const flag = z.boolean().default(false)

const CreateIndex = z.strictObject({
  ...place,
  dataType: z.literal('float32'),
  dimension: z.int().min(1).max(4096),
  distanceMetric: z.enum(['cosine', 'euclidean']),
  metadataConfiguration: z
    .strictObject({ nonFilterableMetadataKeys: z.array(z.string().min(1).max(63)).min(1).max(10) })
    .optional(),
})
const OneIndex = z.strictObject(place)
const PutVectors = z.strictObject({
  ...place,
  vectors: z
    .array(z.strictObject({ key, data, metadata: z.record(z.string(), z.unknown()).default({}) }))
    .min(1)
    .max(500),
})
const GetVectors = z.strictObject({
  ...place,
  keys: z.array(key).min(1).max(100),
  returnData: flag,
  returnMetadata: flag,
})
const DeleteVectors = z.strictObject({ ...place, keys: z.array(key).min(1).max(500) })
const ListVectors = z.strictObject({
  ...place,
  maxResults: z.int().min(1).max(1000).default(DEFAULT_PAGE),
  nextToken: z.string().min(1).max(2048).optional(),
  returnData: flag,
  returnMetadata: flag,
})
const QueryVectors = z.strictObject({
  ...place,
  topK: z.int().min(1).max(MAX_TOP_K),
  queryVector: data,
  filter: z.unknown().optional(),
  returnMetadata: flag,
  returnDistance: flag,
})

type Operation = (body: unknown, buckets: VectorBuckets, region: string) => object

const OPERATIONS: Readonly<Record<string, Operation>> = {
  CreateIndex(body, buckets, region) {
    const {
      vectorBucketName: bucket,
      indexName: name,
      metadataConfiguration,
      dimension,
      distanceMetric,
    } = CreateIndex.parse(body)
    const nonFilterable = metadataConfiguration?.nonFilterableMetadataKeys ?? []
    buckets.createIndex({ bucket, name, dimension, distanceMetric, nonFilterable })
    return { indexArn: arnOf(region, bucket, name) }
  },
  GetIndex: (body, buckets, region) => ({ index: describe(indexOf(buckets, OneIndex.parse(body)), region) }),
  DeleteIndex(body, buckets) {
    const { vectorBucketName, indexName: name } = OneIndex.parse(body)
    buckets.deleteIndex(vectorBucketName, name)
    return {}
  },
  PutVectors(body, buckets) {
    const request = PutVectors.parse(body)
    const index = indexOf(buckets, request)
    // All of them or none.
    const vectors = request.vectors.map((vector) => ({
      key: vector.key,
      data: vectorOf(vector.data.float32, index),
      metadata: checkedMetadata(vector.metadata, index),
    }))
    if (new Set(vectors.map((vector) => vector.key)).size < vectors.length) throw invalid('a key is named twice')
    for (const vector of vectors) index.vectors.set(vector.key, vector)
    return {}
  },
  GetVectors(body, buckets) {
    const request = GetVectors.parse(body)
    const { vectors } = indexOf(buckets, request)
    const found = [...new Set(request.keys)].flatMap((each) => vectors.get(each) ?? [])
    return { vectors: found.map((vector) => shown(vector, request)) }
  },
  DeleteVectors(body, buckets) {
    const request = DeleteVectors.parse(body)
    const { vectors } = indexOf(buckets, request)
    for (const each of request.keys) vectors.delete(each)
    return {}
  },
  ListVectors(body, buckets) {
    const request = ListVectors.parse(body)
    const all = [...indexOf(buckets, request).vectors.values()]
    const from = request.nextToken === undefined ? 0 : all.findIndex((each) => each.key === request.nextToken) + 1
    if (request.nextToken !== undefined && from === 0) throw invalid('the token is none')
    const page = all.slice(from, from + request.maxResults)
    const more = from + page.length < all.length ? { nextToken: page.at(-1)?.key } : {}
    return { vectors: page.map((vector) => shown(vector, request)), ...more }
  },
  QueryVectors(body, buckets) {
    const request = QueryVectors.parse(body)
    const index = indexOf(buckets, request)
    const wanted = vectorOf(request.queryVector.float32, index)
    const test = request.filter === undefined ? () => true : readFilter(request.filter, index.nonFilterable)
    const near = [...index.vectors.values()]
      .filter(({ metadata }) => test(metadata))
      .map((vector) => ({ vector, distance: distanceOf(index, wanted, vector.data) }))
      .toSorted((a, b) => a.distance - b.distance)
      .slice(0, request.topK)
    return {
      distanceMetric: index.distanceMetric,
      vectors: near.map(({ vector: { key: name, metadata }, distance }) => ({
        key: name,
        ...(request.returnDistance ? { distance } : {}),
        ...(request.returnMetadata ? { metadata } : {}),
      })),
    }
  },
}

/**
 * Amazon S3 Vectors: indexes and vectors of buckets that are there. It searches exactly where the service approximates,
 * takes names and no ARNs, and refuses every other operation.
 */
export function s3Vectors(where: Place, account: AwsAccount, buckets: VectorBuckets): Service {
  return {
    name: 's3vectors',
    place: where,
    maxBodyBytes: MAX_BODY_BYTES + 1,
    reply: (request) => reply(request, account, buckets),
    fail: (status, retryAfterS) =>
      problemReply(
        new AwsProblem(status === 429 ? 'TooManyRequestsException' : 'InternalServerException', 'simulated fault', {
          status,
          headers: retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) },
        }),
      ),
    brokenPiece: () => new TextEncoder().encode('{'),
    streamError: () => [],
  }
}

function reply(request: SimRequest, account: AwsAccount, buckets: VectorBuckets): BodyReply {
  try {
    const name = request.path.slice(1)
    const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined
    if (operation === undefined || request.method !== 'POST')
      throw new AwsProblem('AccessDeniedException', 'The stand-in has no such operation', { status: 403 })
    const wrong = checkSignature(request, { ...account, service: 's3vectors' }, Date.now())
    if (wrong !== undefined) throw new AwsProblem(wrong.type, wrong.message, { status: 403 })
    if (request.body.length > MAX_BODY_BYTES) throw invalid('the request is larger than 20 MiB')
    const body = parseJson(request.text)
    if (body === undefined) throw invalid('the body is not JSON')
    return json(200, operation(body, buckets, account.region), { 'x-amzn-requestid': randomUUID() })
  } catch (error) {
    if (error instanceof AwsProblem) return problemReply(error)
    if (!(error instanceof z.ZodError)) throw error
    const fieldList = error.issues.map(({ path, message }) => ({ path: `/${path.join('/')}`, message }))
    return problemReply(
      new AwsProblem('ValidationException', `${fieldList.length} validation errors detected`, {
        members: { fieldList },
      }),
    )
  }
}

function problemReply({ type, message, status, members, headers }: AwsProblem): BodyReply {
  return json(
    status,
    { message, ...members },
    { 'x-amzn-errortype': type, 'x-amzn-requestid': randomUUID(), ...headers },
  )
}

function indexOf(buckets: VectorBuckets, named: { vectorBucketName: string; indexName: string }): VectorIndex {
  return buckets.index(named.vectorBucketName, named.indexName)
}

function arnOf(region: string, bucket: string, name: string): string {
  return `arn:aws:s3vectors:${region}:123456789012:bucket/${bucket}/index/${name}`
}

function describe(index: VectorIndex, region: string): object {
  const { bucket, name, dimension, distanceMetric, nonFilterable, createdEpochMs } = index
  return {
    vectorBucketName: bucket,
    indexName: name,
    indexArn: arnOf(region, bucket, name),
    creationTime: createdEpochMs / 1000,
    dataType: 'float32',
    dimension,
    distanceMetric,
    ...(nonFilterable.length === 0 ? {} : { metadataConfiguration: { nonFilterableMetadataKeys: nonFilterable } }),
  }
}

function vectorOf(numbers: readonly number[], { dimension, distanceMetric }: VectorIndex): Float32Array {
  if (numbers.length !== dimension)
    throw invalid(`vector must have length ${dimension}, but has length ${numbers.length}`)
  const vector = Float32Array.from(numbers)
  if (!vector.every(Number.isFinite)) throw invalid('vector must hold finite numbers of 32 bits')
  if (distanceMetric === 'cosine' && vector.every((each) => each === 0)) throw invalid('vector must not be zero')
  return vector
}

function checkedMetadata(metadata: Metadata, { nonFilterable }: VectorIndex): Metadata {
  const entries = Object.entries(metadata)
  if (entries.length > MAX_METADATA_KEYS) throw invalid(`metadata has more than ${MAX_METADATA_KEYS} keys`)
  const filterable = entries.filter(([name]) => !nonFilterable.includes(name))
  if (!filterable.every(([, value]) => isFilterable(value)))
    throw invalid('filterable metadata is text, a number, a boolean or a list of them')
  if (bytesOf(Object.fromEntries(filterable)) > MAX_FILTERABLE_BYTES)
    throw invalid(`filterable metadata must have at most ${MAX_FILTERABLE_BYTES} bytes`)
  if (bytesOf(metadata) > MAX_METADATA_BYTES) throw invalid(`metadata must have at most ${MAX_METADATA_BYTES} bytes`)
  return metadata
}

function isFilterable(value: unknown): boolean {
  return [value].flat().every((each) => ['string', 'number', 'boolean'].includes(typeof each))
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}

function shown(
  { key: name, data: vector, metadata }: StoredVector,
  { returnData, returnMetadata }: { readonly returnData: boolean; readonly returnMetadata: boolean },
): object {
  return {
    key: name,
    ...(returnData ? { data: { float32: [...vector] } } : {}),
    ...(returnMetadata ? { metadata } : {}),
  }
}

function distanceOf({ distanceMetric }: VectorIndex, a: Float32Array, b: Float32Array): number {
  let [dot, squares, squaredA, squaredB] = [0, 0, 0, 0]
  for (const [at, left] of a.entries()) {
    const right = b[at] ?? 0
    dot += left * right
    squares += (left - right) ** 2
    squaredA += left * left
    squaredB += right * right
  }
  return distanceMetric === 'cosine' ? 1 - dot / Math.sqrt(squaredA * squaredB) : Math.sqrt(squares)
}

function invalid(message: string): AwsProblem {
  return new AwsProblem('ValidationException', `Invalid request: ${message}`)
}
