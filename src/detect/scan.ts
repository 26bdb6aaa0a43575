import type { Finding } from '#contract/screened.ts'
import { compileKeywords } from './keywords.ts'
import { SECRET_LITERALS, secretAt } from './secrets.ts'
import { ipv6At, numberAt } from './numbers.ts'
import { emailAt } from './email.ts'

/** Version of the rules. A verdict made under another version is made again. */
export const RULES_VERSION = '2026-11-24'

const KEYWORDS = compileKeywords(SECRET_LITERALS)
const AT_SIGN = 64
const COLON = 58
const ZERO = 48
const NINE = 57

/**
 * Everything that the in-process detectors find in `text`, sorted by start, without overlaps.
 * One pass over the characters: literals of credentials by automaton, `@`, digits and colons as triggers.
 * Time is linear in the text: every candidate that a trigger starts is bounded in length.
 */
export function scan(text: string): Finding[] {
  const found: Finding[] = []
  const { classOf, classes, next, out } = KEYWORDS
  let state = 0
  let wasDigit = false
  let numberEnd = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    state = code < 128 ? (next[state * classes + (classOf[code] ?? 0)] ?? 0) : 0
    const hits = out[state]
    if (hits !== undefined && hits.length > 0) keepSecrets(text, hits, at + 1, found)
    const isDigit = code >= ZERO && code <= NINE
    if (isDigit && !wasDigit && at >= numberEnd) {
      const number = numberAt(text, at)
      if (number !== undefined) {
        found.push(number)
        numberEnd = number.end
      }
    } else if (code === AT_SIGN) keep(emailAt(text, at), found)
    else if (code === COLON && text.charCodeAt(at + 1) === COLON) keep(ipv6At(text, at), found)
    else if (code === COLON && isHexBefore(text, at)) keep(ipv6At(text, at), found)
    wasDigit = isDigit
  }
  return found.length < 2 ? found : withoutOverlaps(found)
}

function keepSecrets(text: string, hits: readonly number[], end: number, found: Finding[]): void {
  for (const index of hits) keep(secretAt(text, index, end), found)
}

function keep(finding: Finding | undefined, found: Finding[]): void {
  if (finding !== undefined) found.push(finding)
}

/** `2001:` may begin an address; `note:` and `12:30` are left to the cheap test. */
function isHexBefore(text: string, colon: number): boolean {
  const next = text.indexOf(':', colon + 1)
  return next !== -1 && next - colon <= 5 && /[0-9a-fA-F]/.test(text[colon - 1] ?? ' ')
}

/** Of findings that overlap, the surer stays, then the longer: a text is never replaced twice. */
function withoutOverlaps(found: Finding[]): Finding[] {
  const kept: Finding[] = []
  for (const finding of found.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = kept.at(-1)
    if (last === undefined || finding.start >= last.end) kept.push(finding)
    else if (outranks(finding, last)) kept[kept.length - 1] = finding
  }
  return kept
}

function outranks(a: Finding, b: Finding): boolean {
  return a.score !== b.score ? a.score > b.score : a.end - a.start > b.end - b.start
}
