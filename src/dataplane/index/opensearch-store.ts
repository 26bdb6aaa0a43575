import { createHash, randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Aws } from '#dataplane/aws/aws.ts'
import { amzDate, signV4 } from '#kit/sigv4.ts'
import type { Hit, IndexEngine, IndexStore, PassageWithVector } from './store.ts'
import { StoredPassageRow } from './stored-passage.ts'

export interface OpenSearchOptions {
  /** Base URL of the domain. */
  readonly endpoint: string
}

/** Passages of one `_bulk`: small domains take 10 MiB (Amazon OpenSearch, network quotas). */
const BULK_AT_ONCE = 200
const READ_ROWS = 500
/** Documents that one query names. */
const DOCUMENTS_AT_ONCE = 500
/** A query of more words has more clauses than a domain takes by default (`indices.query.bool.max_clause_count`). */
const MAX_QUERY_WORDS = 256
/** Deletions by query wait for everything they find. */
const TIMEOUT_MS = 120_000
/** Throttling and restarts of nodes: attempts of one call, and the first pause between two. */
const ATTEMPTS = 4
const RETRY_MS = 250

const Kept = StoredPassageRow.extend({
  isZero: z.boolean(),
  vector: z.array(z.number()),
})
const Found = z.object({
  hits: z.object({ hits: z.array(z.object({ _score: z.number().nullable(), _source: Kept })) }),
})
const Bulk = z.object({
  errors: z.boolean(),
  items: z.array(z.object({ index: z.object({ error: z.object({ type: z.string() }).optional() }) })),
})
const ByQuery = z.object({ timed_out: z.boolean(), version_conflicts: z.number(), failures: z.array(z.unknown()) })
const Failure = z.object({ error: z.object({ type: z.string() }) })
const Dimension = z.object({
  mappings: z.object({ properties: z.object({ vector: z.object({ dimension: z.number() }) }) }),
})

/**
 * Amazon OpenSearch (a domain, version 2.9 or newer): an index for each collection, vectors by Lucene, whose filter
 * applies before the search, and words by BM25.
 */
export function openSearchEngine(aws: Aws, { endpoint }: OpenSearchOptions): IndexEngine {
  const call = caller(aws, endpoint)
  return {
    name: 'opensearch',
    async open(collection, dimensions) {
      const index = indexName(collection)
      const made = await call('PUT', index, indexOf(dimensions), ['resource_already_exists_exception'])
      if (made === undefined) await assertAlike(call, index, dimensions)
      return openStore(call, index)
    },
    async drop(collection) {
      await call('DELETE', indexName(collection), undefined, ['index_not_found_exception'])
    },
    close: async () => await Promise.resolve(),
  }
}

/** Lower-case letters, digits, `-` and `_` are names of indexes as well. */
function indexName(collection: string): string {
  return `passages-${collection}`
}

function indexOf(dimension: number): object {
  const keyword = { type: 'keyword', doc_values: false }
  // Kept as it is, and looked for by nobody.
  const shelf = { type: 'keyword', index: false, doc_values: false }
  const number = { type: 'integer', index: false, doc_values: false }
  const words = { type: 'text', index: false, copy_to: 'search' }
  const method = { name: 'hnsw', engine: 'lucene', space_type: 'cosinesimil' }
  return {
    settings: { index: { knn: true } },
    mappings: {
      dynamic: 'strict',
      properties: {
        documentId: keyword,
        writing: keyword,
        access: keyword,
        generation: keyword,
        isZero: { type: 'boolean' },
        start: { type: 'integer' },
        vector: { type: 'knn_vector', dimension, method },
        search: { type: 'text', analyzer: 'english' },
        title: words,
        heading: words,
        text: words,
        document: shelf,
        findings: shelf,
        rules: shelf,
        page: number,
        record: number,
        lastRecord: number,
        end: number,
      },
    },
  }
}

async function assertAlike(call: Call, index: string, dimensions: number): Promise<void> {
  const answer = z.record(z.string(), Dimension).parse(await call('GET', `${index}/_mapping`))
  const [found] = Object.values(answer)
  if (found?.mappings.properties.vector.dimension !== dimensions)
    throw new Error(`the index \`${index}\` of OpenSearch has vectors of another length, delete it`)
}

function openStore(call: Call, index: string): IndexStore {
  const write = async (passages: readonly PassageWithVector[], writing: string): Promise<void> => {
    for (let at = 0; at < passages.length; at += BULK_AT_ONCE)
      await bulk(call, index, passages.slice(at, at + BULK_AT_ONCE), writing)
  }
  const deleteWhere = async (documents: readonly string[], unless: readonly object[]): Promise<void> => {
    for (let at = 0; at < documents.length; at += DOCUMENTS_AT_ONCE) {
      const documentId = documents.slice(at, at + DOCUMENTS_AT_ONCE).map(idOf)
      const bool = { filter: [{ terms: { documentId } }], must_not: unless }
      await byQuery(call, `${index}/_delete_by_query`, { query: { bool } })
    }
  }
  const search = async (body: object): Promise<{ passage: PassageWithVector; score: number }[]> => {
    const { hits } = Found.parse(await call('POST', `${index}/_search`, { track_total_hits: false, ...body })).hits
    return hits.map(({ _score: score, _source: { vector, isZero, ...kept } }) => ({
      passage: { ...kept, vector: isZero ? new Float32Array(vector.length) : Float32Array.from(vector) },
      score: score ?? 0,
    }))
  }
  return {
    searchesText: true,
    async replace(documents, areNew) {
      const writing = randomUUID()
      await write(
        documents.flatMap(({ passages }) => passages),
        writing,
      )
      // New ones first, so that a search in between finds too much rather than nothing.
      if (!areNew)
        await deleteWhere(
          documents.map(({ document }) => document),
          [{ term: { writing } }],
        )
    },
    append: async (passages) => await write(passages, ''),
    prune: async (document, generation) => await deleteWhere([document], [{ term: { generation } }]),
    remove: async (documents) => await deleteWhere(documents, []),
    async setAccess(document, access) {
      const script = { source: SET_ACCESS, lang: 'painless', params: { access } }
      const query = { bool: { filter: [{ terms: { documentId: [idOf(document)] } }] } }
      await byQuery(call, `${index}/_update_by_query`, { query, script })
    },
    async *read(document) {
      const query = { bool: { filter: [{ terms: { documentId: [idOf(document)] } }] } }
      for (let last: number | undefined; ;) {
        const after = last === undefined ? {} : { search_after: [last] }
        const found = await search({ size: READ_ROWS, query, sort: [{ start: 'asc' }], ...after })
        const passages = found.map(({ passage }) => passage)
        if (passages.length === 0) return
        yield passages
        last = passages.at(-1)?.start ?? last
      }
    },
    async searchVector(vector, accessIds, limit) {
      if (accessIds.length === 0 || vector.every((each) => each === 0)) return []
      const filter = { bool: { filter: [{ terms: { access: [...accessIds] } }, { term: { isZero: false } }] } }
      const query = { knn: { vector: { vector: [...vector], k: limit, filter } } }
      const found = await search({ size: limit, query })
      // Lucene scores the cosine as (1 + cosine) / 2.
      return found.map(({ passage, score }): Hit => ({ passage, score: 2 * score - 1 }))
    },
    async searchText(text, accessIds, limit) {
      const words = text.split(/\s+/).filter((word) => word !== '')
      if (accessIds.length === 0 || words.length === 0) return []
      const must = [{ match: { search: { query: words.slice(0, MAX_QUERY_WORDS).join(' ') } } }]
      const query = { bool: { must, filter: [{ terms: { access: [...accessIds] } }] } }
      return await search({ size: limit, query })
    },
    async countPassages() {
      const answer = await call('POST', `${index}/_count`, { query: { match_all: {} } })
      return z.object({ count: z.number() }).parse(answer).count
    },
    // The domain merges by itself.
    compact: async () => await Promise.resolve(),
    close: async () => await Promise.resolve(),
  }
}

const SET_ACCESS = 'ctx._source.access = params.access'

/** What was written is found by the next search: every write refreshes. */
const REFRESH = 'refresh=true'

async function bulk(call: Call, index: string, passages: readonly PassageWithVector[], writing: string): Promise<void> {
  const lines = passages.flatMap((passage) => {
    const documentId = idOf(passage.document)
    const isZero = passage.vector.every((each) => each === 0)
    // Lucene has no cosine of a vector without a direction.
    const vector = isZero ? Array.from(passage.vector, () => 1) : [...passage.vector]
    return [{ index: { _id: `${documentId}-${passage.start}` } }, { ...passage, documentId, writing, isZero, vector }]
  })
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const { errors, items } = Bulk.parse(await call('POST', `${index}/_bulk?${REFRESH}`, body))
  if (!errors) return
  const kind = items.find(({ index: { error } }) => error !== undefined)?.index.error?.type
  throw new Error(`OpenSearch did not take every passage (${kind})`)
}

async function byQuery(call: Call, path: string, body: object): Promise<void> {
  const done = ByQuery.parse(await call('POST', `${path}?${REFRESH}`, body))
  if (done.timed_out || done.version_conflicts > 0 || done.failures.length > 0)
    throw new Error('OpenSearch did not get to every passage')
}

/** File names come from outside: their digests are ids. */
function idOf(document: string): string {
  return createHash('sha256').update(document).digest('hex').slice(0, 32)
}

/**
 * One call of the domain, signed. Bodies are objects, or lines of JSON.
 *
 * @returns the answer; undefined when it failed with one of the types that are `expected`.
 * @throws with the type of the failure, never with its text: it may quote what was sent.
 */
type Call = (method: string, path: string, body?: object | string, expected?: readonly string[]) => Promise<unknown>

function caller(aws: Aws, endpoint: string): Call {
  return async (method, path, body, expected = []) => {
    for (let attempt = 1; ; attempt += 1) {
      const { status, answer } = await send(aws, new URL(`${endpoint.replace(/\/$/, '')}/${path}`), method, body)
      if (status < 300) return answer
      const type = Failure.safeParse(answer).data?.error.type ?? 'no reason given'
      if (expected.includes(type)) return undefined
      const passes = status === 429 || status === 502 || status === 503 || status === 504
      if (!passes || attempt >= ATTEMPTS) throw new Error(`OpenSearch refused with status ${status} (${type})`)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * 2 ** attempt))
    }
  }
}

async function send(aws: Aws, url: URL, method: string, given: object | string | undefined) {
  const { accessKeyId, secretAccessKey, sessionToken } = await aws.credentials()
  const body = typeof given === 'string' ? given : given === undefined ? '' : JSON.stringify(given)
  const headers: Record<string, string> = {
    ...(body === '' ? {} : { 'content-type': typeof given === 'string' ? 'application/x-ndjson' : 'application/json' }),
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  }
  const scope = { service: 'es', region: aws.region, accessKeyId, secretAccessKey, amzDate: amzDate(Date.now()) }
  const signed = signV4({ method, url, headers, body }, scope)
  let response: Response
  try {
    response = await fetch(url, {
      method,
      headers: { ...headers, ...signed },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === '' ? {} : { body }),
    })
  } catch (error) {
    throw new Error('OpenSearch did not answer', { cause: error })
  }
  const text = await response.text()
  return { status: response.status, answer: parsed(text) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
