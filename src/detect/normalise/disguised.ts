import type { Finding } from '#contract/screened.ts'
import { ALPHANUMERIC, BASE64, BLANK, DIGIT, HYPHEN, UNDERSCORE, isOf, runEnd } from '#detect/charset.ts'
import { wordLikeness } from '#detect/assignment/letters.ts'
import { decodedRun } from './encoded.ts'
import { unescaped } from './escapes.ts'
import { fold, isBeyondAscii, taggedText } from './fold.ts'
import { type Stretch, survey } from './survey.ts'
import { type View, originOf } from './view.ts'

/** Finds in a text as it is. */
export type Detector = (text: string) => readonly Finding[]

/**
 * Text around what was decoded that is shown to the detector with it: names of credentials and words such as `card`
 * stand before the value.
 */
const BEFORE_CHARS = 64
const AFTER_CHARS = 32
/** Hidden characters fewer than this say nothing. */
const MIN_TAGGED_CHARS = 6
/** Encodings within encodings that are undone. */
const MAX_DEPTH = 3
/** What all views of a text may have together, in multiples of its length: the work stays linear. */
const VIEWS_PER_TEXT = 2
const VIEWS_AT_LEAST = 4096

/** Findings of kinds that go by words and alphabets are taken from the text as it stands only. */
const BY_WORDS = new Set(['PERSON', 'LOCATION', 'ADDRESS', 'ORGANIZATION', 'NRP', 'DATE_TIME', 'AGE', 'TITLE', 'ZIP'])

/**
 * What `detect` finds in `text` only once a disguise is taken off: look-alikes and unseen characters, escapes,
 * Base64 and hexadecimal, letters with blanks between, values broken over two lines. A finding covers the whole
 * disguised stretch of the original.
 */
export function disguisedFindings(text: string, detect: Detector): Finding[] {
  const budget = { left: VIEWS_AT_LEAST + VIEWS_PER_TEXT * text.length }
  return lookThrough(text, detect, budget, 0)
}

interface Budget {
  left: number
}

function lookThrough(text: string, detect: Detector, budget: Budget, depth: number): Finding[] {
  const found: Finding[] = []
  if (depth === 0 && isBeyondAscii(text)) {
    for (const view of [fold(text), taggedText(text, MIN_TAGGED_CHARS)])
      if (view !== undefined) inView(view, detect, budget, depth, found)
  }
  const { encoded, spaced, breaks, hasEscapes } = survey(text)
  if (hasEscapes) {
    const view = unescaped(text)
    if (view !== undefined) inView(view, detect, budget, depth, found)
  }
  for (const stretch of encoded) {
    const decoded = decodedRun(text, stretch.start, stretch.end)
    if (decoded !== undefined) inPlaceOf(text, stretch, decoded, detect, budget, depth, found)
  }
  for (const stretch of spaced) inPlaceOf(text, stretch, closedUp(text, stretch), detect, budget, depth, found)
  for (const at of breaks) acrossBreak(text, at, detect, budget, found)
  return found
}

/** Scans a view of the whole text, and what is disguised in it. */
function inView(view: View, detect: Detector, budget: Budget, depth: number, found: Finding[]): void {
  if (!afford(budget, view.text.length)) return
  const inside = depth + 1 < MAX_DEPTH ? lookThrough(view.text, detect, budget, depth + 1) : []
  for (const finding of [...detect(view.text), ...inside]) {
    if (BY_WORDS.has(finding.type)) continue
    const [start, end] = originOf(view, finding.start, finding.end)
    found.push({ ...finding, start, end })
  }
}

/** Scans `instead` in the place of a stretch, with what stands around it; a finding in it covers the stretch. */
function inPlaceOf(
  text: string,
  { start, end }: Stretch,
  instead: string,
  detect: Detector,
  budget: Budget,
  depth: number,
  found: Finding[],
): void {
  const before = text.slice(Math.max(0, start - BEFORE_CHARS), start)
  const shown = before + instead + text.slice(end, end + AFTER_CHARS)
  if (!afford(budget, shown.length)) return
  const inside = depth + 1 < MAX_DEPTH ? lookThrough(instead, detect, budget, depth + 1) : []
  const isInside = (finding: Finding): boolean =>
    finding.end > before.length && finding.start < before.length + instead.length
  const best = [...detect(shown).filter(isInside), ...inside].filter(({ type }) => !BY_WORDS.has(type))
  for (const finding of best) found.push({ ...finding, start, end })
}

/** Letters one by one without the blanks between them; three blanks were one. */
function closedUp(text: string, { start, end }: Stretch): string {
  let closed = ''
  for (let at = start; at < end; at += 1) {
    if (text[at] !== ' ') closed += text[at]
    else if (text[at + 1] === ' ' && closed.at(-1) !== ' ') closed += ' '
  }
  return closed
}

const PIECE = ALPHANUMERIC | BASE64 | HYPHEN | UNDERSCORE
const PIECE_CHARS = 96

/** A value that goes on in the next line: looked for where the pieces on both sides have the look of one. */
function acrossBreak(text: string, at: number, detect: Detector, budget: Budget, found: Finding[]): void {
  const left = pieceStart(text, at)
  const right = pieceEnd(text, at + 1)
  if (!isSplit(text, left, at, right)) return
  const from = Math.max(0, left - BEFORE_CHARS)
  const to = Math.min(text.length, right + AFTER_CHARS)
  if (!afford(budget, to - from)) return
  const joined = text.slice(from, at) + text.slice(at + 1, to)
  for (const finding of detect(joined)) {
    if (BY_WORDS.has(finding.type)) continue
    const start = finding.start + from
    const end = finding.end + from + 1
    if (start < at && end > at + 1) found.push({ ...finding, start, end })
  }
}

function pieceStart(text: string, at: number): number {
  let start = at
  while (start > 0 && at - start < PIECE_CHARS && !isOf(text, start - 1, BLANK)) start -= 1
  return start
}

function pieceEnd(text: string, from: number): number {
  let end = from
  while (end < text.length && end - from < PIECE_CHARS && !isOf(text, end, BLANK)) end += 1
  return end
}

/** Digits, an `@`, or a long run meet at the break; columns of numbers and ordinary prose do not count. */
function isSplit(text: string, left: number, at: number, right: number): boolean {
  if (!isOf(text, at - 1, PIECE | 32) && text[at - 1] !== '@') return false
  if (!isOf(text, at + 1, PIECE | 32) && text[at + 1] !== '@') return false
  let digits = 0
  let hasAt = false
  for (let index = left; index < right; index += 1) {
    if (isOf(text, index, DIGIT)) digits += 1
    else if (text[index] === '@') hasAt = true
  }
  if (hasAt) return true
  if (digits < 4 && !isLongAndDrawn(text.slice(left, at) + text.slice(at + 1, right), digits)) return false
  const isColumn =
    runEnd(text, left, DIGIT, at - left) === at &&
    runEnd(text, at + 1, DIGIT, right - at - 1) === right &&
    at - left === right - at - 1 &&
    (left === 0 || text[left - 1] === '\n')
  return !isColumn
}

function isLongAndDrawn(joined: string, digits: number): boolean {
  return digits > 0 && joined.length >= 20 && wordLikeness(joined) < 5
}

/** Each view costs as much as this many characters before the first one is read. */
const VIEW_CHARS = 128

function afford(budget: Budget, characters: number): boolean {
  budget.left -= characters + VIEW_CHARS
  return budget.left >= 0
}
