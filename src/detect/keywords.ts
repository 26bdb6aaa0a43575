/**
 * Finds many keywords in one pass (Aho-Corasick), ASCII letters without regard to case.
 * Work is linear in the text whatever the keywords are; nothing is held between calls.
 */
export interface KeywordMatcher {
  readonly classOf: Uint8Array
  /** The next state for state × `classes` + class. */
  readonly next: Uint16Array
  readonly classes: number
  /** For each state, 1 when keywords end there: most states have none, and reading this is cheaper than `out`. */
  readonly hasOut: Uint8Array
  /** For each state, the keywords (by index) that end there. */
  readonly out: readonly (readonly number[])[]
}

/** States fit 16 bits: keywords have at most this many characters together. */
const MAX_STATES = 65_535

/** @throws {RangeError} when the keywords have more characters together than states fit. */
export function compileKeywords(keywords: readonly string[]): KeywordMatcher {
  const { classOf, classes } = classify(keywords)
  const states = 1 + keywords.reduce((sum, keyword) => sum + keyword.length, 0)
  if (states > MAX_STATES) throw new RangeError(`keywords have more than ${MAX_STATES} characters together`)
  const next = new Uint16Array(states * classes)
  const out: number[][] = [[]]
  for (const [index, keyword] of keywords.entries()) addKeyword(keyword, index, { next, out, classOf, classes })
  linkFailures(next, out, classes)
  const hasOut = Uint8Array.from(out, (list) => (list.length > 0 ? 1 : 0))
  return { classOf, classes, next: next.slice(0, out.length * classes), hasOut, out }
}

/** Every distinct character of the keywords is a class of its own; all others share class 0. */
function classify(keywords: readonly string[]): { classOf: Uint8Array; classes: number } {
  const classOf = new Uint8Array(128)
  let classes = 1
  for (const keyword of keywords) {
    for (const char of keyword.toLowerCase()) {
      const code = char.charCodeAt(0)
      if (classOf[code] !== 0) continue
      classOf[code] = classes
      classOf[char.toUpperCase().charCodeAt(0)] = classes
      classes += 1
    }
  }
  return { classOf, classes }
}

interface Trie {
  readonly next: Uint16Array
  readonly out: number[][]
  readonly classOf: Uint8Array
  readonly classes: number
}

function addKeyword(keyword: string, index: number, { next, out, classOf, classes }: Trie): void {
  let state = 0
  for (let at = 0; at < keyword.length; at += 1) {
    const slot = state * classes + (classOf[keyword.charCodeAt(at)] ?? 0)
    let child = next[slot] ?? 0
    if (child === 0) {
      child = out.length
      next[slot] = child
      out.push([])
    }
    state = child
  }
  out[state]?.push(index)
}

/** Breadth first: where there is no child, the child of the longest suffix that is a prefix of another keyword. */
function linkFailures(next: Uint16Array, out: number[][], classes: number): void {
  const fail = new Uint16Array(out.length)
  const queue: number[] = []
  for (let symbol = 0; symbol < classes; symbol += 1) {
    const child = next[symbol] ?? 0
    if (child !== 0) queue.push(child)
  }
  for (let head = 0; head < queue.length; head += 1) {
    const state = queue[head] ?? 0
    const suffix = fail[state] ?? 0
    out[state]?.push(...(out[suffix] ?? []))
    for (let symbol = 0; symbol < classes; symbol += 1) {
      const slot = state * classes + symbol
      const child = next[slot] ?? 0
      const onFail = next[suffix * classes + symbol] ?? 0
      if (child === 0) next[slot] = onFail
      else {
        fail[child] = onFail
        queue.push(child)
      }
    }
  }
}
