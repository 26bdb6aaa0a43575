import type { RemoteSpan } from '#contract/context.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import type { Embedder } from '#dataplane/embed/embed.ts'
import { fuse, isRelevant, select, wordsOf } from './rank.ts'
import type { Candidate, CollectionHits } from './rank.ts'

/** A collection, and which of its documents the caller may read. */
export interface ReadableCollection {
  readonly index: CollectionIndex
  readonly accessIds: readonly string[]
}

export interface RetrieveRequest {
  readonly queries: readonly string[]
  readonly collections: readonly ReadableCollection[]
  readonly topK: number
}

export interface Retrieved {
  /** Best first. */
  readonly passages: readonly Candidate[]
  readonly spans: readonly RemoteSpan[]
  readonly missing: readonly string[]
}

export interface RetrieveTools {
  readonly embedder: Embedder
  readonly now: () => number
}

/** What a search is asked for at least: fusing needs more than the winners. */
const MIN_CANDIDATES = 30
/** The model reads 256 tokens, and a full-text search over more words finds everything. */
const MAX_QUERY_CHARS = 2000
/** An ingest may keep the model busy: then words alone must do. */
const EMBED_TIMEOUT_MS = 3000

/**
 * Searches every collection for every query by meaning and by words, fuses the lists and keeps what is
 * relevant. Only passages that the caller may read are ever looked at.
 *
 * @throws the signal's reason when the caller has gone.
 */
export async function retrieve(
  request: RetrieveRequest,
  tools: RetrieveTools,
  signal: AbortSignal,
): Promise<Retrieved> {
  const spans: RemoteSpan[] = []
  const span = async <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
    signal.throwIfAborted()
    const startEpochMs = tools.now()
    const startedMs = performance.now()
    const result = await work()
    spans.push({ name, startEpochMs, ms: roundMs(performance.now() - startedMs) })
    return result
  }
  const queries = request.queries.map((query) => query.slice(0, MAX_QUERY_CHARS))
  const limit = Math.max(MIN_CANDIDATES, request.topK * 3)
  // Words need no vector, so both searches run at once.
  const [vectors, byWords] = await Promise.all([
    span('embed', async () => await embedAll(tools.embedder, queries)),
    span(
      'fulltext',
      async () =>
        await searchAll(
          queries,
          request.collections,
          async ({ index, accessIds }, query) => await index.store.searchText(query, accessIds, limit),
        ),
    ),
  ])
  const byMeaning =
    vectors === undefined
      ? []
      : await span(
          'vector',
          async () =>
            await searchAll(
              vectors,
              request.collections,
              async ({ index, accessIds }, vector) => await index.store.searchVector(vector, accessIds, limit),
            ),
        )
  const passages = await span('fuse', async () => {
    const questions = queries.map((query, at) => ({ words: wordsOf(query), vector: vectors?.[at] }))
    const relevant = fuse([...byMeaning, ...byWords]).filter(({ passage }) => isRelevant(passage, questions))
    return await Promise.resolve(select(relevant, request.topK))
  })
  return { passages, spans, missing: missingOf(request.queries, vectors !== undefined) }
}

/** One list per query, each over all collections. */
async function searchAll<Query>(
  queries: readonly Query[],
  collections: readonly ReadableCollection[],
  search: (collection: ReadableCollection, query: Query) => Promise<CollectionHits['hits']>,
): Promise<CollectionHits[][]> {
  return await Promise.all(
    queries.map(
      async (query) =>
        await Promise.all(
          collections.map(async (collection) => ({
            collection: collection.index.collection.name,
            hits: await search(collection, query),
          })),
        ),
    ),
  )
}

/** Undefined when the model is too busy. */
async function embedAll(embedder: Embedder, queries: readonly string[]): Promise<Float32Array[] | undefined> {
  const late = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => late.resolve(undefined), EMBED_TIMEOUT_MS)
  try {
    const vectors = Promise.all(queries.map(async (query) => await embedder.embedQuery(query)))
    return await Promise.race([vectors, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function missingOf(queries: readonly string[], isEmbedded: boolean): string[] {
  const missing = queries.flatMap((query, at) =>
    query.length > MAX_QUERY_CHARS
      ? [`query ${at + 1} was searched for by its first ${MAX_QUERY_CHARS} characters`]
      : [],
  )
  if (!isEmbedded) missing.push('the search by meaning was left out: the embedding model is busy')
  return missing
}

function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
