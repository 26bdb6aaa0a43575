import type { Finding } from '#contract/screened.ts'
import { compileKeywords } from './keywords.ts'
import { SECRET_LITERALS, secretAt } from './secrets.ts'
import { piiFindings } from './pii/pii.ts'
import { resolved } from './pii/overlaps.ts'

/** Version of the rules. A verdict made under another version is made again. */
export const RULES_VERSION = '2026-11-25'

const KEYWORDS = compileKeywords(SECRET_LITERALS)

/**
 * Everything that the in-process detectors find in `text`, sorted by start, without overlaps. One pass for
 * credentials (their literals, by automaton) and one for personal data. Time is linear in the text: every candidate
 * that a trigger starts is bounded in length.
 */
export function scan(text: string): Finding[] {
  const secrets: Finding[] = []
  const { classOf, classes, next, out } = KEYWORDS
  let state = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    state = code < 128 ? (next[state * classes + (classOf[code] ?? 0)] ?? 0) : 0
    const hits = out[state]
    if (hits !== undefined && hits.length > 0) keepSecrets(text, hits, at + 1, secrets)
  }
  const personal = piiFindings(text)
  return secrets.length === 0 ? personal : resolved([...secrets, ...personal])
}

function keepSecrets(text: string, hits: readonly number[], end: number, found: Finding[]): void {
  for (const index of hits) {
    const secret = secretAt(text, index, end)
    if (secret !== undefined) found.push(secret)
  }
}
