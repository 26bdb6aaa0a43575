import type { Hit, PassageWithVector } from '#dataplane/index/store.ts'

/** Rank `r` (from 1) for a question is worth `1 / (RANK_CONSTANT + r)`: the usual constant of reciprocal rank fusion. */
const RANK_CONSTANT = 60
/** Passages taken from one document while others have some too. */
const MAX_PER_DOCUMENT = 3
/** Share of word triples that two passages have in common, from which on they say the same. */
const DUPLICATE_SHARE = 0.85

/** Where the best passage is above the floor, others are kept when they are half as relevant: they complete it. */
const REST_SHARE = 0.5
/** What it adds to the cosine when a passage has all words of the question: names, numbers and codes have little meaning. */
const WORDS_WEIGHT = 0.2
/**
 * What the full-text search adds for its first hit, and for the others in proportion to their scores, when that first hit
 * has all words of the question. It is taken less seriously the fewer it has: a paraphrase meets single words by chance.
 * Between 0.1 and 0.3 the order of the evaluation corpus hardly changes.
 */
const TEXT_WEIGHT = 0.2
/** Without a vector: this share of the question's words must be there. */
const WORDS_SHARE = 0.6

/** A passage that one of the searches found. */
export interface Candidate {
  /** Collection, document and place: the same passage found twice has the same key. */
  readonly key: string
  readonly collection: string
  readonly passage: PassageWithVector
  /** Higher is better; comparable within one answer only. */
  score: number
}

/** Hits of one search in one collection. */
export interface CollectionHits {
  readonly collection: string
  readonly hits: readonly Hit[]
}

/** One question. */
export interface Question {
  readonly words: ReadonlySet<string>
  /** Undefined when the embedder did not answer: then only words count. */
  readonly vector: Float32Array | undefined
}

/** A candidate for one question. */
export interface RankedCandidate extends Candidate {
  /** Cosine and words together, as the floor sees them. Without a vector: the share of the words. */
  readonly relevance: number
}

/**
 * Orders what the searches found for one question, best first. Ranks alone forget how sure a search is: here the cosine,
 * which every candidate has whichever search found it, the share of the question's words, and the full-text score are
 * added up. Each list is one search over all collections: within a kind of search their scores can be compared.
 */
export function rank(
  question: Question,
  meaning: readonly CollectionHits[],
  words: readonly CollectionHits[],
): RankedCandidate[] {
  const found = new Map<string, RankedCandidate & { textScore: number; share: number }>()
  for (const [list, isText] of [
    [meaning, false],
    [words, true],
  ] as const) {
    for (const { collection, hits } of list) {
      for (const { passage, score } of hits) {
        const key = `${collection}\n${passage.document}\n${passage.start}`
        const candidate = found.get(key) ?? judged(question, { key, collection, passage })
        if (isText) candidate.textScore = score
        found.set(key, candidate)
      }
    }
  }
  const candidates = [...found.values()]
  const first = candidates.reduce((best, each) => (each.textScore > best.textScore ? each : best), NO_TEXT)
  for (const candidate of candidates) {
    const part = first.textScore > 0 ? candidate.textScore / first.textScore : 0
    candidate.score = candidate.relevance + TEXT_WEIGHT * part * first.share
  }
  return candidates.map(({ textScore: _textScore, share: _share, ...candidate }) => candidate).toSorted(byScore)
}

const NO_TEXT = { textScore: 0, share: 0 }

function judged(question: Question, { key, collection, passage }: Omit<Candidate, 'score'>) {
  const share = shareOf(question.words, wordsOf([passage.title, passage.heading, passage.text].join(' ')))
  const relevance = question.vector === undefined ? share : dot(question.vector, passage.vector) + WORDS_WEIGHT * share
  return { key, collection, passage, relevance, share, textScore: 0, score: 0 }
}

/**
 * Those that may answer the question: none when the question is not about the collection at all.
 *
 * @param floor of the embedding model; see `Embedder`.
 */
export function aboveFloor(ranked: readonly RankedCandidate[], { vector }: Question, floor: number): RankedCandidate[] {
  if (vector === undefined) return ranked.filter(({ relevance }) => relevance >= WORDS_SHARE)
  const best = ranked.reduce((most, { relevance }) => Math.max(most, relevance), 0)
  if (best < floor) return []
  const least = Math.min(floor, best * REST_SHARE)
  return ranked.filter(({ relevance }) => relevance >= least)
}

/**
 * Puts the orders of several questions together by rank, so that none of them is drowned by another with higher scores.
 */
export function fuse(orders: readonly (readonly Candidate[])[]): Candidate[] {
  const candidates = new Map<string, Candidate>()
  for (const order of orders) {
    for (const [at, { key, collection, passage }] of order.entries()) {
      const candidate = candidates.get(key) ?? { key, collection, passage, score: 0 }
      candidate.score += 1 / (RANK_CONSTANT + at + 1)
      candidates.set(key, candidate)
    }
  }
  return [...candidates.values()].toSorted(byScore)
}

function byScore(a: Candidate, b: Candidate): number {
  return b.score - a.score || (a.key < b.key ? -1 : 1)
}

/** The best `topK`, without near-duplicates, spread over documents as far as there are others. */
export function select(candidates: readonly Candidate[], topK: number): Candidate[] {
  const isNew = duplicateFilter()
  const taken = new Map<string, number>()
  const spread: Candidate[] = []
  const rest: Candidate[] = []
  for (const candidate of candidates) {
    if (spread.length === topK) break
    if (!isNew(candidate.passage.text)) continue
    const document = `${candidate.collection}\n${candidate.passage.document}`
    const count = taken.get(document) ?? 0
    taken.set(document, count + 1)
    if (count < MAX_PER_DOCUMENT) spread.push(candidate)
    else rest.push(candidate)
  }
  return [...spread, ...rest].slice(0, topK).toSorted((a, b) => b.score - a.score)
}

/** Tells whether a text says something that those before it, in so many words, did not. */
function duplicateFilter(): (text: string) => boolean {
  const kept: ReadonlySet<string>[] = []
  return (text) => {
    const triples = triplesOf(text)
    if (kept.some((other) => isDuplicate(triples, other))) return false
    kept.push(triples)
    return true
  }
}

function triplesOf(text: string): ReadonlySet<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  if (words.length < 3) return new Set([words.join(' ')])
  return new Set(words.slice(2).map((word, at) => `${words[at]} ${words[at + 1]} ${word}`))
}

function isDuplicate(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  // The smaller can not have more in common than it has.
  if (Math.min(a.size, b.size) < DUPLICATE_SHARE * Math.max(a.size, b.size)) return false
  const common = a.intersection(b).size
  return common >= DUPLICATE_SHARE * (a.size + b.size - common)
}

const STOP_WORDS = new Set(
  'a about an and any are as at be been by can could did do does for from get had has have how i if in into is it its just me my no not of on or our out should so than that the their them then there they this to up us was we were what when where which who whom whose why will with would you your'.split(
    ' ',
  ),
)

/** Words that say what a text is about, cut to their stems as far as that is easy. */
export function wordsOf(text: string): ReadonlySet<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  return new Set(words.filter((word) => !STOP_WORDS.has(word)).map(stem))
}

function stem(word: string): string {
  return word.length > 4 ? word.replace(/(?:ies|ing|ed|es|s|y|e)$/, '') : word
}

function shareOf(wanted: ReadonlySet<string>, present: ReadonlySet<string>): number {
  return wanted.size === 0 ? 0 : wanted.intersection(present).size / wanted.size
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0)
  return sum
}
