import type { Finding } from '#contract/screened.ts'
import { ALPHANUMERIC, DOT, HYPHEN, LOWER, MARK, UNDERSCORE, UPPER, isOf, runEnd } from '#detect/charset.ts'

/** RFC 5321: 64 octets before the `@`, 255 after it. */
const MAX_LOCAL_CHARS = 64
const MAX_DOMAIN_CHARS = 255
const LOCAL = ALPHANUMERIC | DOT | HYPHEN | UNDERSCORE | MARK

/** The address around the `@` at `at`, if there is one. */
export function emailAt(text: string, at: number): Finding | undefined {
  let start = at
  while (start > 0 && at - start < MAX_LOCAL_CHARS && (isOf(text, start - 1, LOCAL) || text[start - 1] === '+'))
    start -= 1
  while (start < at && !isOf(text, start, ALPHANUMERIC | UNDERSCORE)) start += 1
  if (start === at) return undefined
  let end = runEnd(text, at + 1, ALPHANUMERIC | HYPHEN | DOT, MAX_DOMAIN_CHARS)
  while (end > at && !isOf(text, end - 1, ALPHANUMERIC)) end -= 1
  const domain = text.slice(at + 1, end)
  const dot = at + 1 + domain.lastIndexOf('.')
  if (dot <= at + 1 || domain.includes('..')) return undefined
  const topLevelEnd = runEnd(text, dot + 1, UPPER | LOWER, 63)
  if (topLevelEnd - dot - 1 < 2) return undefined
  return { type: 'EMAIL_ADDRESS', start, end: topLevelEnd, score: 1, detector: 'email' }
}
