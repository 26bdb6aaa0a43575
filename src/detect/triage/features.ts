/** Which pieces of a text are counted. */
export interface FeatureForm {
  /** Size of the table that pieces are hashed into, as a power of two. */
  readonly bits: number
  /** Parts of words, of three and four letters, beside words and pairs of them: twice as good on toxicity, six times the cost. */
  readonly parts: boolean
}

/**
 * What a sum over features is divided by. Texts of a few words say little, so they count as longer than they are.
 */
export function normOf(features: number): number {
  return Math.sqrt(Math.max(features, LEAST_FEATURES))
}

const LEAST_FEATURES = 40
/** Characters that are looked at as one; a longer text is looked at in windows. */
export const WINDOW_CHARS = 4000
const MAX_WORD_CHARS = 40

/** The places of a text's words, pairs of words and, where asked for, parts of words, each once. */
export function featuresOf(text: string, { bits, parts }: FeatureForm): Set<number> {
  const mask = (1 << bits) - 1
  const found = new Set<number>()
  const lower = text.toLowerCase()
  let before = BEGIN
  for (let at = 0; at < lower.length;) {
    const code = lower.charCodeAt(at)
    if (isBlank(code)) {
      at += 1
      continue
    }
    const end = isLetter(code) ? wordEnd(lower, at) : at + 1
    const word = hashOf(lower, at, end, WORD)
    found.add(finish(word) & mask)
    found.add(finish(Math.imul(before ^ PAIR, PRIME) ^ word) & mask)
    if (parts && end - at > 2) partsOf(lower, at, end, mask, found)
    before = word
    at = end
  }
  return found
}

const PRIME = 0x01000193
const BEGIN = 0x1234567
const WORD = 1
const PAIR = 2

function partsOf(text: string, start: number, end: number, mask: number, found: Set<number>): void {
  for (let size = 3; size <= 4; size += 1)
    for (let at = start; at + size <= end; at += 1) found.add(finish(hashOf(text, at, at + size, 8 + size)) & mask)
}

function hashOf(text: string, start: number, end: number, seed: number): number {
  let hash = seed
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), PRIME)
  return hash
}

/** Spreads what differs in the high bits over the low ones. */
function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 15)
  mixed = Math.imul(mixed, 0x2c1b3c6d)
  return (mixed ^ (mixed >>> 12)) >>> 0
}

function wordEnd(text: string, start: number): number {
  const limit = Math.min(text.length, start + MAX_WORD_CHARS)
  let at = start
  while (at < limit && isLetter(text.charCodeAt(at))) at += 1
  return at
}

/** Letters, digits, the apostrophe, and everything beyond ASCII. */
function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 39 || code > 127
}

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}
