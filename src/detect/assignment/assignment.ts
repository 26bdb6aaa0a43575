import type { Finding } from '#contract/screened.ts'
import { HYPHEN, isOf } from '#detect/charset.ts'
import { kindOfName, nameAround } from './name.ts'
import { isCredential } from './value.ts'
import { valueAfter } from './value-after.ts'

const SCORES = { password: 0.8, secret: 0.8, weak: 0.7 } as const

/** What was looked at: the end of the name, so that its other literals are not looked at again, and what was found. */
export interface Assignment {
  readonly nameEnd: number
  readonly finding: Finding | undefined
}

/**
 * A credential given to the name around the literal from `at` to `end`: in code, configuration, markup, command lines
 * and prose. Values that look like code, words, paths or placeholders are left alone.
 */
export function assignment(text: string, at: number, end: number): Assignment {
  const name = nameAround(text, at, end)
  const value = valueAfter(text, name.end, isOf(text, name.start, HYPHEN))
  if (value === undefined) return { nameEnd: name.end, finding: undefined }
  const named = text.slice(name.start, name.end)
  const kind = named.toLowerCase() === 'identified by' ? 'password' : kindOfName(named)
  if (kind === undefined) return { nameEnd: name.end, finding: undefined }
  const { start, end: valueEnd } = value
  if (!isCredential(text.slice(start, valueEnd), kind, named, value)) return { nameEnd: name.end, finding: undefined }
  return {
    nameEnd: name.end,
    finding: { type: 'SECRET', start, end: valueEnd, score: SCORES[kind], detector: `assigned-${kind}` },
  }
}
