import type { Finding } from '#contract/screened.ts'
import { BASE64URL, BLANK, HYPHEN, isOf, runEnd } from '#detect/charset.ts'
import { type NameKind, kindOfName, nameAround } from './name.ts'
import { isCredential, isDrawn } from './value.ts'
import { type Value, listedAfter, valueAfter } from './value-after.ts'

const SCORES = { password: 0.8, secret: 0.8, weak: 0.7 } as const
const MAX_LISTED = 16

/** What was looked at: the end of the name, so that its other literals are not looked at again, and what was found. */
export interface Assignment {
  readonly nameEnd: number
  readonly findings: readonly Finding[]
}

const NOTHING: readonly Finding[] = []

/**
 * Credentials given to the name around the literal from `at` to `end`: in code, configuration, markup, command lines
 * and prose. Values that look like code, words, paths or placeholders are left alone.
 */
export function assignment(text: string, at: number, end: number): Assignment {
  const isSql = isOf(text, end - 1, BLANK)
  const name = isSql ? { start: at, end: end - 1 } : nameAround(text, at, end)
  const nameEnd = name.end
  const value = valueAfter(text, nameEnd, isOf(text, name.start, HYPHEN))
  if (value === undefined) return { nameEnd, findings: NOTHING }
  const named = text.slice(name.start, nameEnd)
  const kind = isSql ? 'password' : kindOfName(named)
  if (kind === undefined) return { nameEnd, findings: NOTHING }
  const values = value.isListed === true ? [value, ...listedAfter(text, value, MAX_LISTED)] : [value]
  const findings = values.flatMap(
    (each) => credentialIn(text, { ...each, by: isSql ? 'assigned' : each.by }, kind, named) ?? [],
  )
  return { nameEnd, findings }
}

function credentialIn(text: string, given: Value, kind: NameKind, name: string): Finding | undefined {
  const value = text.slice(given.start, given.end)
  const inner = given.isQuoted && value.startsWith('{') && kind !== 'weak' ? randomRun(value) : undefined
  if (inner === undefined && !isCredential(value, kind, name, given)) return undefined
  const [from, to] = inner ?? [0, value.length]
  return {
    type: 'SECRET',
    start: given.start + from,
    end: given.start + to,
    score: SCORES[kind],
    detector: `assigned-${kind}`,
  }
}

/** Inside a nested document, the first long run of letters and digits that looks drawn. */
function randomRun(value: string): readonly [start: number, end: number] | undefined {
  for (let at = 0; at < value.length; at += 1) {
    const end = runEnd(value, at, BASE64URL, value.length)
    if (end - at >= 24 && isDrawn(value.slice(at, end))) return [at, end]
    at = Math.max(at, end)
  }
  return undefined
}
