import { z } from 'zod'
import { json, type BodyReply } from './service.ts'

const MAX_DOCUMENTS = 1_000

const rerank = z.strictObject({
  query: z.string().min(1),
  documents: z.array(z.string().min(1)).min(1).max(MAX_DOCUMENTS),
  api_version: z.int().refine((version) => version >= 2, 'must be 2'),
  top_n: z.int().min(1).optional(),
  max_tokens_per_doc: z.int().min(1).optional(),
})

/** Cohere Rerank 3.5: the best documents first, by the words that they share with the query; rare words weigh more. */
export function cohereRerank(body: unknown): BodyReply {
  const { query, documents, top_n: topN = documents.length } = rerank.parse(body)
  const sets = documents.map(wordsOf)
  const wanted = [...wordsOf(query)]
  const weights = new Map(wanted.map((word) => [word, weightOf(word, sets)]))
  const whole = [...weights.values()].reduce((sum, weight) => sum + weight, 0)
  const results = sets
    .map((words, index) => {
      const shared = wanted.filter((word) => words.has(word)).reduce((sum, word) => sum + (weights.get(word) ?? 0), 0)
      // Of two documents that share the same, the one with fewer other words is the better.
      const focus = 1 / (1 + Math.log1p(words.size) / 100)
      return { index, relevance_score: whole === 0 ? 0 : (shared / whole) * focus }
    })
    .toSorted((left, right) => right.relevance_score - left.relevance_score || left.index - right.index)
  return json(200, { results: results.slice(0, topN) })
}

function weightOf(word: string, sets: readonly ReadonlySet<string>[]): number {
  const having = sets.filter((words) => words.has(word)).length
  return Math.log1p(sets.length / (1 + having))
}

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
}
