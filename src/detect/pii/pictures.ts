import type { IdRule } from './rule.ts'

/** Classes of characters in pictures: letter, digit, any of both, then the separators. */
const LETTER = 1
const DIGIT = 2
const EITHER = 3
const SEPARATORS = ' -./:'
const SYMBOLS = 4 + SEPARATORS.length
/** States are 16-bit numbers. */
const MAX_STATES = 32_767

const classes = new Uint8Array(128)
for (let code = 0; code < 128; code += 1) {
  const char = String.fromCharCode(code)
  if (/[A-Za-z]/.test(char)) classes[code] = LETTER
  else if (/\d/.test(char)) classes[code] = DIGIT
  else if (SEPARATORS.includes(char)) classes[code] = 4 + SEPARATORS.indexOf(char)
}

/** The class of the character at `at`: 0 for anything that stands in no picture. */
export function classAt(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code < 128 ? (classes[code] ?? 0) : 0
}

/** All pictures as one automaton: `next[state * SYMBOLS + class]`, and the rules that end in a state. */
export interface Pictures {
  readonly next: Int16Array
  readonly rules: readonly (readonly IdRule[] | undefined)[]
}

/** @throws {RangeError} when the pictures need more states than 16 bits hold. */
export function compilePictures(all: readonly IdRule[]): Pictures {
  const next = new Int16Array(MAX_STATES * SYMBOLS)
  const rules: (IdRule[] | undefined)[] = [undefined, undefined]
  const follow = (state: number, char: string): number => {
    const edge = state * SYMBOLS + symbolOf(char)
    if (next[edge] !== 0) return next[edge] ?? 0
    if (rules.length === MAX_STATES) throw new RangeError(`more than ${MAX_STATES} states`)
    next[edge] = rules.length
    return rules.push(undefined) - 1
  }
  for (const rule of all) {
    for (const picture of rule.pictures) {
      let state = 1
      for (const char of picture) state = follow(state, char)
      const ending = rules[state] ?? []
      if (!ending.includes(rule)) ending.push(rule)
      rules[state] = ending
    }
  }
  return { next: next.slice(0, rules.length * SYMBOLS), rules }
}

function symbolOf(char: string): number {
  if (char === '9') return DIGIT
  if (char === 'A') return LETTER
  return char === '*' ? EITHER : 4 + SEPARATORS.indexOf(char)
}

/**
 * Calls `found` for every picture that fits from `start` and ends where a word ends. The exact pictures and those of
 * `*` are followed side by side; the walk ends when neither can go on, at the latest after the longest picture.
 */
export function walk(
  { next, rules }: Pictures,
  text: string,
  start: number,
  found: (end: number, rules: readonly IdRule[]) => void,
): void {
  let exact = 1
  let either = 1
  for (let at = start; exact + either > 0; at += 1) {
    const symbol = classAt(text, at)
    if (symbol === 0) return
    exact = next[exact * SYMBOLS + symbol] ?? 0
    either = next[either * SYMBOLS + (symbol < EITHER ? EITHER : symbol)] ?? 0
    if (symbol > EITHER || !endsHere(text, at + 1)) continue
    const own = rules[exact]
    if (own !== undefined) found(at + 1, own)
    const wild = rules[either]
    if (wild !== undefined) found(at + 1, wild)
  }
}

/** No letter, digit or `_` follows, and no separator that joins more digits on. */
function endsHere(text: string, end: number): boolean {
  const code = text.charCodeAt(end)
  if (Number.isNaN(code)) return true
  const kind = classAt(text, end)
  if (kind === LETTER || kind === DIGIT || code === 95 || isForeignLetter(code)) return false
  if (kind === 0) return true
  const beyond = classAt(text, end + 1)
  if (text[end] === '-') return beyond !== LETTER && beyond !== DIGIT
  return beyond !== DIGIT || (text[end] === ' ' && classAt(text, end - 1) === LETTER)
}

/** Whether a word can begin at `start`: not in the middle of one, nor of a longer number. */
export function beginsHere(text: string, start: number): boolean {
  const code = text.charCodeAt(start - 1)
  if (Number.isNaN(code)) return true
  const kind = classAt(text, start - 1)
  if (kind === LETTER || kind === DIGIT || code === 95 || isForeignLetter(code)) return false
  if (kind === 0) return true
  const before = classAt(text, start - 2)
  if (text[start - 1] === '-') return before !== DIGIT
  return before !== DIGIT || classAt(text, start) === LETTER
}

function isForeignLetter(code: number): boolean {
  return code >= 0xc0 && code < 0x2000 && code !== 0xd7 && code !== 0xf7
}
