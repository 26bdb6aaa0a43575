import { openDeadline } from '#dataplane/deadline.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import type { Hit } from '#dataplane/index/store.ts'
import { JudgementsError } from './judgements.ts'
import type { JudgedQuery } from './judgements.ts'
import { hold, mean, meets, ndcg, percentile, recall, reciprocalRank } from './measures.ts'
import type { Judgement, Met, RankedPassage } from './measures.ts'
import { aboveFloor, rank, wordsOf } from './rank.ts'
import type { Reranker } from './rerank.ts'
import { retrieve } from './retrieve.ts'

/** Ways to a ranking: one search alone, both as the agent fuses them, and that order judged anew by the reranker. */
export type Way = 'full text' | 'vector' | 'fused' | 'reranked'

/** How good a way is, over all queries that have an answer. */
export interface WayFigures {
  readonly way: Way
  /** Of the first `k` places. */
  readonly ndcg: number
  /** Mean share of the judgements that the first 1, 5 and `k` places meet. */
  readonly recallAt: Readonly<Record<number, number>>
  /** Mean reciprocal rank within the first `k` places. */
  readonly mrr: number
  /** Milliseconds of one query, its embedding included where it is needed. */
  readonly p50Ms: number
  readonly p95Ms: number
  /** nDCG of the first `k` places for each kind of query. */
  readonly ndcgByKind: Readonly<Record<string, number>>
  /** Queries without an answer for which nothing was returned. The searches alone have no floor. */
  readonly silent: number
}

export interface Evaluation {
  readonly collection: string
  readonly passages: number
  readonly k: number
  /** Queries with an answer. */
  readonly answerable: number
  readonly unanswerable: number
  readonly ways: readonly WayFigures[]
  /** What the floor of relevance costs: judgements that the searches met, and those of them that it took away. */
  readonly floor: { readonly found: number; readonly cut: number }
  /** What each way found for each query: to see where it fails. */
  readonly queries: readonly QueryResult[]
}

/** One query: its nDCG by way, or how many passages were returned where it has no answer. */
export interface QueryResult {
  readonly line: number
  readonly query: string
  readonly kind: string
  readonly ndcg: Readonly<Partial<Record<Way, number>>>
  readonly returned: Readonly<Partial<Record<Way, number>>>
}

export interface EvaluateTools {
  readonly embedder: Embedder
  readonly reranker?: Reranker | undefined
}

/** As in a request. */
const CANDIDATES = 30
/** Long enough that nothing is ever left out. */
const DEADLINE_MS = 120_000

interface Ranking {
  readonly passages: readonly RankedPassage[]
  readonly ms: number
}

/**
 * Asks the queries one after the other, by each way, of somebody who may read every document.
 *
 * @param k places of a ranking that count.
 * @throws {JudgementsError} when the index holds no passage that a judgement asks for; {Error} when a search was left
 * out, which would make the figures wrong.
 */
export async function evaluate(
  index: CollectionIndex,
  queries: readonly JudgedQuery[],
  tools: EvaluateTools,
  k = 10,
): Promise<Evaluation> {
  await assertJudgeable(index, queries)
  const accessIds = [...index.classes().keys()]
  // Whoever asks first waits for the model and the files of the index: that is not what is measured.
  await index.store.searchVector(await tools.embedder.embedQuery('ready'), accessIds, 1)
  const floor = { found: 0, cut: 0 }
  const asked: { judged: JudgedQuery; rankings: ReadonlyMap<Way, Ranking> }[] = []
  for (const judged of queries) {
    const rankings = await askEachWay(index, judged.query, { accessIds, tools, k })
    asked.push({ judged, rankings: rankings.byWay })
    const lost = lostToFloor(judged, rankings.ranked, rankings.kept)
    floor.found += lost.found
    floor.cut += lost.cut
  }
  const ways: readonly Way[] = [
    'full text',
    'vector',
    'fused',
    ...(tools.reranker === undefined ? [] : ['reranked' as const]),
  ]
  const answerable = queries.filter(({ relevant }) => relevant.length > 0).length
  return {
    collection: index.collection.name,
    passages: await index.store.countPassages(),
    k,
    answerable,
    unanswerable: queries.length - answerable,
    ways: ways.map((way) => figuresOf(way, asked, k)),
    floor,
    queries: asked.map(({ judged, rankings }) => resultOf(judged, rankings, k)),
  }
}

async function askEachWay(
  index: CollectionIndex,
  query: string,
  { accessIds, tools, k }: { accessIds: readonly string[]; tools: EvaluateTools; k: number },
) {
  const { embedder, reranker } = tools
  const { signal } = new AbortController()
  const byWay = new Map<Way, Ranking>()
  const ask = async (way: Way, asTool: Reranker | undefined): Promise<number> => {
    const started = performance.now()
    const { passages, spans, missing } = await retrieve(
      { queries: [query], collections: [{ index, accessIds }], topK: k },
      { embedder, reranker: asTool, now: Date.now },
      openDeadline(DEADLINE_MS, signal),
    )
    const ms = performance.now() - started
    if (missing.length > 0) throw new Error(`the figures would be wrong: ${missing.join('; ')}`)
    byWay.set(way, { passages: passages.map(({ passage }) => passage), ms })
    return spans.find(({ name }) => name === 'embed')?.ms ?? 0
  }
  // The vector is kept once it is made, so who needs it later adds what it took.
  const embedMs = await ask('fused', undefined)
  const limit = Math.max(CANDIDATES, k * 3)
  const vector = await embedder.embedQuery(query)
  const vectorHits = await timed(async () => await index.store.searchVector(vector, accessIds, limit))
  const textHits = await timed(async () => await index.store.searchText(query, accessIds, limit))
  byWay.set('vector', { passages: vectorHits.passages.slice(0, k), ms: vectorHits.ms + embedMs })
  byWay.set('full text', { passages: textHits.passages.slice(0, k), ms: textHits.ms })
  if (reranker !== undefined) {
    await ask('reranked', reranker)
    const reranked = byWay.get('reranked')
    if (reranked !== undefined) byWay.set('reranked', { ...reranked, ms: reranked.ms + embedMs })
  }
  const { name: collection } = index.collection
  const question = { words: wordsOf(query), vector }
  const ranked = rank(question, [{ collection, hits: vectorHits.hits }], [{ collection, hits: textHits.hits }])
  const passagesOf = (candidates: typeof ranked) => candidates.map(({ passage }) => passage)
  return { byWay, ranked: passagesOf(ranked), kept: passagesOf(aboveFloor(ranked, question, embedder.floor)) }
}

async function timed(search: () => Promise<Hit[]>) {
  const started = performance.now()
  const hits = await search()
  return { hits, passages: hits.map(({ passage }) => passage), ms: performance.now() - started }
}

/** Judgements that the searches met but nothing above the floor does. */
function lostToFloor(
  { relevant }: JudgedQuery,
  ranked: readonly RankedPassage[],
  kept: readonly RankedPassage[],
): { found: number; cut: number } {
  const found = relevant.filter((judgement) => ranked.some((passage) => meets(passage, judgement)))
  const cut = found.filter((judgement) => !kept.some((passage) => meets(passage, judgement)))
  return { found: found.length, cut: cut.length }
}

function figuresOf(
  way: Way,
  asked: readonly { readonly judged: JudgedQuery; readonly rankings: ReadonlyMap<Way, Ranking> }[],
  k: number,
): WayFigures {
  const rows = asked.flatMap(({ judged, rankings }) => {
    const ranking = rankings.get(way)
    return ranking === undefined ? [] : [{ judged, ranking, met: hold(ranking.passages, judged.relevant) }]
  })
  const answerable = rows.filter(({ judged }) => judged.relevant.length > 0)
  const averaged = (value: (met: Met, judgements: readonly Judgement[]) => number) =>
    mean(answerable.map(({ met, judged }) => value(met, judged.relevant)))
  const byKind = Object.groupBy(answerable, ({ judged }) => judged.kind)
  const times = rows.map(({ ranking }) => ranking.ms)
  return {
    way,
    ndcg: averaged((met, judgements) => ndcg(met, judgements, k)),
    recallAt: Object.fromEntries(placesOf(k).map((at) => [at, averaged((met) => recall(met, at))])),
    mrr: averaged((met) => reciprocalRank(met, k)),
    p50Ms: percentile(times, 0.5),
    p95Ms: percentile(times, 0.95),
    ndcgByKind: Object.fromEntries(
      Object.entries(byKind).map(([kind, own]) => [
        kind,
        mean((own ?? []).map(({ met, judged }) => ndcg(met, judged.relevant, k))),
      ]),
    ),
    silent: rows.filter(({ judged, ranking }) => judged.relevant.length === 0 && ranking.passages.length === 0).length,
  }
}

/** Places at which the recall is told. */
function placesOf(k: number): number[] {
  return [...new Set([1, 5, k])].filter((place) => place <= k).toSorted((a, b) => a - b)
}

function resultOf(
  { line, query, kind, relevant }: JudgedQuery,
  rankings: ReadonlyMap<Way, Ranking>,
  k: number,
): QueryResult {
  const entries = [...rankings]
  return {
    line,
    query,
    kind,
    ndcg:
      relevant.length === 0
        ? {}
        : Object.fromEntries(entries.map(([way, { passages }]) => [way, ndcg(hold(passages, relevant), relevant, k)])),
    returned: Object.fromEntries(entries.map(([way, { passages }]) => [way, passages.length])),
  }
}

/** A judgement that nothing can meet would only make every way look worse. */
async function assertJudgeable(index: CollectionIndex, queries: readonly JudgedQuery[]): Promise<void> {
  const texts = new Map<string, readonly string[]>()
  const textsOf = async (document: string): Promise<readonly string[]> => {
    const known = texts.get(document)
    if (known !== undefined) return known
    const read: string[] = []
    for await (const passages of index.store.read(document)) read.push(...passages.map(({ text }) => text))
    texts.set(document, read)
    return read
  }
  const problems: string[] = []
  for (const { line, relevant } of queries) {
    for (const judgement of relevant) {
      const passages: RankedPassage[] = []
      for (const document of judgement.documents) {
        const own = await textsOf(document)
        if (own.length === 0)
          problems.push(`line ${line} names \`${document}\`, which the collection does not have: write its path there`)
        passages.push(...own.map((text) => ({ document, text })))
      }
      if (passages.length > 0 && !passages.some((passage) => meets(passage, judgement)))
        problems.push(
          `line ${line} looks for \`${judgement.contains}\`, which no passage of \`${judgement.documents.join('`, `')}\` holds: write words that stand together there`,
        )
    }
  }
  if (problems.length > 0) throw new JudgementsError(problems)
}
