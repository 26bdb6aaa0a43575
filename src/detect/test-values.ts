export const UPPER_CASE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
export const LOWER_CASE = 'abcdefghijklmnopqrstuvwxyz'
export const DIGITS = '0123456789'
export const HEXADECIMAL = '0123456789abcdef'
export const LETTERS_AND_DIGITS = `${UPPER_CASE}${LOWER_CASE}${DIGITS}`
export const BASE64_URL = `${LETTERS_AND_DIGITS}-_`

/**
 * Characters for tests that look drawn by chance and are the same in every run: key-shaped strings are made, so that
 * no file of this repository holds one.
 */
export function drawn(alphabet: string, length: number, seed = 7): string {
  let state = seed * 2_654_435_761
  let text = ''
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += alphabet[(state >>> 8) % alphabet.length] ?? ''
  }
  return text
}
