import { z } from 'zod'
import { SearchProblem } from './search-indexes.ts'
import type { Field, SearchDocument, SearchIndex } from './search-indexes.ts'
import { bm25 } from './words.ts'

/** Scores by id; what does not match is not in it. */
export type Scores = ReadonlyMap<string, number>

const value = z.union([z.string(), z.number(), z.boolean()])
const single = <Shape extends z.ZodType>(shape: Shape) =>
  z.record(z.string(), shape).refine((record) => Object.keys(record).length === 1, 'names one field')

const Term = z.strictObject({ term: single(value) })
const Terms = z.strictObject({ terms: single(z.array(value).max(65_536)) })
const Match = z.strictObject({ match: single(z.strictObject({ query: z.string() })) })
const MatchAll = z.strictObject({ match_all: z.strictObject({}) })
const Knn = z.strictObject({
  knn: single(
    z.strictObject({ vector: z.array(z.number()), k: z.int().min(1).max(10_000), filter: z.unknown().optional() }),
  ),
})
const Bool = z.strictObject({
  bool: z.strictObject({
    must: z.array(z.unknown()).optional(),
    filter: z.array(z.unknown()).optional(),
    must_not: z.array(z.unknown()).optional(),
  }),
})
const Query = z.union([Term, Terms, Match, MatchAll, Knn, Bool])

/** Clauses of one query at most, unless a domain says otherwise. */
const MAX_CLAUSES = 1024

/**
 * Runs a query over what is searchable.
 * @throws {SearchProblem} parsing_exception and query_shard_exception for what the stand-in or the mapping does not take.
 */
export function runQuery(index: SearchIndex, given: unknown): Scores {
  const read = Query.safeParse(given)
  if (!read.success) throw new SearchProblem('parsing_exception', 'the stand-in does not know the query')
  const query = read.data
  if ('match_all' in query) return matching(index, () => true)
  if ('term' in query) {
    const [name, wanted] = only(query.term)
    indexed(index, name)
    return matching(index, (document) => document[name] === wanted)
  }
  if ('terms' in query) {
    const [name, wanted] = only(query.terms)
    indexed(index, name)
    const set = new Set<unknown>(wanted)
    return matching(index, (document) => set.has(document[name]))
  }
  if ('match' in query) {
    const [name, { query: text }] = only(query.match)
    return match(index, name, text)
  }
  if ('knn' in query) {
    const [name, { vector, k, filter }] = only(query.knn)
    const field = indexed(index, name, ['knn_vector'])
    return nearest(index, { name, field, vector, k, among: filter === undefined ? undefined : runQuery(index, filter) })
  }
  return combine(index, query.bool)
}

function combine(
  index: SearchIndex,
  { must = [], filter = [], must_not: mustNot = [] }: z.infer<typeof Bool>['bool'],
): Scores {
  const scored = must.map((each) => runQuery(index, each))
  const needed = filter.map((each) => runQuery(index, each))
  const barred = mustNot.map((each) => runQuery(index, each))
  const ids = [...index.searchable.keys()].filter(
    (id) => [...scored, ...needed].every((scores) => scores.has(id)) && !barred.some((scores) => scores.has(id)),
  )
  // Filters score nothing.
  return new Map(ids.map((id) => [id, scored.reduce((sum, scores) => sum + (scores.get(id) ?? 0), 0)]))
}

function match(index: SearchIndex, name: string, text: string): Scores {
  indexed(index, name, ['text'])
  if (text.split(/\s+/).length > MAX_CLAUSES)
    throw new SearchProblem('too_many_clauses', `maxClauseCount is set to ${MAX_CLAUSES}`)
  const ids = [...index.searchable.keys()]
  const texts = [...index.searchable.values()].map((document) => textOf(index, name, document))
  const scores = bm25(text, texts)
  return new Map(ids.flatMap((id, at) => ((scores[at] ?? 0) > 0 ? [[id, scores[at] ?? 0] as const] : [])))
}

/** What the field itself holds, and what is copied into it. */
function textOf({ fields }: SearchIndex, name: string, document: SearchDocument): string {
  const sources = [...fields].filter(([each, { copyTo }]) => each === name || copyTo === name).map(([each]) => each)
  return sources.map((each) => z.string().catch('').parse(document[each])).join('\n')
}

interface Nearest {
  readonly name: string
  readonly field: Field
  readonly vector: readonly number[]
  readonly k: number
  readonly among: Scores | undefined
}

/** Exact, where Lucene approximates; the filter applies first, as with Lucene. */
function nearest(index: SearchIndex, { name, field, vector, k, among }: Nearest): Scores {
  if (vector.length !== field.dimension)
    throw new SearchProblem('query_shard_exception', `Query vector has invalid dimension: ${vector.length}`)
  if (vector.every((each) => each === 0))
    throw new SearchProblem(
      'illegal_argument_exception',
      'zero vector is not supported when space type is [cosinesimil]',
    )
  const scored = [...index.searchable]
    .filter(([id]) => among?.has(id) ?? true)
    .map(([id, document]) => [id, (1 + cosine(vector, z.array(z.number()).parse(document[name]))) / 2] as const)
  return new Map(scored.toSorted(([, a], [, b]) => b - a).slice(0, k))
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, each, at) => sum + each * (b[at] ?? 0), 0)
  return dot / (Math.hypot(...a) * Math.hypot(...b))
}

function matching(index: SearchIndex, test: (document: SearchDocument) => boolean): Scores {
  return new Map([...index.searchable].filter(([, document]) => test(document)).map(([id]) => [id, 1]))
}

const EXACT: readonly Field['type'][] = ['keyword', 'integer', 'boolean']

function indexed(index: SearchIndex, name: string, types = EXACT): Field {
  const field = index.fields.get(name)
  if (field === undefined || !field.index || !types.includes(field.type))
    throw new SearchProblem('query_shard_exception', `Cannot search on field [${name}] since it is not indexed`)
  return field
}

function only<Value>(record: Readonly<Record<string, Value>>): readonly [string, Value] {
  const [entry] = Object.entries(record)
  if (entry === undefined) throw new SearchProblem('parsing_exception', 'a field is missing')
  return entry
}
