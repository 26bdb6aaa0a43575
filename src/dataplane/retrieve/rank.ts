import type { Hit, PassageWithVector } from '#dataplane/index/store.ts'

/** Rank `r` (from 1) in a list is worth `1 / (RANK_CONSTANT + r)`: the usual constant of reciprocal rank fusion. */
const RANK_CONSTANT = 60
/** Passages taken from one document while others have some too. */
const MAX_PER_DOCUMENT = 3
/** Share of word triples that two passages have in common, from which on they say the same. */
const DUPLICATE_SHARE = 0.85

/**
 * A passage is relevant from this sum of cosine and words on. Chosen on the sample corpus: of 22 questions
 * about nothing in it (football, poems, cakes, random letters) 20 stay below 0.27 with every passage, while the
 * passages that answer its own questions have 0.39 to 0.87. The two others ask for the weather and for an
 * instrument that does not exist, which is close to the corpus in meaning.
 */
const FLOOR = 0.3
/** What it adds to the cosine when a passage has all words of the question: names, numbers and codes have little meaning. */
const WORDS_WEIGHT = 0.2
/** Without a vector: this share of the question's words must be there. */
const WORDS_SHARE = 0.6

/** A passage that one of the searches found. */
export interface Candidate {
  /** Collection, document and place: the same passage found twice has the same key. */
  readonly key: string
  readonly collection: string
  readonly passage: PassageWithVector
  /** Sum over all lists. */
  score: number
}

/** Hits of one search in one collection. */
export interface CollectionHits {
  readonly collection: string
  readonly hits: readonly Hit[]
}

/** One question as the floor sees it. */
export interface Question {
  readonly words: ReadonlySet<string>
  /** Undefined when the embedder did not answer: then only words count. */
  readonly vector: Float32Array | undefined
}

/**
 * Fuses lists by rank. Each list is one search over all collections: within a kind of search the scores
 * of collections can be compared, between kinds only the ranks can.
 */
export function fuse(lists: readonly (readonly CollectionHits[])[]): Candidate[] {
  const candidates = new Map<string, Candidate>()
  for (const list of lists) {
    const hits = list.flatMap(({ collection, hits: own }) => own.map((hit) => ({ collection, ...hit })))
    hits.sort((a, b) => b.score - a.score)
    for (const [at, { collection, passage }] of hits.entries()) {
      const key = `${collection}\n${passage.document}\n${passage.start}`
      const candidate = candidates.get(key) ?? { key, collection, passage, score: 0 }
      candidate.score += 1 / (RANK_CONSTANT + at + 1)
      candidates.set(key, candidate)
    }
  }
  return [...candidates.values()].toSorted((a, b) => b.score - a.score || (a.key < b.key ? -1 : 1))
}

/** Whether the passage may answer any of the questions. */
export function isRelevant(passage: PassageWithVector, questions: readonly Question[]): boolean {
  const words = wordsOf([passage.title, passage.heading, passage.text].join(' '))
  return questions.some((question) => {
    const share = shareOf(question.words, words)
    if (question.vector === undefined) return share >= WORDS_SHARE
    return dot(question.vector, passage.vector) + WORDS_WEIGHT * share >= FLOOR
  })
}

/** The best `topK`, without near-duplicates, spread over documents as far as there are others. */
export function select(candidates: readonly Candidate[], topK: number): Candidate[] {
  const distinct = withoutDuplicates(candidates)
  const taken = new Map<string, number>()
  const spread: Candidate[] = []
  const rest: Candidate[] = []
  for (const candidate of distinct) {
    const document = `${candidate.collection}\n${candidate.passage.document}`
    const count = taken.get(document) ?? 0
    taken.set(document, count + 1)
    if (count < MAX_PER_DOCUMENT) spread.push(candidate)
    else rest.push(candidate)
  }
  return [...spread, ...rest].slice(0, topK).toSorted((a, b) => b.score - a.score)
}

function withoutDuplicates(candidates: readonly Candidate[]): Candidate[] {
  const kept: { candidate: Candidate; triples: ReadonlySet<string> }[] = []
  for (const candidate of candidates) {
    const triples = triplesOf(candidate.passage.text)
    if (kept.every((other) => overlap(triples, other.triples) < DUPLICATE_SHARE)) kept.push({ candidate, triples })
  }
  return kept.map(({ candidate }) => candidate)
}

function triplesOf(text: string): ReadonlySet<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  if (words.length < 3) return new Set([words.join(' ')])
  return new Set(words.slice(2).map((word, at) => `${words[at]} ${words[at + 1]} ${word}`))
}

function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const common = a.intersection(b).size
  return common / (a.size + b.size - common)
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
