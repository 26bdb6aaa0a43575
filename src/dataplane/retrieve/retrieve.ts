import type { RemoteSpan } from '#contract/context.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import { EmbedError } from '#dataplane/embed/embedder.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import type { Deadline } from '#dataplane/deadline.ts'
import { mergeNeighbours, withinTokens } from './neighbours.ts'
import { aboveFloor, fuse, rank, select, wordsOf } from './rank.ts'
import type { Candidate, CollectionHits } from './rank.ts'
import { RerankError } from './rerank.ts'
import type { Reranker } from './rerank.ts'

/** A collection, and which of its documents the caller may read. */
export interface ReadableCollection {
  readonly index: CollectionIndex
  readonly accessIds: readonly string[]
}

export interface RetrieveRequest {
  readonly queries: readonly string[]
  readonly collections: readonly ReadableCollection[]
  readonly topK: number
  /** Estimated tokens of all passages at most. Default: no bound. */
  readonly maxTokens?: number
}

export interface Retrieved {
  /** Best first. */
  readonly passages: readonly Candidate[]
  readonly spans: readonly RemoteSpan[]
  readonly missing: readonly string[]
}

export interface RetrieveTools {
  readonly embedder: Embedder
  /** Orders the best candidates anew. Absent: the fused ranks stand. */
  readonly reranker?: Reranker | undefined
  readonly now: () => number
  /** Told why a model was left out. */
  readonly onFault?: ((error: unknown) => void) | undefined
}

/** What a search is asked for at least: fusing needs more than the winners. */
const MIN_CANDIDATES = 30
/** The model reads 256 tokens, and a full-text search over more words finds everything. */
const MAX_QUERY_CHARS = 2000
/** An ingest may keep the model busy: then words alone must do. */
const EMBED_TIMEOUT_MS = 3000
/** Share of the time left after which the vector of a question comes too late to be searched for. */
const EMBED_SHARE = 0.7
/** Left for putting the answer together when a search has to be given up. */
const COMPOSE_MS = 30
/** A better order is not waited for longer than this. */
const RERANK_TIMEOUT_MS = 1500

/**
 * Searches every collection for every query by meaning and by words, ranks what was found and keeps what is
 * relevant. Only passages that the caller may read are ever looked at. What is not there in time is left out, and said
 * to be missing.
 *
 * @throws the caller's reason when it has gone.
 */
export async function retrieve(request: RetrieveRequest, tools: RetrieveTools, deadline: Deadline): Promise<Retrieved> {
  const spans: RemoteSpan[] = []
  const missing = new Set<string>()
  const span = async <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
    const startEpochMs = tools.now()
    const startedMs = performance.now()
    const result = await work()
    spans.push({ name, startEpochMs, ms: roundMs(performance.now() - startedMs) })
    return result
  }
  const queries = request.queries.map((query) => query.slice(0, MAX_QUERY_CHARS))
  const limit = Math.max(MIN_CANDIDATES, request.topK * 3)
  const search = async <Query>(
    name: string,
    wanted: readonly Query[],
    one: (collection: ReadableCollection, query: Query) => Promise<CollectionHits['hits']>,
  ): Promise<CollectionHits[][]> =>
    await span(name, async () => {
      const leftMs = deadline.leftMs() - COMPOSE_MS
      const found = await deadline.within(async () => await searchAll(wanted, request.collections, one), leftMs)
      if (found === undefined) missing.add(`the ${name} search was left out: it took longer than the caller waits`)
      return found ?? []
    })
  const byMeaning = async () => {
    const vectors = await span('embed', async () => await embedAll(tools, queries, deadline))
    if (typeof vectors === 'string') {
      missing.add(`the search by meaning was left out: ${vectors}`)
      return { vectors: undefined, lists: [] }
    }
    const lists = await search('vector', vectors, async ({ index, accessIds }, vector) => {
      return await index.store.searchVector(vector, accessIds, limit)
    })
    return { vectors, lists }
  }
  // Words need no vector, so both searches run at once.
  const [meaning, words] = await Promise.all([
    byMeaning(),
    search('fulltext', queries, async ({ index, accessIds }, query) => {
      return await index.store.searchText(query, accessIds, limit)
    }),
  ])
  const relevant = await span('fuse', async () => {
    const orders = queries.map((query, at) => {
      const question = { words: wordsOf(query), vector: meaning.vectors?.[at] }
      return aboveFloor(rank(question, meaning.lists[at] ?? [], words[at] ?? []), question, tools.embedder.floor)
    })
    return await Promise.resolve(fuse(orders))
  })
  const { reranker, onFault } = tools
  const ordered =
    reranker === undefined || relevant.length < 2
      ? relevant
      : await span('rerank', async () => await reranked(reranker, queries, relevant, { deadline, missing, onFault }))
  const passages = withinTokens(mergeNeighbours(select(ordered, request.topK)), request.maxTokens)
  return { passages, spans, missing: [...cutQueries(request.queries), ...missing] }
}

interface RerankTools extends Pick<RetrieveTools, 'onFault'> {
  readonly deadline: Deadline
  readonly missing: Set<string>
}

/** The best in the reranker's order, before the others; all as they were when it does not answer in time. */
async function reranked(
  reranker: Reranker,
  queries: readonly string[],
  candidates: readonly Candidate[],
  { deadline, missing, onFault }: RerankTools,
): Promise<readonly Candidate[]> {
  const limitMs = Math.min(RERANK_TIMEOUT_MS, deadline.leftMs() - COMPOSE_MS)
  const best = candidates.slice(0, reranker.candidates)
  const texts = best.map(({ passage }) => [passage.title, passage.heading, passage.text].join('\n'))
  const scores = await deadline
    .within(async (signal) => await reranker.score(queries.join('\n'), texts, signal), limitMs)
    .catch((error: unknown) => {
      if (!(error instanceof RerankError)) throw error
      onFault?.(error)
      return undefined
    })
  if (scores === undefined) {
    missing.add('the better order was left out: the reranker did not answer')
    return candidates
  }
  const judged = best.map((candidate, at) => ({ ...candidate, score: scores[at] ?? 0 }))
  const least = Math.min(...judged.map(({ score }) => score))
  // Nobody has judged the others: none of them may come before one that was.
  const others = candidates.slice(best.length).map((each) => ({ ...each, score: Math.min(each.score, least) }))
  return [...judged.toSorted((a, b) => b.score - a.score), ...others]
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

/** The vectors, or why there are none. */
async function embedAll(
  { embedder, onFault }: RetrieveTools,
  queries: readonly string[],
  deadline: Deadline,
): Promise<Float32Array[] | string> {
  const limitMs = Math.min(EMBED_TIMEOUT_MS, deadline.leftMs() * EMBED_SHARE)
  try {
    const vectors = await deadline.within(
      async () => await Promise.all(queries.map(async (query) => await embedder.embedQuery(query))),
      limitMs,
    )
    return vectors ?? 'the embedding model is busy'
  } catch (error) {
    if (!(error instanceof EmbedError)) throw error
    onFault?.(error)
    return 'the embedding model can not be had'
  }
}

function cutQueries(queries: readonly string[]): string[] {
  return queries.flatMap((query, at) =>
    query.length > MAX_QUERY_CHARS
      ? [`query ${at + 1} was searched for by its first ${MAX_QUERY_CHARS} characters`]
      : [],
  )
}

function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
