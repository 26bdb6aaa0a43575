import type { Finding } from '#contract/screened.ts'
import {
  ALPHANUMERIC,
  BASE64,
  DIGIT,
  DOT,
  HYPHEN,
  LOWER,
  MARK,
  UNDERSCORE,
  UPPER,
  WORD,
  isOf,
  runEnd,
} from './charset.ts'

const MIN_VALUE_CHARS = 8
const MAX_VALUE_CHARS = 200
/** Between the word and its value at most this many characters: `password: str = "` is 10. */
const MAX_GAP_CHARS = 12
const VALUE = ALPHANUMERIC | UNDERSCORE | HYPHEN | DOT | BASE64 | MARK

/**
 * A credential assigned to a telling word that ends at `wordEnd`: `password=hunter2!x`, `"api_key": "..."`,
 * `Authorization: Bearer ...`. Values that look like prose, code or placeholders are left alone.
 */
export function assignment(text: string, wordEnd: number): Finding | undefined {
  const start = valueStart(text, wordEnd)
  if (start === -1) return undefined
  const end = trimmedEnd(text, start, runEnd(text, start, VALUE, MAX_VALUE_CHARS))
  const value = text.slice(start, end)
  if (value.length < MIN_VALUE_CHARS || !looksRandom(value)) return undefined
  return { type: 'SECRET', start, end, score: 0.8, detector: 'assigned-credential' }
}

/** Index of the value, or -1 when no `=`, `:` or (for `Bearer`) blank follows the word. */
function valueStart(text: string, wordEnd: number): number {
  const limit = Math.min(text.length, wordEnd + MAX_GAP_CHARS)
  let at = wordEnd
  let separated = /bearer$/i.test(text.slice(Math.max(0, wordEnd - 6), wordEnd)) && text[wordEnd] === ' '
  while (at < limit) {
    const char = text[at] ?? ''
    if (char === '=' || char === ':') separated = true
    else if (char !== ' ' && char !== '"' && char !== "'" && char !== '>' && char !== '`') break
    at += 1
  }
  return separated && isOf(text, at, VALUE) ? at : -1
}

/** A full stop or comma that ends a sentence is not part of the value. */
function trimmedEnd(text: string, start: number, end: number): number {
  let last = end
  while (last > start && isOf(text, last - 1, DOT)) last -= 1
  return last
}

/** Letters and digits mixed, or long and of three kinds: ordinary words, paths and calls are not. */
function looksRandom(value: string): boolean {
  let kinds = 0
  if (hasOf(value, DIGIT)) kinds += 1
  if (hasOf(value, UPPER)) kinds += 1
  if (hasOf(value, LOWER)) kinds += 1
  if (hasOf(value, MARK | BASE64)) kinds += 1
  if (kinds < 2 || (kinds === 2 && !hasOf(value, DIGIT) && value.length < 20)) return false
  if (/^(?:process|os|env|config|settings|self|this|your|example|changeme|xxx|\$|%)/i.test(value)) return false
  return distinct(value) >= Math.min(6, value.length / 2) && runEnd(value, 0, WORD | DOT, 200) > 0
}

function hasOf(value: string, classes: number): boolean {
  for (let at = 0; at < value.length; at += 1) if (isOf(value, at, classes)) return true
  return false
}

function distinct(value: string): number {
  return new Set(value).size
}
