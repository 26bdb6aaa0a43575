import type { Finding } from '#contract/screened.ts'
import { assignment } from '#detect/assignment/assignment.ts'
import { NAME_LITERALS } from '#detect/assignment/name.ts'
import { type KeywordMatcher, compileKeywords } from '#detect/keywords.ts'
import { CLOUDS } from './clouds.ts'
import { CODE_HOSTS } from './code-hosts.ts'
import { MESSAGING } from './messaging.ts'
import { MODELS } from './models.ts'
import type { Rule } from './rule.ts'
import { SERVICES } from './services.ts'
import { STRUCTURED } from './structured.ts'

const RULES: readonly Rule[] = [...STRUCTURED, ...CODE_HOSTS, ...MODELS, ...CLOUDS, ...SERVICES, ...MESSAGING]
const LITERALS: readonly string[] = [...RULES.map(({ literal }) => literal), ...NAME_LITERALS]

let compiled: KeywordMatcher | undefined

/** Built at the first text rather than at the start of the process. */
function matcher(): KeywordMatcher {
  compiled ??= compileKeywords(LITERALS)
  return compiled
}

/** A finding this sure ends the search inside it. */
const SURE = 0.95

/**
 * Credentials in `text`: one pass for the literals of all rules, and at each literal a look at a bounded stretch.
 * What is inside a sure finding is not looked at again, so that long ones are read once.
 */
export function credentialFindings(text: string): Finding[] {
  const { classOf, classes, next, hasOut, out } = matcher()
  const found: Finding[] = []
  let state = 0
  let covered = 0
  let nameEnd = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    state = code < 128 ? (next[state * classes + (classOf[code] ?? 0)] ?? 0) : 0
    if (hasOut[state] === 0) continue
    for (const index of out[state] ?? []) {
      const start = at + 1 - (LITERALS[index] ?? '').length
      if (start < covered) continue
      const rule = RULES[index]
      if (rule !== undefined) {
        const finding = rule.find(text, start)
        if (finding === undefined) continue
        found.push(finding)
        if (finding.score >= SURE) covered = finding.end
      } else if (start >= nameEnd) {
        const looked = assignment(text, start, at + 1)
        nameEnd = looked.nameEnd
        found.push(...looked.findings)
      }
    }
  }
  return found
}
