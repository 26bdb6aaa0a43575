import { createHash } from 'node:crypto'
import type { GetOutputVector, PutInputVector, S3VectorsClient } from '@aws-sdk/client-s3vectors'
import { z } from 'zod'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import type { Hit, IndexEngine, IndexStore, PassageWithVector } from './store.ts'

export interface S3VectorsOptions {
  /** Vector bucket, which must exist. */
  readonly bucket: string
}

/** Vectors of one PutVectors: 500 are allowed, but 20 MiB are as well, and texts count. */
const PUT_AT_ONCE = 200
/** Keys of one DeleteVectors, GetVectors and ListVectors at most (contract of S3 Vectors). */
const DELETE_AT_ONCE = 500
const GET_AT_ONCE = 100
const LIST_AT_ONCE = 1000
/** Results of one query at most (S3 User Guide, limits of S3 Vectors). */
const MAX_TOP_K = 100
/** Characters of a document whose passages one page of its register names. */
const PAGE_CHARS = 2 ** 18
/** Of the 40 KB that the metadata of a vector may have. */
const MAX_REGISTER_CHARS = 38_000
/** Access id of what is no passage: no caller's id has such a character. */
const REGISTER = '#register'

/** Everything but `access` is only ever read: only filters are bounded to 2 KB. */
const NOT_FILTERABLE = ['document', 'title', 'heading', 'text', 'findings', 'rules', 'generation', 'place', 'starts']

const Place = z.object({
  page: z.number(),
  record: z.number(),
  lastRecord: z.number(),
  start: z.number(),
  end: z.number(),
  /** The model gave nothing for it; S3 Vectors has no such vector. */
  isZero: z.boolean(),
})
const Kept = z.object({
  document: z.string(),
  title: z.string(),
  heading: z.string(),
  text: z.string(),
  findings: z.string(),
  rules: z.string(),
  generation: z.string(),
  access: z.string(),
  place: z.string(),
})
const Page = z.object({ starts: z.string() })

/**
 * Amazon S3 Vectors: an index for each collection, search by meaning only. Nothing can be removed by what it says, so
 * each document has a register beside its passages, which names their keys: it is written before them and cut after
 * they are gone, so that a kill leaves names of nothing and never passages without a name.
 */
export function s3VectorsEngine(aws: Aws, { bucket }: S3VectorsOptions): IndexEngine {
  return {
    name: 's3vectors',
    async open(collection, dimensions) {
      const client = await aws.s3vectors()
      const place = { vectorBucketName: bucket, indexName: indexName(collection) }
      await openIndex(client, place, dimensions)
      return openStore({ client, place, dimensions })
    },
    async drop(collection) {
      const { DeleteIndexCommand } = await loadS3Vectors()
      const client = await aws.s3vectors()
      try {
        await client.send(new DeleteIndexCommand({ vectorBucketName: bucket, indexName: indexName(collection) }))
      } catch (error) {
        // A bucket that is not there is told when the index is made.
        if (awsErrorName(error) !== 'NotFoundException') throw error
      }
    },
    close: async () => await Promise.resolve(),
  }
}

interface IndexPlace {
  readonly vectorBucketName: string
  readonly indexName: string
}

interface Opened {
  readonly client: S3VectorsClient
  readonly place: IndexPlace
  readonly dimensions: number
}

/** Names of indexes have 3 to 63 lower-case letters, digits, dots and hyphens. */
function indexName(collection: string): string {
  const name = `passages-${collection.replaceAll('_', '.')}-x`
  return name.length <= 63 ? name : `${name.slice(0, 46)}-${sha256(collection).slice(0, 16)}`
}

async function openIndex(client: S3VectorsClient, place: IndexPlace, dimensions: number): Promise<void> {
  const { CreateIndexCommand, GetIndexCommand } = await loadS3Vectors()
  try {
    await client.send(
      new CreateIndexCommand({
        ...place,
        dataType: 'float32',
        dimension: dimensions,
        distanceMetric: 'cosine',
        metadataConfiguration: { nonFilterableMetadataKeys: NOT_FILTERABLE },
      }),
    )
    return
  } catch (error) {
    const name = awsErrorName(error)
    if (name === 'NotFoundException')
      throw new Error(`there is no vector bucket \`${place.vectorBucketName}\`, create it`, { cause: error })
    if (name !== 'ConflictException') throw error
  }
  const { index } = await client.send(new GetIndexCommand(place))
  const others = NOT_FILTERABLE.filter((key) => index?.metadataConfiguration?.nonFilterableMetadataKeys?.includes(key))
  if (index?.dimension !== dimensions || index.distanceMetric !== 'cosine' || others.length < NOT_FILTERABLE.length)
    throw new Error(`the vector index \`${place.indexName}\` is made otherwise than it has to be, delete it`)
}

function openStore(opened: Opened): IndexStore {
  return {
    searchesText: false,
    async replace(documents, areNew) {
      const changes: Change[] = []
      for (const { document, passages } of documents) {
        const former = areNew ? new Set<number>() : await startsOf(opened, document)
        changes.push({ document, former, wanted: startsIn(passages) })
      }
      await writeRegisters(opened, changes.map(widened))
      await putAll(
        opened,
        documents.flatMap(({ passages }) => passages.map(vectorOf)),
      )
      await narrow(opened, changes)
    },
    async append(passages) {
      const changes: Change[] = []
      for (const [document, own] of Map.groupBy(passages, (passage) => passage.document))
        changes.push({ document, former: await startsOf(opened, document), wanted: startsIn(own) })
      await writeRegisters(opened, changes.map(widened))
      await putAll(opened, passages.map(vectorOf))
    },
    async prune(document, generation) {
      const former = await startsOf(opened, document)
      const wanted = new Set<number>()
      for await (const passages of passagesOf(opened, document, former)) {
        for (const passage of passages) if (passage.generation === generation) wanted.add(passage.start)
      }
      await narrow(opened, [{ document, former, wanted }])
    },
    async remove(documents) {
      for (const document of documents)
        await narrow(opened, [{ document, former: await startsOf(opened, document), wanted: new Set() }])
    },
    async setAccess(document, access) {
      for await (const passages of passagesOf(opened, document, await startsOf(opened, document)))
        await putAll(
          opened,
          passages.map((passage) => vectorOf({ ...passage, access })),
        )
    },
    async *read(document) {
      yield* passagesOf(opened, document, await startsOf(opened, document))
    },
    searchVector: async (vector, accessIds, limit) => await search(opened, vector, accessIds, limit),
    searchText: async () => await Promise.resolve([]),
    countPassages: async () => await countPassages(opened),
    compact: async () => await Promise.resolve(),
    close: async () => await Promise.resolve(),
  }
}

/** What the register of a document names, and what it is to name. */
interface Change {
  readonly document: string
  readonly former: ReadonlySet<number>
  readonly wanted: ReadonlySet<number>
}

function startsIn(passages: readonly PassageWithVector[]): Set<number> {
  return new Set(passages.map(({ start }) => start))
}

function widened({ document, former, wanted }: Change): Change {
  return { document, former, wanted: new Set([...former, ...wanted]) }
}

/** Removes the passages that are not wanted, and then their names. */
async function narrow(opened: Opened, changes: readonly Change[]): Promise<void> {
  const gone = changes.flatMap(({ document, former, wanted }) =>
    [...former].filter((start) => !wanted.has(start)).map((start) => keyOf(document, start)),
  )
  await deleteAll(opened, gone)
  await writeRegisters(
    opened,
    changes.map((change) => ({ ...change, former: widened(change).wanted })),
  )
}

async function search(
  opened: Opened,
  vector: Float32Array,
  accessIds: readonly string[],
  limit: number,
): Promise<Hit[]> {
  if (accessIds.length === 0 || vector.every((each) => each === 0)) return []
  const { QueryVectorsCommand } = await loadS3Vectors()
  const { vectors: near = [] } = await opened.client.send(
    new QueryVectorsCommand({
      ...opened.place,
      topK: Math.min(limit, MAX_TOP_K),
      queryVector: { float32: [...vector] },
      filter: { access: { $in: [...accessIds] } },
      returnDistance: true,
    }),
  )
  // Its answer holds no vectors; what changed in between must not come with the former readers.
  const found = new Map(
    (
      await getAll(
        opened,
        near.map(({ key = '' }) => key),
      )
    ).map((each) => [each.key, each]),
  )
  return near.flatMap(({ key, distance = 1 }) => {
    const { passage, isZero } = passageOf(found.get(key), opened.dimensions) ?? {}
    return passage === undefined || isZero === true || !accessIds.includes(passage.access)
      ? []
      : [{ passage, score: 1 - distance }]
  })
}

/** Passages in order of their start. Names in the register that have no passage are left over from a kill. */
async function* passagesOf(
  opened: Opened,
  document: string,
  starts: ReadonlySet<number>,
): AsyncGenerator<PassageWithVector[]> {
  const ordered = [...starts].toSorted((a, b) => a - b)
  for (let at = 0; at < ordered.length; at += GET_AT_ONCE) {
    const keys = ordered.slice(at, at + GET_AT_ONCE).map((start) => keyOf(document, start))
    const passages = (await getAll(opened, keys)).flatMap(
      (vector) => passageOf(vector, opened.dimensions)?.passage ?? [],
    )
    if (passages.length > 0) yield passages.toSorted((a, b) => a.start - b.start)
  }
}

/** Lists all keys: for reports, not for requests. */
async function countPassages({ client, place }: Opened): Promise<number> {
  const { ListVectorsCommand } = await loadS3Vectors()
  let count = 0
  for (let token: string | undefined; ;) {
    const page = await client.send(
      new ListVectorsCommand({
        ...place,
        maxResults: LIST_AT_ONCE,
        ...(token === undefined ? {} : { nextToken: token }),
      }),
    )
    count += (page.vectors ?? []).filter(({ key = '' }) => !isRegister(key)).length
    token = page.nextToken
    if (token === undefined) return count
  }
}

/*
 * The register of a document: a page for every so many characters of it, with the starts of its passages; the first
 * page also says which the last one is.
 */

/** Where passages of a document may be. */
async function startsOf(opened: Opened, document: string): Promise<Set<number>> {
  const [first] = await getAll(opened, [pageKey(document, 0)])
  if (first === undefined) return new Set()
  const [last = '0', starts = ''] = pageText(first).split(':')
  const keys = Array.from({ length: Number(last) }, (_, at) => pageKey(document, at + 1))
  const others = (await getAll(opened, keys)).map(pageText)
  return new Set([starts, ...others].flatMap(decodeStarts))
}

/**
 * Writes registers, the first page of each after its others: a page that the first one does not reach yet is not read,
 * and one that it still reaches and that is gone is not missed.
 */
async function writeRegisters(opened: Opened, changes: readonly Change[]): Promise<void> {
  const put: { readonly first: PutInputVector[]; readonly others: PutInputVector[] } = { first: [], others: [] }
  const gone: { readonly first: string[]; readonly others: string[] } = { first: [], others: [] }
  for (const { document, former, wanted } of changes) {
    if (former.size === wanted.size && wanted.isSubsetOf(former)) continue
    const [pages, before] = [pagesOf(wanted), pagesOf(former)]
    const page = (number: number, head = '') =>
      registerVector(opened, pageKey(document, number), head + encodeStarts(pages.get(number) ?? []))
    for (const number of pages.keys()) if (number > 0) put.others.push(page(number))
    for (const number of before.keys()) {
      if (number > 0 && !pages.has(number)) gone.others.push(pageKey(document, number))
    }
    if (wanted.size > 0) put.first.push(page(0, `${Math.max(...pages.keys())}:`))
    else gone.first.push(pageKey(document, 0))
  }
  await putAll(opened, put.others)
  await deleteAll(opened, gone.others)
  await putAll(opened, put.first)
  await deleteAll(opened, gone.first)
}

function registerVector({ dimensions }: Opened, key: string, starts: string): PutInputVector {
  if (starts.length > MAX_REGISTER_CHARS) throw new Error('a document has more passages than its register can name')
  const float32 = Array.from({ length: dimensions }, () => 1)
  return { key, data: { float32 }, metadata: { access: REGISTER, starts } }
}

function pagesOf(starts: ReadonlySet<number>): Map<number, number[]> {
  const ordered = [...starts].toSorted((a, b) => a - b)
  return Map.groupBy(ordered, (start) => Math.floor(start / PAGE_CHARS))
}

/** The first, and then how much further each is: short numbers. */
function encodeStarts(starts: readonly number[]): string {
  return starts.map((start, at) => (start - (starts[at - 1] ?? 0)).toString(36)).join(' ')
}

function decodeStarts(text: string): number[] {
  if (text === '') return []
  let start = 0
  return text.split(' ').map((step) => (start += Number.parseInt(step, 36)))
}

function pageText({ metadata }: GetOutputVector): string {
  return Page.parse(metadata).starts
}

function pageKey(document: string, number: number): string {
  return `${documentId(document)}#${number}`
}

function isRegister(key: string): boolean {
  return key.includes('#')
}

/* Vectors and passages. */

function keyOf(document: string, start: number): string {
  return `${documentId(document)}-${start}`
}

function documentId(document: string): string {
  return sha256(document).slice(0, 32)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function vectorOf(passage: PassageWithVector): PutInputVector {
  const { document, title, heading, text, findings, rules, generation, access } = passage
  const { page, record, lastRecord, start, end, vector } = passage
  const isZero = vector.every((each) => each === 0)
  const place: z.infer<typeof Place> = { page, record, lastRecord, start, end, isZero }
  return {
    key: keyOf(document, start),
    data: { float32: isZero ? Array.from(vector, () => 1) : [...vector] },
    metadata: { document, title, heading, text, findings, rules, generation, access, place: JSON.stringify(place) },
  }
}

function passageOf(vector: GetOutputVector | undefined, dimensions: number) {
  if (vector === undefined || isRegister(vector.key ?? '')) return undefined
  const { place, ...kept } = Kept.parse(vector.metadata)
  const { isZero, ...where } = Place.parse(JSON.parse(place))
  const numbers = isZero ? new Float32Array(dimensions) : Float32Array.from(vector.data?.float32 ?? [])
  const passage: PassageWithVector = { ...kept, ...where, vector: numbers }
  return { passage, isZero }
}

async function putAll(
  { client, place }: Pick<Opened, 'client' | 'place'>,
  vectors: readonly PutInputVector[],
): Promise<void> {
  const { PutVectorsCommand } = await loadS3Vectors()
  // A key that is named twice means the later one.
  const distinct = [...new Map(vectors.map((vector) => [vector.key, vector])).values()]
  for (let at = 0; at < distinct.length; at += PUT_AT_ONCE)
    await client.send(new PutVectorsCommand({ ...place, vectors: distinct.slice(at, at + PUT_AT_ONCE) }))
}

async function getAll(
  { client, place }: Pick<Opened, 'client' | 'place'>,
  keys: readonly string[],
): Promise<GetOutputVector[]> {
  const { GetVectorsCommand } = await loadS3Vectors()
  const found: GetOutputVector[] = []
  for (let at = 0; at < keys.length; at += GET_AT_ONCE) {
    const { vectors = [] } = await client.send(
      new GetVectorsCommand({
        ...place,
        keys: keys.slice(at, at + GET_AT_ONCE),
        returnData: true,
        returnMetadata: true,
      }),
    )
    found.push(...vectors)
  }
  return found
}

async function deleteAll({ client, place }: Pick<Opened, 'client' | 'place'>, keys: readonly string[]): Promise<void> {
  const { DeleteVectorsCommand } = await loadS3Vectors()
  for (let at = 0; at < keys.length; at += DELETE_AT_ONCE)
    await client.send(new DeleteVectorsCommand({ ...place, keys: keys.slice(at, at + DELETE_AT_ONCE) }))
}

async function loadS3Vectors() {
  return await loadPackage('@aws-sdk/client-s3vectors', () => import('@aws-sdk/client-s3vectors'))
}
