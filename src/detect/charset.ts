/** Character classes as bits in one table: a run of characters is matched without a regular expression. */
export const UPPER = 1
export const LOWER = 2
export const DIGIT = 4
export const UNDERSCORE = 8
export const HYPHEN = 16
export const DOT = 32
/** `+ / =`, which Base64 adds to letters and digits. */
export const BASE64 = 64
/** `% ~ ! * ' $ ^ & #`: further characters that stand in the local part of an address or in passwords. */
export const MARK = 128
/** `0-9 a-f`. */
export const HEX_LOWER = 256
/** `0-9 A-F`. */
export const HEX_UPPER = 512
/** `=` alone. */
export const EQUALS = 1024
/** `% ~` alone. */
export const PERCENT = 2048
/** Blank, tab, line feed, carriage return. */
export const BLANK = 4096
/** Straight quotes and the backtick. */
export const QUOTE = 8192
export const ALPHANUMERIC = UPPER | LOWER | DIGIT
export const WORD = ALPHANUMERIC | UNDERSCORE
export const BASE64URL = WORD | HYPHEN
export const HEX = HEX_LOWER | HEX_UPPER

/** The classes of each ASCII character, for loops that read every character of a text. */
export const CLASSES = new Uint16Array(128)
for (let code = 0; code < 128; code += 1) {
  const char = String.fromCharCode(code)
  let bits = 0
  if (char >= 'A' && char <= 'Z') bits |= UPPER
  if (char >= 'a' && char <= 'z') bits |= LOWER
  if (char >= '0' && char <= '9') bits |= DIGIT | HEX
  if (char >= 'a' && char <= 'f') bits |= HEX_LOWER
  if (char >= 'A' && char <= 'F') bits |= HEX_UPPER
  if (char === '_') bits |= UNDERSCORE
  if (char === '-') bits |= HYPHEN
  if (char === '.') bits |= DOT
  if ('+/='.includes(char)) bits |= BASE64
  if (char === '=') bits |= EQUALS
  if ("%~!*'$^&#".includes(char)) bits |= MARK
  if ('%~'.includes(char)) bits |= PERCENT
  if (' \t\n\r'.includes(char)) bits |= BLANK
  if ('"\'`'.includes(char)) bits |= QUOTE
  CLASSES[code] = bits
}

/** Whether the character at `at` belongs to one of `classes`; false outside the text and beyond ASCII. */
export function isOf(text: string, at: number, classes: number): boolean {
  const code = text.charCodeAt(at)
  return code < 128 && ((CLASSES[code] ?? 0) & classes) !== 0
}

/** Index after the longest run of `classes` that starts at `from`, at most `max` characters on. */
export function runEnd(text: string, from: number, classes: number, max: number): number {
  const limit = Math.min(text.length, from + max)
  let at = from
  while (at < limit && isOf(text, at, classes)) at += 1
  return at
}

/** Index of the first character of the run of `classes` that ends before `to`, at most `max` characters back. */
export function runStart(text: string, to: number, classes: number, max: number): number {
  const limit = Math.max(0, to - max)
  let at = to
  while (at > limit && isOf(text, at - 1, classes)) at -= 1
  return at
}

/** Which characters were seen, by the number of the call: nothing has to be cleared in between. */
const seenIn = new Uint32Array(128)
let calls = 0

/** How many different ASCII characters there are from `start` to `end`; all others count as one. */
export function distinctIn(text: string, start: number, end: number): number {
  calls = (calls + 1) >>> 0
  let count = 0
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at)
    const slot = code < 128 ? code : 127
    if (seenIn[slot] === calls) continue
    seenIn[slot] = calls
    count += 1
  }
  return count
}
