import type { Finding } from '#contract/screened.ts'
import { WORD, distinctIn, isOf, runEnd } from '#detect/charset.ts'

/**
 * One kind of credential: a literal that gives it away, and what must stand around it. The literal is found without
 * regard to case, in one pass for all rules together; `find` then looks at a bounded stretch of text.
 */
export interface Rule {
  readonly literal: string
  /** What stands at the literal that begins at `at`, or undefined. */
  readonly find: (text: string, at: number) => Finding | undefined
}

/** A run of characters: classes, fewest, most. */
export type Run = readonly [classes: number, min: number, max: number]

/** What follows the literal, in order; text stands for itself, exactly. No part can be matched in two ways. */
export type Part = string | Run

export interface ShapeOptions {
  /** 0 to 1. Default 1. */
  readonly score?: number
  /** Whether the literal counts in any case. Default false. */
  readonly anyCase?: boolean
  /** Different characters that there have to be behind the literal: `xxxxxxxx` is nobody's key. Default 5. */
  readonly distinct?: number
  /** What may not stand before the literal. Default letters, digits and `_`. */
  readonly notBefore?: number
}

/** Literal, then runs: prefix, alphabet, length. Time is linear in the longest that the shape allows. */
export function shape(name: string, literal: string, parts: readonly Part[], options: ShapeOptions = {}): Rule {
  const { score = 1, anyCase = false, distinct = 5, notBefore = WORD } = options
  return {
    literal,
    find(text, at) {
      if ((!anyCase && !text.startsWith(literal, at)) || isOf(text, at - 1, notBefore)) return undefined
      const bodyAt = at + literal.length
      const end = endOf(text, bodyAt, parts)
      if (end === -1 || (distinct > 1 && distinctIn(text, bodyAt, end) < distinct)) return undefined
      return secret(name, at, end, score)
    },
  }
}

/** Index after the parts that stand at `from`, or -1. The last run has to end there: one character more is no match. */
export function endOf(text: string, from: number, parts: readonly Part[]): number {
  let at = from
  for (const part of parts) {
    if (typeof part === 'string') {
      if (!text.startsWith(part, at)) return -1
      at += part.length
      continue
    }
    const [classes, min, max] = part
    const end = runEnd(text, at, classes, max + 1)
    if (end - at < min || end - at > max) return -1
    at = end
  }
  return at
}

export function secret(detector: string, start: number, end: number, score = 1): Finding {
  return { type: 'SECRET', start, end, score, detector }
}
