/**
 * Finds many keywords in one pass (Aho-Corasick), ASCII letters without regard to case.
 * Work is linear in the text whatever the keywords are; nothing is held between calls.
 */
export interface KeywordMatcher {
  readonly classOf: Uint8Array
  readonly next: Int32Array
  readonly classes: number
  /** For each state, the keywords (by index) that end there. */
  readonly out: readonly (readonly number[])[]
}

export function compileKeywords(keywords: readonly string[]): KeywordMatcher {
  const { classOf, classes } = classify(keywords)
  const trie = buildTrie(keywords, classOf, classes)
  const fail = new Int32Array(trie.out.length)
  const queue: number[] = []
  for (let symbol = 0; symbol < classes; symbol += 1) {
    const child = trie.next[symbol] ?? -1
    if (child > 0) queue.push(child)
    else trie.next[symbol] = 0
  }
  for (let head = 0; head < queue.length; head += 1) {
    const state = queue[head] ?? 0
    trie.out[state]?.push(...(trie.out[fail[state] ?? 0] ?? []))
    for (let symbol = 0; symbol < classes; symbol += 1) {
      const at = state * classes + symbol
      const onFail = trie.next[(fail[state] ?? 0) * classes + symbol] ?? 0
      const child = trie.next[at] ?? -1
      if (child === -1) trie.next[at] = onFail
      else {
        fail[child] = onFail
        queue.push(child)
      }
    }
  }
  return { classOf, classes, next: Int32Array.from(trie.next), out: trie.out }
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
      const upper = char.toUpperCase().charCodeAt(0)
      classOf[upper] = classes
      classes += 1
    }
  }
  return { classOf, classes }
}

function buildTrie(keywords: readonly string[], classOf: Uint8Array, classes: number) {
  const next: number[] = Array.from({ length: classes }, () => -1)
  const out: number[][] = [[]]
  for (const [index, keyword] of keywords.entries()) {
    let state = 0
    for (let at = 0; at < keyword.length; at += 1) {
      const slot = state * classes + (classOf[keyword.charCodeAt(at)] ?? 0)
      let child = next[slot] ?? -1
      if (child === -1) {
        child = out.length
        next[slot] = child
        out.push([])
        for (let symbol = 0; symbol < classes; symbol += 1) next.push(-1)
      }
      state = child
    }
    out[state]?.push(index)
  }
  return { next, out }
}
