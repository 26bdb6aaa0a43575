/** 26 letters, one class for what parts words, 16 for everything beyond ASCII. */
const SYMBOLS = 44
const GAP = 27
/** Shorter words must stand alone; longer ones may begin a compound (`Steuernummer`). */
const MIN_COMPOUND_CHARS = 6

/** All context words as one trie; lists are known by identity. */
export interface Vocabulary {
  readonly words: readonly string[]
  readonly next: Int16Array
  /** Index of the word that ends in a state, or -1. */
  readonly ending: Int16Array
  readonly indexes: ReadonlyMap<readonly string[], ReadonlySet<number>>
}

/** @throws {RangeError} when the words need more states than 16 bits hold. */
export function compileVocabulary(lists: readonly (readonly string[])[]): Vocabulary {
  const words = [...new Set(lists.flat())]
  const rows: Int16Array[] = [new Int16Array(SYMBOLS), new Int16Array(SYMBOLS)]
  const ends = [-1, -1]
  for (const [index, word] of words.entries()) {
    let state = 1
    for (let at = 0; at < word.length; at += 1) {
      const row = rows[state]
      if (row === undefined) break
      const symbol = symbolOf(word.charCodeAt(at))
      if (row[symbol] === 0) {
        row[symbol] = rows.length
        rows.push(new Int16Array(SYMBOLS))
        ends.push(-1)
      }
      state = row[symbol] ?? 0
    }
    ends[state] = index
  }
  if (rows.length > 32_767) throw new RangeError(`${rows.length} states`)
  const next = new Int16Array(rows.length * SYMBOLS)
  for (const [state, row] of rows.entries()) next.set(row, state * SYMBOLS)
  const numbers = new Map(words.map((word, index) => [word, index]))
  const indexes = new Map(lists.map((list) => [list, new Set(list.map((word) => numbers.get(word) ?? -1))]))
  return { words, next, ending: Int16Array.from(ends), indexes }
}

/** Every word of the vocabulary that begins where a word of the text does; ends in ascending order. */
export function wordsIn(vocabulary: Vocabulary, text: string): { readonly ends: number[]; readonly words: number[] } {
  const hits: [end: number, word: number][] = []
  let before = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (beginsWord(before, code)) follow(vocabulary, text, at, hits)
    before = code
  }
  hits.sort((a, b) => a[0] - b[0])
  return { ends: hits.map(([end]) => end), words: hits.map(([, word]) => word) }
}

/** After anything but a letter, and at a hump: `passportNumber`. Scripts without blanks may begin anywhere. */
function beginsWord(before: number, code: number): boolean {
  if (code >= 0x0e00) return true
  if (!isLetter(code)) return false
  return !isLetter(before) || (isUpper(code) && !isUpper(before))
}

function follow({ next, ending, words }: Vocabulary, text: string, start: number, hits: [number, number][]): void {
  let state = 1
  for (let at = start; ; at += 1) {
    state = next[state * SYMBOLS + symbolOf(text.charCodeAt(at))] ?? 0
    if (state === 0) return
    const word = ending[state] ?? -1
    if (word >= 0 && isWhole(words[word] ?? '', text, start, at + 1)) hits.push([at + 1, word])
  }
}

function isWhole(word: string, text: string, start: number, end: number): boolean {
  if (word.charCodeAt(0) >= 128 || /[^\x20-\x7e]/.test(word)) return text.slice(start, end).toLowerCase() === word
  if (word.length >= MIN_COMPOUND_CHARS) return true
  const code = text.charCodeAt(end)
  return Number.isNaN(code) || !isLetter(code) || (isUpper(code) && !isUpper(text.charCodeAt(end - 1)))
}

/** Letters without regard to case; outside the text (NaN) it is a gap. */
function symbolOf(code: number): number {
  if (code >= 128) return 28 + (code & 15)
  const letter = code | 32
  return letter >= 97 && letter <= 122 ? letter - 96 : GAP
}

function isLetter(code: number): boolean {
  const letter = code | 32
  return (letter >= 97 && letter <= 122) || (code >= 0xc0 && code < 0x2000)
}

function isUpper(code: number): boolean {
  return code >= 65 && code <= 90
}
