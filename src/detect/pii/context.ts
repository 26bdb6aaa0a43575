import { type Vocabulary, wordsIn } from './vocabulary.ts'

/** How far before and after a value its context reaches, in characters. */
const BEFORE = 64
const AFTER = 40
const MAX_BARE_CHARS = 64
const SUM = /[\n*=?%<>^×÷]|\d\s*\+|\s\/\s/

/** Which words of the vocabulary stand where in one text; looked up once, when a value first needs it. */
export class Context {
  readonly #text: string
  readonly #vocabulary: Vocabulary
  #ends: readonly number[] | undefined
  #words: readonly number[] = []

  constructor(text: string, vocabulary: Vocabulary) {
    this.#text = text
    this.#vocabulary = vocabulary
  }

  /** Whether one of `words`, a list that the vocabulary was made of, stands near the value. */
  has(words: readonly string[], start: number, end: number): boolean {
    const ends = this.#look()
    if (ends.length === 0) return false
    const wanted = this.#vocabulary.indexes.get(words)
    if (wanted === undefined) return false
    for (let at = firstFrom(ends, start - BEFORE); at < ends.length; at += 1) {
      const wordEnd = ends[at] ?? 0
      if (wordEnd > end + AFTER) return false
      if (wanted.has(this.#words[at] ?? -1) && (wordEnd <= start || wordEnd > end)) return true
    }
    return false
  }

  /** Whether the text holds nothing but the value, or such values: the answer to a question, a cell, a field of a form. */
  isBare(start: number, end: number): boolean {
    if (this.#text.length > MAX_BARE_CHARS) return false
    const rest = `${this.#text.slice(0, start)} ${this.#text.slice(end)}`
    // Sums and columns of numbers are no cells.
    if (SUM.test(rest)) return false
    return !/\p{L}{2}/u.test(rest.replaceAll(/[\p{L}\p{N}]*\d[\p{L}\p{N}]*|\band\b/gu, ''))
  }

  #look(): readonly number[] {
    if (this.#ends === undefined) {
      const hits = wordsIn(this.#vocabulary, this.#text)
      this.#ends = hits.ends
      this.#words = hits.words
    }
    return this.#ends
  }
}

/** Index of the first end that is not before `from`. */
function firstFrom(ends: readonly number[], from: number): number {
  let [low, high] = [0, ends.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ends[middle] ?? 0) < from) low = middle + 1
    else high = middle
  }
  return low
}
