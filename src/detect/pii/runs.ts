import { DIGIT, UNDERSCORE, isOf } from '#detect/charset.ts'
import {
  IS_NO_NAME,
  IS_ORGANISATION,
  IS_PARTICLE,
  IS_STREET,
  IS_TITLE,
  IS_UNIT,
  STREET_ENDING,
  TITLES,
  rolesOf,
} from './lexicon.ts'
import { SURNAME, WORD, endsLikeSurname, fold, knownAs } from './names.ts'

/** A capitalised word, with what is known of it. */
export interface Word {
  readonly start: number
  readonly end: number
  readonly lower: string
  /** Bits of names.ts; a hyphenated word has those of its parts. */
  readonly known: number
  readonly isInitial: boolean
  /** All capitals: an abbreviation as likely as a name. */
  readonly isCapitals: boolean
  readonly isTitle: boolean
  /** No part of a name: begins sentences, names an organisation, a street, a weekday. */
  readonly isBarred: boolean
  readonly isOrganisation: boolean
  readonly isStreet: boolean
  /** `Apt`, `Suite`, `Box`: a number follows in an address. */
  readonly isUnit: boolean
  readonly isParticle: boolean
  readonly isSurnameLike: boolean
}

/** Capitalised words that stand together. */
export interface Run {
  readonly words: readonly Word[]
  readonly start: number
  readonly end: number
  /** Whether a sentence, line or quotation begins with it: its first capital says nothing then. */
  readonly isFirst: boolean
  /** The two words before it, in lower case, nearest first; empty when there is something else. */
  readonly before: readonly [string, string]
}

const MAX_WORDS = 6
const MAX_WORD_CHARS = 32
/** How much of a text is looked at for a capital. */
const CASE_CHARS = 2000

/** Whether the text is written in small letters throughout, so that capitals tell nothing. */
export function isCaseless(text: string): boolean {
  const limit = Math.min(text.length, CASE_CHARS)
  for (let at = 0; at < limit; at += 1) if (isCapital(text, at)) return false
  return true
}

/** The run that starts at `at`, a letter with no letter before it; undefined when the word can not be one. */
export function runAt(text: string, at: number, caseless: boolean): Run | undefined {
  const words: Word[] = []
  let end = at
  let next = at
  while (words.length < MAX_WORDS) {
    const wordEnd = letters(text, next)
    if (wordEnd === next) break
    const word = wordOf(text, next, wordEnd)
    if (!isCapital(text, next) && !caseless && !(word.isParticle && words.length > 0)) break
    if (caseless && word.known === 0 && !word.isInitial && !word.isParticle) break
    words.push(word)
    end = wordEnd
    next = gapEnd(text, wordEnd, word)
    if (next === -1) break
  }
  while (words.at(-1)?.isParticle === true && !isCapital(text, words.at(-1)?.start ?? 0)) words.pop()
  const last = words.at(-1)
  if (last === undefined || isOf(text, last.end, DIGIT | UNDERSCORE)) return undefined
  end = last.end
  const before = wordsBefore(text, at)
  return { words, start: at, end, isFirst: opens(text, at), before }
}

/** Whether a sentence, a line or a quotation begins at `at`. */
function opens(text: string, at: number): boolean {
  let before = at - 1
  while (before >= 0 && ' "“\'*#>-'.includes(text[before] ?? '.')) {
    if (text[before] === '-' && text[before - 1] !== ' ' && text[before - 1] !== '\n') return false
    before -= 1
  }
  return before < 0 || '.!?:\n\r\t'.includes(text[before] ?? '.')
}

function wordOf(text: string, start: number, end: number): Word {
  const written = text.slice(start, end)
  const lower = written.toLowerCase()
  const folded = fold(lower)
  const roles = rolesOf(lower)
  let known = knownAs(folded)
  if (known === 0 && folded.includes('-')) for (const half of folded.split('-')) known |= knownAs(half)
  const isCapitals = end - start > 1 && isCapital(text, start + 1) && isCapital(text, end - 1)
  const isTitle = (roles & IS_TITLE) !== 0 && !isCapitals
  const isStreet = (roles & IS_STREET) !== 0 || (known === 0 && lower.length > 5 && STREET_ENDING.test(lower))
  const isOrganisation = (roles & IS_ORGANISATION) !== 0
  return {
    start,
    end,
    lower,
    known,
    isInitial: end - start === 1 && lower !== 'i',
    isCapitals,
    isTitle,
    isStreet,
    isOrganisation,
    isUnit: (roles & IS_UNIT) !== 0,
    isBarred: (roles & IS_NO_NAME) !== 0 || isStreet || isOrganisation || isTitle || !isWrittenLikeName(written),
    isParticle: (roles & IS_PARTICLE) !== 0,
    isSurnameLike: known === 0 ? endsLikeSurname(folded) : (known & (SURNAME | WORD)) === SURNAME,
  }
}

/** Neither an abbreviation nor `camelCase`, but `McKenzie`. */
function isWrittenLikeName(written: string): boolean {
  if (/^[A-Z]{2,}s?$/.test(written)) return written.length > 3 && knownAs(written.toLowerCase()) > 0
  return !/[a-z][A-Z]/.test(written) || /^(?:Mc|Mac|De|Di|La|Le|Van|Fitz)[A-Z][a-z]+$/.test(written)
}

/** After letters: hyphen or apostrophe with letters beyond belong to the word; `'s` does not. */
function letters(text: string, from: number): number {
  const limit = Math.min(text.length, from + MAX_WORD_CHARS)
  let at = from
  while (at < limit) {
    if (isLetter(text.charCodeAt(at))) at += 1
    else if (at > from && isInner(text, at)) at += 1
    else break
  }
  return at
}

function isInner(text: string, at: number): boolean {
  const char = text[at]
  if (char === '-') return isCapital(text, at + 1)
  if (char !== "'" && char !== '’') return false
  return isCapital(text, at + 1) && isLetter(text.charCodeAt(at + 2))
}

/** Where the next word of the run begins: one blank on, after a dot for initials and titles; -1 when the run ends. */
function gapEnd(text: string, end: number, { isInitial, isTitle }: Word): number {
  let at = end
  if (text[at] === '.' && (isInitial || isTitle || text.slice(end - 2, end) === 'St')) at += 1
  if (text[at] !== ' ' || !isLetter(text.charCodeAt(at + 1))) return -1
  return at + 1
}

const NOTHING: readonly [string, string] = ['', '']

function wordsBefore(text: string, start: number): readonly [string, string] {
  const [first, at] = wordBefore(text, start)
  return first === '' ? NOTHING : [first, wordBefore(text, at)[0]]
}

/** The word before `start` with one blank (or `: `, `, `) between, in lower case; empty at the start of a sentence. */
function wordBefore(text: string, start: number): readonly [word: string, at: number] {
  let end = start
  if (text[end - 1] === ' ') end -= 1
  if (text[end - 1] === '.' && isCapital(text, end - 3) && TITLES.has(text.slice(end - 3, end - 1).toLowerCase()))
    end -= 1
  if (end === start || !isLetter(text.charCodeAt(end - 1))) return ['', start]
  let at = end
  while (at > 0 && end - at < MAX_WORD_CHARS && isLetter(text.charCodeAt(at - 1))) at -= 1
  return [text.slice(at, end).toLowerCase(), at]
}

export function isLetter(code: number): boolean {
  const letter = code | 32
  if (letter >= 97 && letter <= 122) return true
  return code >= 0xc0 && code < 0x0590 && code !== 0xd7 && code !== 0xf7
}

export function isCapital(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  if (code < 128) return code >= 65 && code <= 90
  if (code < 0xc0 || code >= 0x0590) return false
  const char = text[at] ?? ''
  return char !== char.toLowerCase()
}
