import { isIPv6 } from 'node:net'
import type { Finding } from '#contract/screened.ts'
import { ALPHANUMERIC, DIGIT, UPPER, WORD, isOf, runEnd } from './charset.ts'

/** The longest number-like thing that is looked at: an IBAN with blanks has 42 characters. */
const MAX_CHARS = 42

/**
 * What the number that starts at `start` (a digit, not preceded by one) is: card, social security number,
 * IP address, phone number or IBAN. Undefined when it is none of them.
 */
export function numberAt(text: string, start: number): Finding | undefined {
  return iban(text, start) ?? ipv4(text, start) ?? ssn(text, start) ?? card(text, start) ?? phone(text, start)
}

interface Run {
  readonly digits: string
  readonly end: number
}

/** Digits with at most two separators between them; empty when there are more than `maxDigits`. */
function digitRun(text: string, start: number, separators: string, maxDigits: number): Run {
  let digits = ''
  let end = start
  const limit = Math.min(text.length, start + MAX_CHARS)
  for (let at = start; at < limit && at - end <= 2; at += 1) {
    if (isOf(text, at, DIGIT)) {
      if (digits.length === maxDigits) return { digits: '', end: start }
      digits += text[at]
      end = at + 1
    } else if (!separators.includes(text[at] ?? '?')) break
  }
  return { digits, end }
}

/** Lengths that card networks issue, by the first digit (ISO/IEC 7812 issuer ranges). */
const CARD_LENGTHS: Readonly<Record<string, readonly number[]>> = {
  '2': [16],
  '3': [14, 15, 16],
  '4': [13, 16, 19],
  '5': [16],
  '6': [16, 17, 18, 19],
}

function card(text: string, start: number): Finding | undefined {
  if (isOf(text, start - 1, WORD) || !'23456'.includes(text[start] ?? '')) return undefined
  const { digits, end } = digitRun(text, start, ' -', 19)
  if (CARD_LENGTHS[digits[0] ?? '']?.includes(digits.length) !== true || isOf(text, end, WORD) || !luhn(digits))
    return undefined
  return { type: 'CREDIT_CARD', start, end, score: 1, detector: 'card-luhn' }
}

/** The check digit of ISO/IEC 7812-1. */
function luhn(digits: string): boolean {
  let sum = 0
  for (let at = 0; at < digits.length; at += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 48
    const doubled = at % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0 && !/^(\d)\1+$/.test(digits)
}

/** `123-45-6789`; areas 000, 666 and 900 up were never issued (SSA, "Social Security Number Randomization"). */
function ssn(text: string, start: number): Finding | undefined {
  if (text[start + 3] !== '-' || text[start + 6] !== '-' || isOf(text, start - 1, WORD)) return undefined
  const parts = /^(\d{3})-(\d{2})-(\d{4})$/.exec(text.slice(start, start + 11))
  if (parts === null || isOf(text, start + 11, ALPHANUMERIC) || text[start + 11] === '-') return undefined
  const area = Number(parts[1])
  if (area === 0 || area === 666 || area >= 900 || parts[2] === '00' || parts[3] === '0000') return undefined
  return { type: 'US_SSN', start, end: start + 11, score: 0.95, detector: 'us-ssn' }
}

function ipv4(text: string, start: number): Finding | undefined {
  if (isOf(text, start - 1, WORD) || text[start - 1] === '.') return undefined
  let at = start
  for (let octet = 0; octet < 4; octet += 1) {
    const end = runEnd(text, at, DIGIT, 4)
    if (end === at || end - at > 3 || Number(text.slice(at, end)) > 255) return undefined
    if (octet < 3 && text[end] !== '.') return undefined
    at = octet < 3 ? end + 1 : end
  }
  if (isOf(text, at, WORD) || (text[at] === '.' && isOf(text, at + 1, DIGIT))) return undefined
  return { type: 'IP_ADDRESS', start, end: at, score: 0.95, detector: 'ipv4' }
}

/** An IPv6 address around the colon at `colon`, if there is one. */
export function ipv6At(text: string, colon: number): Finding | undefined {
  let start = colon
  while (start > 0 && colon - start < 39 && /[0-9a-fA-F:.]/.test(text[start - 1] ?? '')) start -= 1
  let end = colon
  while (end < text.length && end - start < 45 && /[0-9a-fA-F:.]/.test(text[end] ?? '')) end += 1
  while (end > start && text[end - 1] === '.') end -= 1
  if (isOf(text, start - 1, WORD) || isOf(text, end, WORD)) return undefined
  const candidate = text.slice(start, end)
  if (candidate.length < 6 || !isIPv6(candidate)) return undefined
  return { type: 'IP_ADDRESS', start, end, score: 0.95, detector: 'ipv6' }
}

/** Two letters, two check digits, up to 30 more characters; the rest modulo 97 is 1 (ISO 13616). */
function iban(text: string, digitStart: number): Finding | undefined {
  const start = digitStart - 2
  if (start < 0 || !isOf(text, start, UPPER) || !isOf(text, start + 1, UPPER) || isOf(text, start - 1, WORD))
    return undefined
  let compact = ''
  for (let at = start; at < Math.min(text.length, start + MAX_CHARS); at += 1) {
    if (isOf(text, at, UPPER | DIGIT)) compact += text[at]
    else if (text[at] !== ' ' || !isOf(text, at + 1, UPPER | DIGIT)) break
    const end = at + 1
    if (compact.length >= 15 && compact.length <= 34 && !isOf(text, end, ALPHANUMERIC) && mod97(compact)) {
      return { type: 'IBAN_CODE', start, end, score: 1, detector: 'iban-mod97' }
    }
  }
  return undefined
}

function mod97(code: string): boolean {
  let rest = 0
  for (const char of code.slice(4) + code.slice(0, 4)) {
    const value = char <= '9' ? Number(char) : char.charCodeAt(0) - 55
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

/** `+` and 8 to 15 digits (E.164), or the North American `(555) 010-4477`, `555-010-4477`, `555.010.4477`. */
function phone(text: string, start: number): Finding | undefined {
  if (text[start - 1] === '+' && !isOf(text, start - 2, WORD)) {
    const { digits, end } = digitRun(text, start, ' -.()', 15)
    if (digits.length < 8 || isOf(text, end, WORD)) return undefined
    return { type: 'PHONE_NUMBER', start: start - 1, end, score: 0.9, detector: 'phone-e164' }
  }
  const open = text[start - 1] === '(' ? start - 1 : start
  if (isOf(text, open - 1, WORD) || text[open - 1] === '-' || text[open - 1] === '.') return undefined
  const shape = /^(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}/.exec(text.slice(open, open + 18))
  if (shape === null) return undefined
  const end = open + shape[0].length
  if (isOf(text, end, WORD) || (text[end] === '-' && isOf(text, end + 1, DIGIT))) return undefined
  return { type: 'PHONE_NUMBER', start: open, end, score: 0.8, detector: 'phone-nanp' }
}
