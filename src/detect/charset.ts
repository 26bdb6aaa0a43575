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
export const ALPHANUMERIC = UPPER | LOWER | DIGIT
export const WORD = ALPHANUMERIC | UNDERSCORE

const table = new Uint8Array(128)
for (let code = 0; code < 128; code += 1) {
  const char = String.fromCharCode(code)
  if (char >= 'A' && char <= 'Z') table[code] = UPPER
  else if (char >= 'a' && char <= 'z') table[code] = LOWER
  else if (char >= '0' && char <= '9') table[code] = DIGIT
  else if (char === '_') table[code] = UNDERSCORE
  else if (char === '-') table[code] = HYPHEN
  else if (char === '.') table[code] = DOT
  else if ('+/='.includes(char)) table[code] = BASE64
  else if ("%~!*'$^&#".includes(char)) table[code] = MARK
}

/** Whether the character at `at` belongs to one of `classes`; false outside the text and beyond ASCII. */
export function isOf(text: string, at: number, classes: number): boolean {
  const code = text.charCodeAt(at)
  return code < 128 && ((table[code] ?? 0) & classes) !== 0
}

/** Index after the longest run of `classes` that starts at `from`, at most `max` characters on. */
export function runEnd(text: string, from: number, classes: number, max: number): number {
  const limit = Math.min(text.length, from + max)
  let at = from
  while (at < limit && isOf(text, at, classes)) at += 1
  return at
}
