import type { Finding } from '#contract/screened.ts'
import { WORD, isOf } from '#detect/charset.ts'
import { isDay } from './checks.ts'

/** ISO 8601 and RFC 3339, year first; every part has a fixed width. */
const ISO =
  /(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:(?:T| |, )\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?!\w)/y

/** The date, with the time behind it, whose year starts at `start`. */
export function isoDateAt(text: string, start: number): Finding | undefined {
  if (!'-/.'.includes(text[start + 4] ?? '?') || isOf(text, start - 1, WORD)) return undefined
  ISO.lastIndex = start
  const match = ISO.exec(text)
  if (match === null || !isDay(Number(match[3]), Number(match[4]))) return undefined
  return { type: 'DATE_TIME', start, end: start + match[0].length, score: 0.8, detector: 'date-iso' }
}
