import type { Finding } from '#contract/screened.ts'
import { DWELLING, INTRODUCING, PLACING, POINTING } from './lexicon.ts'
import { GIVEN, PLACE, SURNAME, WORD } from './names.ts'
import { isPlace } from './places.ts'
import type { Run, Word } from './runs.ts'

/**
 * What a run of capitalised words is: a person, an organisation or a place, by a table of names, by titles and words
 * before it, and by its last word. Every rule has one score, and a profile acts upon those from its `minScore` on.
 */
export function namesIn(text: string, run: Run, found: Finding[]): void {
  const organisation = run.words.findLastIndex((word) => word.isOrganisation)
  if (organisation > 0) {
    push(found, 'ORGANIZATION', 'organisation-ending', run.start, run.words[organisation]?.end ?? run.end, 0.7)
    if (organisation === run.words.length - 1) return
  }
  let from = organisation > 0 ? organisation + 1 : 0
  while (from < run.words.length) {
    const to = partEnd(run.words, from)
    if (to > from) part(text, run, run.words.slice(from, to), from === 0, found)
    from = Math.max(to, from + 1)
  }
}

/** A run is cut where a word is no part of a name. */
function partEnd(words: readonly Word[], from: number): number {
  let to = from
  while (to < words.length && words[to]?.isBarred === false) to += 1
  return to
}

function part(text: string, run: Run, words: readonly Word[], isWhole: boolean, found: Finding[]): void {
  const first = words[0]
  const last = words.at(-1)
  if (first === undefined || last === undefined) return
  const index = run.words.indexOf(first)
  const before = index > 0 ? run.words[index - 1] : undefined
  const after = run.words[index + words.length]
  const place = placeScore(run, words, isWhole)
  if (after?.isStreet === true) return
  const person = before?.isTitle === true ? 0.9 : personScore(text, run, words, isWhole)
  if (place > person) push(found, 'LOCATION', 'place', first.start, last.end, place)
  else if (person > 0) push(found, 'PERSON', 'name', first.start, last.end, person)
}

function personScore(text: string, run: Run, words: readonly Word[], isWhole: boolean): number {
  const [first, second] = words
  if (first === undefined) return 0
  const opening = isWhole ? openingScore(text, run, first) : 0
  const isFirst = run.isFirst && isWhole
  if (second === undefined) return Math.max(opening, singleScore(text, first, isFirst, isWhole ? run.before[0] : ''))
  const last = words.at(-1) ?? second
  const hasInitial = words.some((word, at) => at > 0 && word.isInitial)
  const isGiven = (first.known & GIVEN) !== 0
  if (isGiven && hasInitial) return 0.9
  if (isGiven && (first.known & WORD) === 0)
    return (last.known & PLACE) !== 0 && (last.known & SURNAME) === 0 ? 0.5 : 0.85
  if (isGiven && last.isSurnameLike) return isFirst ? 0.6 : 0.75
  if (last.isSurnameLike && !isFirst && (first.known & PLACE) === 0)
    return first.known > 0 || first.isInitial ? 0.65 : 0.55
  if (isGiven && !isFirst && last.known > 0) return 0.55
  return opening
}

/** One word alone. Given names count, surnames where a person acts or owns, words of the language never. */
function singleScore(text: string, word: Word, isFirst: boolean, before: string): number {
  const isWord = (word.known & WORD) !== 0
  const isGiven = (word.known & GIVEN) !== 0
  if (word.isInitial || word.known === 0 || isWord || word.lower.length < 3) {
    return word.isSurnameLike && !isWord && !isFirst ? 0.5 : 0
  }
  if ((word.known & PLACE) !== 0 && PLACING.has(before)) return 0.2
  if (isGiven) return (word.known & PLACE) !== 0 ? 0.5 : 0.65
  if ((word.known & SURNAME) === 0) return 0
  if (
    /^(?:['’]s?\b|,? (?:said|says|told|asked|wrote|was|were|is|has|had|and|or)\b)/.test(
      text.slice(word.end, word.end + 8),
    )
  )
    return 0.55
  return isFirst ? 0.4 : 0.5
}

/** What the words before it, or its place, make of a run: `my name is`, `Dear`, `User:`, a line of its own. */
function openingScore(text: string, run: Run, first: Word): number {
  const [near, far] = run.before
  const isUnusual = (first.known & WORD) === 0 || (first.known & GIVEN) !== 0
  if (!isUnusual) return 0
  if (near === 'is' && far === 'name') return 0.85
  if (near === 'is' && (far === 'this' || far === 'here')) return first.known > 0 ? 0.7 : 0.4
  if (INTRODUCING.has(near)) return 0.75
  if (near === 'm' || (near === 'am' && far === 'i')) return first.known > 0 || run.words.length > 1 ? 0.75 : 0.3
  if (POINTING.has(near) && first.known > 0) return 0.6
  if (near !== '') return 0
  const lead = text.slice(Math.max(0, run.start - 24), run.start)
  if (/(?:name|user|customer|client|patient|contact|directed by|author|from|attn|to)["']?\s*[:=]\s*["']?$/i.test(lead))
    return 0.75
  if (/name\?\s*$/i.test(lead)) return 0.8
  // `Anna: ...` and `"Anna", can I`: somebody speaks or is spoken to.
  return text[run.end] === ':' && /^|\n/.test(lead.slice(-1)) && run.words.length < 3 && first.known > 0 ? 0.6 : 0
}

function placeScore(run: Run, words: readonly Word[], isWhole: boolean): number {
  const name = words.map(({ lower }) => lower).join(' ')
  if (isPlace(name)) return (words[0]?.known ?? 0) & GIVEN && !PLACING.has(run.before[0]) ? 0.5 : 0.85
  if (!isWhole) return 0
  const [near, far] = run.before
  const isPlaced = PLACING.has(near)
  if (isPlaced && words.every(({ known }) => (known & PLACE) !== 0)) return 0.7
  if (isPlaced && near !== 'to' && DWELLING.has(far))
    return words.some(({ known }) => (known & GIVEN) !== 0) ? 0.55 : 0.6
  return !run.isFirst && words.every(({ known }) => known === PLACE) ? 0.55 : 0
}

function push(found: Finding[], type: string, detector: string, start: number, end: number, score: number): void {
  found.push({ type, start, end, score, detector })
}
