import { ALPHANUMERIC, BASE64, CLASSES, HEX, HYPHEN, UNDERSCORE, isOf } from '#detect/charset.ts'
import { MIN_ENCODED_CHARS, mayBeEncoded } from './encoded.ts'

/** A stretch of a text. */
export interface Stretch {
  readonly start: number
  readonly end: number
}

/** Where a text may hide something, seen in one pass. */
export interface Survey {
  /** Runs that may be hexadecimal or Base64. */
  readonly encoded: readonly Stretch[]
  /** Letters one by one with a blank between. */
  readonly spaced: readonly Stretch[]
  /** Line breaks with a character right before and right behind. */
  readonly breaks: readonly number[]
  readonly hasEscapes: boolean
}

/** Characters that stand one by one before it counts as a disguise: `a b c d` is a list. */
const MIN_SPACED_CHARS = 9
const ENCODED = ALPHANUMERIC | BASE64 | HYPHEN | UNDERSCORE
const BLANK = 32
const LINE_FEED = 10
const NUMBER_SIGN = 35
const PERCENT = 37
const AMPERSAND = 38
const BACKSLASH = 92
const LOWER_U = 117
const LOWER_X = 120

/** One pass over the text: runs end at anything that is not of an encoding, everything else is seen at such an end. */
export function survey(text: string): Survey {
  const encoded: Stretch[] = []
  const breaks: number[] = []
  const singles = new SingleLetters(text)
  let hasEscapes = false
  let runAt = 0
  // The end ends a run too; it is looked at outside of the loop, where reading it would give no number.
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 128 && ((CLASSES[code] ?? 0) & ENCODED) !== 0) continue
    if (at - runAt >= MIN_ENCODED_CHARS) keepRun(text, runAt, at, encoded)
    runAt = at + 1
    if (code === BLANK) {
      if (hasBlankNear(text, at)) singles.blank(at)
    } else if (code === PERCENT || code === AMPERSAND || code === BACKSLASH) hasEscapes ||= mayEscape(text, at, code)
    else if (code === LINE_FEED && text.charCodeAt(at - 1) > BLANK && text.charCodeAt(at + 1) > BLANK) breaks.push(at)
  }
  if (text.length - runAt >= MIN_ENCODED_CHARS) keepRun(text, runAt, text.length, encoded)
  return { encoded, spaced: singles.stretches(), breaks, hasEscapes }
}

/** `name=value` is one run: what counts stands behind the last `=` that is no padding. */
function keepRun(text: string, start: number, end: number, encoded: Stretch[]): void {
  let last = end
  while (last > start && text[last - 1] === '=') last -= 1
  let from = last
  while (from > start && text[from - 1] !== '=') from -= 1
  if (end - from >= MIN_ENCODED_CHARS && mayBeEncoded(text, from, end)) encoded.push({ start: from, end })
}

/** Most blanks stand between words: only near another one are they looked at. */
function hasBlankNear(text: string, at: number): boolean {
  return text.charCodeAt(at - 2) === BLANK || text.charCodeAt(at + 2) === BLANK || text.charCodeAt(at - 1) === BLANK
}

/** Finds characters that stand one by one, from where the blanks are. */
class SingleLetters {
  readonly #text: string
  readonly #found: Stretch[] = []
  #last = -3
  #start = 0
  #count = 0

  constructor(text: string) {
    this.#text = text
  }

  blank(at: number): void {
    const distance = at - this.#last
    if (distance === 2) {
      if (this.#count === 0)
        this.#start = isOf(this.#text, this.#last - 2, ALPHANUMERIC) ? this.#last + 1 : Math.max(0, this.#last - 1)
      this.#count += 1
    } else if (distance > 2) this.#close()
    this.#last = at
  }

  stretches(): readonly Stretch[] {
    this.#close()
    return this.#found
  }

  #close(): void {
    if (this.#count >= MIN_SPACED_CHARS) {
      const isWordBehind = isOf(this.#text, this.#last + 2, ENCODED)
      this.#found.push({ start: this.#start, end: Math.min(this.#text.length, this.#last + (isWordBehind ? 0 : 2)) })
    }
    this.#count = 0
  }
}

function mayEscape(text: string, at: number, code: number): boolean {
  if (code === PERCENT) return isOf(text, at + 1, HEX) && isOf(text, at + 2, HEX)
  const next = text.charCodeAt(at + 1)
  if (code === BACKSLASH) return next === LOWER_U || next === LOWER_X
  return next === NUMBER_SIGN || isOf(text, at + 1, ALPHANUMERIC)
}
