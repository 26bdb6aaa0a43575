import type { RealPassage } from './real-texts.ts'

/** A passage made of words drawn by chance, close in meaning to a real one. */
export interface MadePassage {
  readonly document: string
  readonly title: string
  readonly heading: string
  readonly start: number
  readonly text: string
  readonly vector: Float32Array
}

const PASSAGES_A_DOCUMENT = 10
/** Share of documents below each folder. */
const FOLDERS = [
  ['open', 0.55],
  ['staff', 0.25],
  ['finance', 0.15],
  ['board', 0.05],
] as const
/** Words that there are: first those of the corpora by how often they occur, then made-up ones. */
const VOCABULARY = 30_000
const WORDS = [60, 180] as const
const SENTENCE_WORDS = [8, 18] as const
/** Share of the words that are of the real passage: what is close in meaning shares words. */
const OWN_WORDS = 0.25
/** A passage lies between two real ones, nearer to the first, with noise of this length. */
const WEIGHTS = { first: 0.75, second: 0.35, noise: 0.6 }

/**
 * Passages like those of many documents: words by Zipf's law (the word of rank r is drawn with weight 1 / r), vectors
 * around those that MiniLM gives real passages. The same seed gives the same.
 */
export function* makePassages(
  count: number,
  centres: readonly { readonly passage: RealPassage; readonly vector: Float32Array }[],
  seed = 1,
): Generator<MadePassage> {
  const random = seeded(seed)
  const drawWord = zipf(vocabulary(centres, random), random)
  const pick = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(random() * items.length)]
  for (let made = 0, document = 0; made < count; document += 1) {
    const first = pick(centres)
    if (first === undefined) return
    const name = `${folderOf(random())}/${String(document).padStart(6, '0')}.md`
    const own = wordsOf(first.passage)
    let start = 0
    for (let at = 0; at < PASSAGES_A_DOCUMENT && made < count; at += 1, made += 1) {
      const second = pick(centres) ?? first
      const text = textOf(() => (random() < OWN_WORDS ? (pick(own) ?? 'the') : drawWord()), random)
      const { title, heading } = first.passage
      const vector = between(first.vector, second.vector, random)
      yield { document: name, title: `${title} ${document}`, heading, start, text, vector }
      start += text.length + 2
    }
  }
}

function folderOf(share: number): string {
  let left = share
  for (const [folder, part] of FOLDERS) {
    if (left < part) return folder
    left -= part
  }
  return FOLDERS[0][0]
}

function wordsOf({ text }: RealPassage): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}-]+/gu) ?? []
}

function vocabulary(centres: readonly { readonly passage: RealPassage }[], random: () => number): string[] {
  const counts = new Map<string, number>()
  for (const { passage } of centres) for (const word of wordsOf(passage)) counts.set(word, (counts.get(word) ?? 0) + 1)
  const words = [...counts].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([word]) => word)
  const seen = new Set(words)
  while (seen.size < VOCABULARY) seen.add(madeUpWord(random))
  return [...seen]
}

function madeUpWord(random: () => number): string {
  const letter = (letters: string) => letters[Math.floor(random() * letters.length)] ?? ''
  const syllables = 2 + Math.floor(random() * 3)
  let word = ''
  for (let at = 0; at < syllables; at += 1)
    word += letter('bcdfghklmnprstvw') + letter('aeiou') + letter('  lnrs').trim()
  return word
}

function zipf(words: readonly string[], random: () => number): () => string {
  const sums = new Float64Array(words.length)
  let sum = 0
  for (const at of words.keys()) sums[at] = sum += 1 / (at + 1)
  return () => {
    const wanted = random() * sum
    let [low, high] = [0, words.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] ?? 0) < wanted) low = middle + 1
      else high = middle
    }
    return words[low] ?? ''
  }
}

function textOf(word: () => string, random: () => number): string {
  const between = ([low, high]: readonly [number, number]) => low + Math.floor(random() * (high - low))
  const sentences: string[] = []
  for (let left = between(WORDS); left > 0;) {
    const length = Math.min(left, between(SENTENCE_WORDS))
    const words = Array.from({ length }, word).join(' ')
    sentences.push(`${words.charAt(0).toUpperCase()}${words.slice(1)}.`)
    left -= length
  }
  return sentences.join(' ')
}

function between(first: Float32Array, second: Float32Array, random: () => number): Float32Array {
  const noise = unit(first.map(() => gaussian(random)))
  return unit(
    first.map(
      (value, at) => WEIGHTS.first * value + WEIGHTS.second * (second[at] ?? 0) + WEIGHTS.noise * (noise[at] ?? 0),
    ),
  )
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return vector.map((value) => value / length)
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}
