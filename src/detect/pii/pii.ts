import type { Finding } from '#contract/screened.ts'
import { ALPHANUMERIC, DIGIT, LOWER, UPPER, isOf } from '#detect/charset.ts'
import { addressAt } from './address.ts'
import { CARD_CONTEXT, cardAt } from './card.ts'
import { Context } from './context.ts'
import { domainAt, urlAt } from './url.ts'
import { emailAt } from './email.ts'
import { ibanAt } from './iban.ts'
import { RULES, identifiersAt, identifiersFrom } from './identifiers.ts'
import { isoDateAt } from './date.ts'
import { IP_CONTEXT, colonRunEnd, ipv4At, ipv6At } from './ip.ts'
import { PHONE_CONTEXT, phoneAt } from './phone.ts'
import { namesIn } from './person.ts'
import { isCapital, isCaseless, isLetter, runAt } from './runs.ts'
import { type Vocabulary, compileVocabulary } from './vocabulary.ts'

let vocabulary: Vocabulary | undefined

function contextOf(text: string): Context {
  vocabulary ??= compileVocabulary([...RULES.map((rule) => rule.context), CARD_CONTEXT, IP_CONTEXT, PHONE_CONTEXT])
  return new Context(text, vocabulary)
}

const [ZERO, NINE, COLON, DOT, AT_SIGN, HYPHEN, SPACE, SLASH, PLUS, OPEN, CLOSE] = [
  48, 57, 58, 46, 64, 45, 32, 47, 43, 40, 41,
]
const MAX_WORD_CHARS = 64
/** An address has 45 characters at most; some may follow, such as dots. */
const MAX_COLON_RUN_CHARS = 64
/** A postal code has five digits: the shortest number that can be something on its own. */
const MIN_LONE_DIGITS = 5

/**
 * Personal data that has a shape: every kind that a value could be, in no order, overlaps not settled. Kinds that are
 * weak on their own are reported below 0.5. Work is linear in the text: every candidate is bounded in length.
 */
export function shapedFindings(text: string): Finding[] {
  const found: Finding[] = []
  const context = contextOf(text)
  let [runEnd, wordStart, numberEnd, colonEnd, dotEnd, urlEnd] = [-1, -1, 0, -1, -1, 0]
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code >= ZERO && code <= NINE) {
      if (at < runEnd) continue
      runEnd = digitsEnd(text, at)
      if (isLoneShortNumber(text, at, runEnd)) continue
      const first = firstOfWord(text, at)
      if (first !== wordStart) identifiersAt(text, at, context, found)
      wordStart = first
      const iban = ibanAt(text, at)
      if (iban !== undefined) {
        found.push(iban)
        numberEnd = iban.end
      } else if (at >= numberEnd && at === first) numberEnd = numbersAt(text, at, context, found)
    } else if (code === AT_SIGN) keep(emailAt(text, at), found)
    else if (code === COLON) {
      if (text.startsWith('://', at)) {
        const url = at < urlEnd ? undefined : urlAt(text, at)
        keep(url, found)
        urlEnd = url?.end ?? urlEnd
      } else if (at > colonEnd) colonEnd = colonAt(text, at, context, found)
    } else if (code === DOT && at > dotEnd && at !== runEnd) {
      const domain = domainAt(text, at)
      keep(domain, found)
      dotEnd = domain === undefined ? labelsEnd(text, at) : domain.end
    } else if (code === HYPHEN && text.charCodeAt(at + 3) === HYPHEN && text.charCodeAt(at + 6) === HYPHEN)
      identifiersFrom(text, at - 2, context, found)
  }
  return found
}

/** What a run of digits is beside identifiers; returns where the next look is worth while. */
function numbersAt(text: string, at: number, context: Context, found: Finding[]): number {
  const number = ipv4At(text, at) ?? isoDateAt(text, at) ?? cardAt(text, at, context)
  if (number !== undefined) {
    found.push(number)
    return number.end
  }
  const phone = phoneAt(text, at, context)
  keep(phone, found)
  return phone === undefined || phone.score < 0.5 ? at + 1 : phone.end
}

/** An IPv6 address or a hardware address; returns the end of the run of colons that needs no second look. */
function colonAt(text: string, at: number, context: Context, found: Finding[]): number {
  const second = text.indexOf(':', at + 1)
  if (second === -1) return text.length
  if (second - at > 5) return at
  // More than an address could be: nothing of the run is one.
  const end = colonRunEnd(text, at)
  if (end - at > MAX_COLON_RUN_CHARS) return end
  const address = ipv6At(text, at, context)
  keep(address, found)
  if (address !== undefined) return address.end
  if (second - at === 3 && text[at + 6] === ':') identifiersFrom(text, at - 2, context, found)
  return at
}

function labelsEnd(text: string, dot: number): number {
  const limit = Math.min(text.length, dot + 64)
  let end = dot + 1
  while (end < limit && /[A-Za-z0-9.-]/.test(text[end] ?? ' ')) end += 1
  return end - 1
}

function firstOfWord(text: string, digit: number): number {
  let start = digit
  while (start > 0 && digit - start < MAX_WORD_CHARS && isOf(text, start - 1, ALPHANUMERIC)) start -= 1
  return start
}

function digitsEnd(text: string, from: number): number {
  let end = from + 1
  while (isOf(text, end, DIGIT)) end += 1
  return end
}

/** Most numbers of data and prose: few digits, and neither letters nor a separator that could join it to more. */
function isLoneShortNumber(text: string, start: number, end: number): boolean {
  if (end - start >= MIN_LONE_DIGITS) return false
  const before = text.charCodeAt(start - 1)
  const after = text.charCodeAt(end)
  const isJoinedBefore =
    isOf(text, start - 1, ALPHANUMERIC) || (isJoint(before) && isOf(text, start - 2, UPPER | LOWER))
  return (
    !isJoinedBefore &&
    !(before === PLUS || before === OPEN) &&
    !isOf(text, end, ALPHANUMERIC) &&
    !isJoined(text, end, after)
  )
}

function isJoined(text: string, end: number, after: number): boolean {
  if (after === CLOSE) return true
  return (
    (isJoint(after) || after === COLON || after === SLASH) &&
    (isOf(text, end + 1, ALPHANUMERIC) || text[end + 1] === '(' || text[end + 1] === ':')
  )
}

function isJoint(code: number): boolean {
  return code === SPACE || code === HYPHEN || code === DOT
}

/**
 * Persons, places, organisations and postal addresses: every run of capitalised words, or of known names where a text
 * has no capitals at all.
 */
export function namesAndPlaces(text: string): Finding[] {
  const found: Finding[] = []
  const caseless = isCaseless(text)
  for (let at = 0; at < text.length; at += 1) {
    if (!isNameStart(text, at, caseless)) continue
    const run = runAt(text, at, caseless)
    if (run === undefined) {
      if (caseless) while (isLetter(text.charCodeAt(at + 1))) at += 1
      continue
    }
    const address = addressAt(text, run)
    keep(address, found)
    namesIn(text, run, found)
    at = Math.max(run.end, address?.end ?? 0) - 1
  }
  return found
}

/** A capital that begins a word of prose, not a part of an identifier, a path or an address. */
function isNameStart(text: string, at: number, caseless: boolean): boolean {
  if (caseless ? !isLetter(text.charCodeAt(at)) : !isCapital(text, at)) return false
  const before = text.charCodeAt(at - 1)
  return !isLetter(before) && !isOf(text, at - 1, DIGIT) && !'_.@#$/\\&%'.includes(text[at - 1] ?? ' ')
}

function keep(finding: Finding | undefined, found: Finding[]): void {
  if (finding !== undefined) found.push(finding)
}
