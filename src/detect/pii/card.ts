import type { Finding } from '#contract/screened.ts'
import { DIGIT, WORD, isOf } from '#detect/charset.ts'
import { isRepeated, luhn } from './checks.ts'
import type { Context } from './context.ts'

/** 19 digits (ISO/IEC 7812) with a blank or hyphen between groups of four. */
const MAX_CHARS = 24
/** Words that make one likely. */
export const CARD_CONTEXT: readonly string[] = [
  'card',
  'credit',
  'debit',
  'visa',
  'mastercard',
  'amex',
  'cc',
  'kreditkarte',
  'tarjeta',
  'carte',
  'pan',
]

/** The payment card that starts at `start` (the first digit of its run), if there is one. */
export function cardAt(text: string, start: number, context: Context): Finding | undefined {
  if (isOf(text, start - 1, WORD) || !'0123456'.includes(text[start] ?? '?')) return undefined
  let digits = ''
  let end = start
  let separator = ''
  let groups = 1
  let groupStart = start
  for (let at = start; at < text.length && at - start < MAX_CHARS; at += 1) {
    const char = text[at] ?? ''
    if (isOf(text, at, DIGIT)) {
      digits += char
      end = at + 1
    } else if (groups === 1 && digits.length >= 12) break
    else if ((char === ' ' || char === '-') && isOf(text, at + 1, DIGIT) && (separator === '' || separator === char)) {
      // Cards are printed in groups of four digits or more.
      if (at - groupStart < 4) return undefined
      separator = char
      groups += 1
      groupStart = at + 1
    } else break
  }
  if (digits.length < 12 || lengthsOf(digits)?.includes(digits.length) !== true) return undefined
  if (isOf(text, end, WORD) || (groups > 1 && groups > digits.length / 3) || isRepeated(digits) || !luhn(digits))
    return undefined
  // Twelve or thirteen digits in one go may be a time stamp or an article number.
  const isShort = digits.length < 14 && groups === 1
  const isNamed = !isShort || context.has(CARD_CONTEXT, start, end)
  const score = isNamed ? 1 : digits.startsWith('0') ? 0.3 : 0.6
  return { type: 'CREDIT_CARD', start, end, score, detector: 'card-luhn' }
}

/** Lengths that are issued under an issuer identification number (ISO/IEC 7812 register, networks' own tables). */
function lengthsOf(digits: string): readonly number[] | undefined {
  const two = Number(digits.slice(0, 2))
  const four = Number(digits.slice(0, 4))
  // Some Maestro cards begin with a zero.
  if (digits.startsWith('0')) return [12]
  if (digits.startsWith('4')) return [13, 16, 19]
  if (four === 2131 || four === 1800) return [15]
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return [16]
  if (four >= 2200 && four <= 2204) return [16, 17, 18, 19]
  if (two === 34 || two === 37) return [15]
  if (two === 36 || two === 38 || two === 39 || two === 30) return [14, 16, 19]
  if (two === 35) return [16, 17, 18, 19]
  if (two === 50 || (two >= 56 && two <= 59)) return [12, 13, 14, 15, 16, 17, 18, 19]
  if (two >= 60 && two <= 69) return [12, 13, 14, 15, 16, 17, 18, 19]
  return undefined
}
