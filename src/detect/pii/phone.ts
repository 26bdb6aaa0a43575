import type { Finding } from '#contract/screened.ts'
import { ALPHANUMERIC, DIGIT, WORD, isOf } from '#detect/charset.ts'
import type { Context } from './context.ts'

/** E.164: at most 15 digits; with separators, a trunk zero in parentheses and an extension. */
const MAX_DIGITS = 15
const MAX_CHARS = 28

/** Country calling codes (ITU-T E.164, list of assigned codes); the first digits decide how many there are. */
const CALLING_CODE =
  /^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-69]\d|3[578]\d|42[013]|50\d|59\d|6[789]\d|800|85\d|87\d|88[0-3678]|96\d|97\d|99\d)/

/** Words that make one likely. */
export const PHONE_CONTEXT: readonly string[] =
  'phone telephone tel call called calling mobile cell cellphone fax office home reach dial whatsapp sms telefon handy mobil anrufen telefono teléfono móvil celular téléphone portable cellulare answering hotline ring contact phones cep voicemail'.split(
    ' ',
  )

interface Candidate {
  readonly start: number
  readonly end: number
  readonly digits: string
  /** Lengths of the groups of digits, as in `3-3-4`. */
  readonly shape: string
  readonly isPlus: boolean
  readonly hasParentheses: boolean
  readonly separators: string
}

/** The phone number that starts at the digit `digit`, or at the `+` or `(` before it, if there is one. */
export function phoneAt(text: string, digit: number, context: Context): Finding | undefined {
  const candidate = collect(text, digit)
  if (candidate === undefined) return undefined
  const { start, end } = candidate
  let score = shapeScore(candidate)
  if (score === 0 || (!candidate.isPlus && continues(text, candidate))) return undefined
  if (score < 0.9 && context.has(PHONE_CONTEXT, start, end)) score = Math.min(0.95, score + 0.4)
  else if (score < 0.6 && score >= 0.2 && context.isBare(start, end)) score = score < 0.4 ? 0.51 : 0.6
  if (score < 0.3) return undefined
  return { type: typeOf(candidate), start, end, score, detector: candidate.isPlus ? 'phone-e164' : 'phone-national' }
}

function collect(text: string, digit: number): Candidate | undefined {
  let start = digit
  if (text[start - 1] === '(') start -= 1
  const isPlus = text[start - 1] === '+'
  if (isPlus) start -= 1
  if (isOf(text, start - 1, WORD) || joins(text, start - 1, -1)) return undefined
  let [digits, shape, separators] = ['', '', '']
  let group = 0
  let end = digit
  let open = text[digit - 1] === '(' ? 1 : 0
  // An area code, alone or behind a country code or a trunk zero.
  const hasParentheses = open === 1 || /^(?:\d{1,2} ?|0\d{0,3} ?)\(/.test(text.slice(digit, digit + 8))
  for (let at = digit; at < text.length && at - start < MAX_CHARS; at += 1) {
    const char = text[at] ?? ''
    if (isOf(text, at, DIGIT)) {
      digits += char
      group += 1
      end = at + 1
      continue
    }
    if (!' -./()'.includes(char) || at - end >= 2) break
    if (char === '(') open += 1
    if (char === ')' && (open -= 1) < 0) break
    // Two numbers with a blank between them are two numbers.
    if (group > 0) {
      if (char === ' ' && digits.length >= 10 && group >= 4) break
      if (group === 1 && shape.endsWith('1 ') && !isPlus) return undefined
      shape += `${group} `
      group = 0
    }
    separators += char
  }
  if (group > 0) shape += group
  if (digits.length > MAX_DIGITS || digits.length < (shape === '2 2 2' ? 6 : 7)) return undefined
  end = extensionEnd(text, end)
  if (isOf(text, end, WORD) || joins(text, end, 1)) return undefined
  return { start, end, digits, shape: shape.trim(), isPlus, hasParentheses, separators: separators.trim() }
}

/** A separator at `at` with a digit beyond it makes this a part of something longer. */
function joins(text: string, at: number, step: 1 | -1): boolean {
  const char = text[at]
  if (char === undefined || !'-./:+=#$€£'.includes(char)) return false
  if ('$€£#'.includes(char)) return true
  return char === '=' ? false : isOf(text, at + step, char === '-' ? ALPHANUMERIC : DIGIT)
}

/** Digits and a blank before it: the rest of a longer number, unless its own separators hold it together. */
function continues(text: string, { start, separators }: Candidate): boolean {
  return text[start - 1] === ' ' && isOf(text, start - 2, DIGIT) && separators === ''
}

/** `x1234`, ` ext. 12`, `ext12`. */
function extensionEnd(text: string, end: number): number {
  const extension = /^ ?(?:x|ext\.?|extension)\.? ?\d{1,6}(?!\w)/i.exec(text.slice(end, end + 18))
  return extension === null ? end : end + extension[0].length
}

const NANP = /^1?[2-9]\d\d[2-9]\d{6}$/

function shapeScore({ digits, shape, isPlus, hasParentheses, separators }: Candidate): number {
  if (isPlus) return internationalScore(digits)
  if (/^00[1-9]/.test(digits) && digits.length >= 10 && shape.includes(' '))
    return internationalScore(digits.slice(2)) - 0.2
  if (/^(?:00?1 |1 )?3 3 4$/.test(shape)) {
    if (!NANP.test(digits.replace(/^00?(?=1)/, ''))) return 0.3
    return separators === '' ? 0.6 : 0.8
  }
  if (/^(?:00?1 |1 )?3 7$|^6 4$|^3 3 2 2$/.test(shape)) return NANP.test(digits) || shape === '3 3 2 2' ? 0.4 : 0.2
  // Six digits in pairs, or a postal code with its extension: only where a word says so.
  if (/^2 2 2$|^5 [34]$/.test(shape)) return 0.1
  if (isDateLike(shape)) return 0
  const groups = shape.split(' ').length
  if (groups === 1) return plainScore(digits)
  if (digits.length > 12 || groups > 6 || /\b1\b.*\b1\b/.test(shape)) return 0
  if (hasParentheses) return digits.length >= 7 ? 0.5 : 0
  if (/^0[1-9]/.test(digits) && digits.length >= 9 && (groups > 2 || separators !== '')) return 0.5
  return separators.includes('.') && groups < 4 ? 0.1 : 0.2
}

function plainScore(digits: string): number {
  if (/^0[1-9]\d{8,9}$/.test(digits)) return /^0(?:9\d|5[0-5])\d{8}$/.test(digits) ? 0.45 : 0.25
  return digits.length === 10 && NANP.test(digits) ? 0.25 : digits.length <= 12 ? 0.11 : 0
}

/** A code that is assigned, and seven digits or more after it. */
function internationalScore(digits: string): number {
  const code = CALLING_CODE.exec(digits)
  if (code === null) return 0
  const rest = digits.length - code[0].length
  if (code[0] === '1') return rest === 10 && NANP.test(digits) ? 0.95 : rest === 10 ? 0.7 : 0
  return rest >= 6 && rest <= 12 ? 0.9 : 0
}

function isDateLike(shape: string): boolean {
  return /^(?:[12] [12] (?:2|4)|4 [12] [12])$/.test(shape)
}

/** Presidio has types of their own for the Philippines and Turkey; all others are `PHONE_NUMBER`. */
function typeOf({ digits, shape, isPlus }: Candidate): string {
  const national = isPlus ? digits.replace(/^(?:63|90)/, '0') : digits
  const isPhilippine = isPlus
    ? digits.startsWith('639') && digits.length === 12
    : /^09\d{9}$/.test(digits) && shape !== '3 4 4'
  if (isPhilippine && /^09\d{9}$/.test(national)) return 'PH_MOBILE_NUMBER'
  const isTurkish = isPlus ? digits.startsWith('90') : /^0[2-5]/.test(digits) || shape === '3 3 2 2'
  if (
    isTurkish &&
    (/^0(?:5[0-5]\d|[2-4][1-8][2468])\d{7}$/.test(national) || (shape === '3 3 2 2' && digits.length === 10))
  )
    return isPlus || digits.startsWith('05') || shape.endsWith('2 2') ? 'TR_PHONE_NUMBER' : 'PHONE_NUMBER'
  return 'PHONE_NUMBER'
}
