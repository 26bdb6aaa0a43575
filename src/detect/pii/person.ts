import type { Finding } from '#contract/screened.ts'
import { DIGIT, isOf } from '#detect/charset.ts'
import { DWELLING, INTRODUCING, NAMES_FIRST, PLACING, POINTING } from './lexicon.ts'
import { GIVEN, PLACE, SURNAME, WORD } from './names.ts'
import { isPlace } from './places.ts'
import { type Run, type Word, isCapital } from './runs.ts'

/** What comes after a person who acts or owns. */
const ACTS =
  /^(?:['’]s?\b|,? (?:and|or) [A-Z]|,? (?:said|says|told|asked|wrote|explained|was|were|has|had|lives|works|spent|flew|called|replied|thinks|likes|loves|is (?:from|an?)) |, can )/
/** What only a person does. */
const ACTS_SURELY = /^(?: (?:said|says|asked|replied|explained|lives|works|spent|flew|is from)\b|, can I\b)/
/** A label before a value that is a name: in forms, mail and data. */
const LABEL =
  /(?:name|customer|client|patient|contact|directed by|author|from|attn|bcc|cc|to|signed|guest|employee)["']?\s*[:=]\s*["']?$/i

/**
 * What a run of capitalised words is: a person, an organisation or a place, by a table of names, by titles and words
 * before it, and by its last word. Every rule has one score, and a profile acts upon those from its `minScore` on.
 */
export function namesIn(text: string, run: Run, found: Finding[]): void {
  const organisation = run.words.findLastIndex((word) => word.isOrganisation)
  let from = 0
  if (organisation > 0 && run.words[0]?.isInitial === false) {
    push(found, 'ORGANIZATION', 'organisation-ending', run.start, run.words[organisation]?.end ?? run.end, 0.7)
    from = organisation + 1
  }
  while (from < run.words.length) {
    const placed = placeEnd(run.words, from)
    if (placed > from) {
      push(found, 'LOCATION', 'place', run.words[from]?.start ?? 0, run.words[placed - 1]?.end ?? 0, 0.9)
      from = placed
      continue
    }
    const to = partEnd(run.words, from)
    if (to > from) part(text, run, from, to, found)
    from = Math.max(to, from + 1)
  }
}

/** The end of a place of two to four words, such as `New York`, or `from`. */
function placeEnd(words: readonly Word[], from: number): number {
  for (let to = Math.min(words.length, from + 4); to > from + 1; to -= 1)
    if (isPlace(joined(words, from, to))) return to
  return from
}

/** A run is cut where a word is no part of a name; `Will` and `May` are when a surname follows. */
function partEnd(words: readonly Word[], from: number): number {
  let to = from
  while (to < words.length) {
    const word = words[to]
    if (word === undefined) break
    const isNameAfterAll = to === from && (word.known & GIVEN) !== 0 && words[to + 1]?.isSurnameLike === true
    if (word.isBarred && !isNameAfterAll) break
    to += 1
  }
  return to
}

function part(text: string, run: Run, from: number, to: number, found: Finding[]): void {
  const first = run.words[from]
  const last = run.words[to - 1]
  if (first === undefined || last === undefined || run.words[to]?.isStreet === true) return
  // `30 Celso Emilio Ferreiro 90`, `Jan. 11`: a street, a date.
  if (isNumbered(text, first.start, last.end)) return
  const place = placeScore(run, from, to)
  const person = run.words[from - 1]?.isTitle === true ? 0.9 : personScore(text, run, from, to)
  if (place > person) push(found, 'LOCATION', 'place', first.start, last.end, place)
  else if (person > 0) push(found, 'PERSON', 'name', first.start, last.end, person)
}

function isNumbered(text: string, start: number, end: number): boolean {
  const isAfter = isOf(text, end + 1, DIGIT) || isOf(text, end + 2, DIGIT)
  if (text[end] === '.' && isAfter) return true
  return isAfter && text[end] === ' ' && text[start - 1] === ' ' && isOf(text, start - 2, DIGIT)
}

function personScore(text: string, run: Run, from: number, to: number): number {
  const first = run.words[from]
  const last = run.words[to - 1]
  if (first === undefined || last === undefined) return 0
  const isFirst = run.isFirst && from === 0
  const opening = from === 0 ? openingScore(text, run, first) : 0
  if (to - from === 1) return Math.max(opening, singleScore(text, first, isFirst, from === 0 ? run.before[0] : ''))
  const isGiven = (first.known & GIVEN) !== 0
  const isWord = (first.known & WORD) !== 0
  if (isGiven && run.words.slice(from + 1, to).some((word) => word.isInitial)) return 0.9
  if (isGiven && !isWord) return (last.known & PLACE) !== 0 && (last.known & SURNAME) === 0 ? 0.5 : 0.85
  if (isGiven && last.isSurnameLike) return isFirst ? 0.6 : 0.75
  // `Producer Anna Schmidt`: the first word only begins the sentence.
  if (!isGiven && (run.words[from + 1]?.known ?? 0) & GIVEN && to - from > 2) return 0.7
  if (last.isSurnameLike && !isFirst && (first.known & PLACE) === 0)
    return first.known > 0 || first.isInitial ? 0.65 : 0.55
  if (isGiven && !isFirst && last.known > 0) return 0.55
  return opening
}

/** One word alone. Given names count, surnames where a person acts or owns, words of the language never. */
function singleScore(text: string, word: Word, isFirst: boolean, before: string): number {
  if (word.isInitial || word.isCapitals || word.lower.length < 3 || (word.known & WORD) !== 0) return 0
  const isPlaceToo = (word.known & PLACE) !== 0
  if (isPlaceToo && PLACING.has(before)) return 0.2
  const isWritten = isCapital(text, word.start)
  if ((word.known & GIVEN) !== 0) return isWritten ? (isPlaceToo ? 0.5 : 0.65) : word.lower.length > 3 ? 0.55 : 0.4
  const after = text.slice(word.end, word.end + 12)
  if (word.known === 0 && !word.isSurnameLike) return isFirst && ACTS_SURELY.test(after) ? 0.5 : 0
  if (word.isSurnameLike && (ACTS.test(after) || POINTING.has(before))) return 0.55
  return word.isSurnameLike ? 0.4 : 0
}

/** What the words before it, or its place, make of a run: `my name is`, `Dear`, `Name:`, a line that somebody speaks. */
function openingScore(text: string, run: Run, first: Word): number {
  const [near, far] = run.before
  if (first.isInitial || ((first.known & WORD) !== 0 && (first.known & GIVEN) === 0)) return 0
  const isLikely = first.known > 0 || run.words.length > 1
  if (near === 'is' && far === 'name') return 0.85
  if (near === 'is' && (far === 'this' || far === 'here')) return isLikely ? 0.7 : 0.4
  if (INTRODUCING.has(near)) return isLikely ? 0.75 : 0.55
  if (near === 'm' || (near === 'am' && far === 'i')) return isLikely ? 0.75 : 0.3
  if (POINTING.has(near) && first.known > 0 && !first.isCapitals) return (first.known & GIVEN) !== 0 ? 0.6 : 0.45
  if (near !== '' && near !== 'by' && near !== 'from') return 0
  const lead = text.slice(Math.max(0, run.start - 24), run.start)
  if (LABEL.test(lead)) return isLikely && first.known > 0 ? 0.75 : 0.4
  if (/name\?\s*$/i.test(lead)) return 0.8
  const isLine = run.start === 0 || text[run.start - 1] === '\n'
  if (!isLine || run.words.length > 3) return 0
  // `Anna: ...`: somebody speaks.
  return text[run.end] === ':' && (text[run.end + 1] === ' ' || text[run.end + 1] === '"') && first.known > 0 ? 0.6 : 0
}

function placeScore(run: Run, from: number, to: number): number {
  const words = run.words.slice(from, to)
  const [near, far] = from === 0 ? run.before : ['', '']
  const isPlaced = PLACING.has(near)
  const name = joined(run.words, from, to)
  if (isPlace(name)) return NAMES_FIRST.has(name) && !isPlaced ? 0.45 : 0.8
  if (isPlaced && words.every(({ known }) => (known & PLACE) !== 0)) return 0.7
  if (isPlaced && near !== 'to' && DWELLING.has(far))
    return words.some(({ known }) => (known & GIVEN) !== 0) ? 0.55 : 0.6
  return !run.isFirst && words.every(({ known }) => known === PLACE) ? 0.55 : 0
}

function joined(words: readonly Word[], from: number, to: number): string {
  let name = words[from]?.lower ?? ''
  for (let at = from + 1; at < to; at += 1) name += ` ${words[at]?.lower ?? ''}`
  return name
}

function push(found: Finding[], type: string, detector: string, start: number, end: number, score: number): void {
  found.push({ type, start, end, score, detector })
}
