/** What a ranking is worth, by the judgements of somebody who knows the documents. */

/** How well a passage answers: 3 answers the query, 2 answers a part, 1 is on the subject. */
export type Grade = 1 | 2 | 3

/** One thing that a good ranking holds. */
export interface Judgement {
  /** A passage of any of them counts: the same text may stand in several. */
  readonly documents: readonly string[]
  /** The passage must hold it; white space is compared as a single blank. Absent: any passage counts. */
  readonly contains?: string | undefined
  readonly grade: Grade
}

/** A passage as far as it is judged. */
export interface RankedPassage {
  readonly document: string
  readonly text: string
}

/** Of one query: which place met which judgement. */
export interface Met {
  /** For each judgement the first place, from 1, whose passage meets it. */
  readonly places: readonly (number | undefined)[]
  /** For each place of the ranking its gain. */
  readonly gains: readonly number[]
}

/** Whether the passage is what the judgement asks for. */
export function meets({ document, text }: RankedPassage, { documents, contains }: Judgement): boolean {
  return documents.includes(document) && (contains === undefined || flat(text).includes(flat(contains)))
}

/**
 * Holds a ranking against judgements. A judgement is met once, by the first passage that meets it: further passages of
 * the same document gain nothing for it. A passage that meets several, for it was put together of neighbours, meets them
 * all and gains what the best of them is worth, `2^grade - 1`.
 */
export function hold(ranking: readonly RankedPassage[], judgements: readonly Judgement[]): Met {
  const places: (number | undefined)[] = judgements.map(() => undefined)
  const gains = ranking.map((passage, at) => {
    let gain = 0
    for (const [index, judgement] of judgements.entries()) {
      if (places[index] !== undefined || !meets(passage, judgement)) continue
      places[index] = at + 1
      gain = Math.max(gain, gainOf(judgement))
    }
    return gain
  })
  return { places, gains }
}

/**
 * Normalised discounted cumulative gain of the first `k` places, 0 to 1: the sum of `gain / log2(place + 1)`, divided by
 * the same sum of the best order that there is, one judgement a place. Passages with equal scores stand as the search
 * gave them; no ties are averaged. NaN without judgements.
 */
export function ndcg({ gains }: Met, judgements: readonly Judgement[], k: number): number {
  const ideal = judgements.map(gainOf).toSorted((a, b) => b - a)
  return discounted(gains.slice(0, k)) / discounted(ideal.slice(0, k))
}

/** Share of the judgements, whatever their grade, that the first `k` places meet. NaN without judgements. */
export function recall({ places }: Met, k: number): number {
  return places.filter((place) => place !== undefined && place <= k).length / places.length
}

/** 1 divided by the first place that meets any judgement; 0 when none of the first `k` does. */
export function reciprocalRank({ places }: Met, k: number): number {
  const first = Math.min(...places.map((place) => place ?? Number.POSITIVE_INFINITY))
  return first <= k ? 1 / first : 0
}

/** Nearest rank: the smallest value that `share` of all values do not exceed. NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

/** NaN for none. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function gainOf({ grade }: Judgement): number {
  return 2 ** grade - 1
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, at) => sum + gain / Math.log2(at + 2), 0)
}

function flat(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
