import type { Finding } from '#contract/screened.ts'
import type { Context } from './context.ts'
import { AMERICAS } from './ids-americas.ts'
import { ASIA, SOUTH } from './ids-asia.ts'
import { EUROPE, UNITED_KINGDOM } from './ids-europe.ts'
import { GERMANY } from './ids-germany.ts'
import { OTHER } from './ids-other.ts'
import { type Pictures, beginsHere, classAt, compilePictures, walk } from './pictures.ts'
import { CONTEXT_BONUS, type IdRule } from './rule.ts'

/** Kinds that a plain run of digits can be are not reported below this without a word that speaks for them. */
const MIN_REPORTED = 0.3
/** What a value counts at least when the text is nothing else. Above the default `minScore`. */
const BARE_SCORE = 0.5
/** Shapes that are believed for a word of the context only have a lower score. */
const MIN_BARE = 0.02
const LETTER = 1
const DIGIT = 2

/** All kinds of identifiers. */
export const RULES: readonly IdRule[] = [
  ...OTHER,
  ...AMERICAS,
  ...EUROPE,
  ...UNITED_KINGDOM,
  ...GERMANY,
  ...ASIA,
  ...SOUTH,
]

let compiled: Pictures | undefined

function pictures(): Pictures {
  compiled ??= compilePictures(RULES)
  return compiled
}

/**
 * Identifiers around the digit at `digit`, the first of its run: from the word that holds it, or from up to two short
 * words of letters before it (`PR 123612C`, `M XY 999`). All that fit; overlaps are the caller's to settle.
 */
export function identifiersAt(text: string, digit: number, context: Context, found: Finding[]): void {
  let start = digit
  while (start > 0 && digit - start < 8 && isWord(text, start - 1)) start -= 1
  if (start > 0 && isWord(text, start - 1)) return
  from(text, start, context, found)
  for (let words = 0; words < 2; words += 1) {
    const gap = start - 1
    if (gap < 1 || classAt(text, gap) <= 3 || classAt(text, gap - 1) !== LETTER) return
    let first = gap - 1
    while (first > 0 && gap - first < 6 && classAt(text, first - 1) === LETTER) first -= 1
    if (gap - first > 5) return
    start = first
    from(text, start, context, found)
  }
}

/** Identifiers that begin at `start` whatever stands there: for hexadecimal groups without a digit. */
export function identifiersFrom(text: string, start: number, context: Context, found: Finding[]): void {
  from(text, start, context, found)
}

function from(text: string, start: number, context: Context, found: Finding[]): void {
  if (!beginsHere(text, start)) return
  walk(pictures(), text, start, (end, rules) => {
    const written = text.slice(start, end)
    const compact = written.replaceAll(/[ ./:-]/g, '').toUpperCase()
    for (const rule of rules) {
      const score = scored(rule, compact, written, start, end, context)
      if (score >= MIN_REPORTED)
        found.push({ type: rule.type, start, end, score, detector: rule.type.toLowerCase().replaceAll('_', '-') })
    }
  })
}

function scored(rule: IdRule, compact: string, written: string, start: number, end: number, context: Context): number {
  const base = typeof rule.score === 'number' ? rule.score : rule.score(compact, written)
  if (base === 0) return 0
  if (context.has(rule.context, start, end)) return Math.min(1, base + CONTEXT_BONUS)
  // Among kinds that a lone value could be, the surer one still wins.
  return base >= MIN_BARE && context.isBare(start, end) ? Math.max(base, BARE_SCORE + base / 10) : base
}

function isWord(text: string, at: number): boolean {
  const kind = classAt(text, at)
  return kind === LETTER || kind === DIGIT
}
