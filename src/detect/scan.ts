import type { Finding } from '#contract/screened.ts'
import { credentialFindings } from './credentials/credentials.ts'
import { disguisedFindings } from './normalise/disguised.ts'
import { withoutOverlaps } from './overlaps.ts'
import { personalFindings } from './personal.ts'

/** Version of the rules. A verdict made under another version is made again. */
export const RULES_VERSION = '2026-11-25'

/**
 * Everything that the in-process detectors find in `text`, sorted by start, without overlaps, also behind disguises.
 * Time is linear in the text: every candidate that a trigger starts is bounded in length, and so are all views together.
 */
export function scan(text: string): Finding[] {
  const plain = plainFindings(text)
  const disguised = disguisedFindings(text, plainFindings)
  const found = disguised.length === 0 ? plain : [...plain, ...disguised]
  return found.length < 2 ? found : withoutOverlaps(found)
}

function plainFindings(text: string): Finding[] {
  const credentials = credentialFindings(text)
  const personal = personalFindings(text)
  return credentials.length === 0 ? personal : [...credentials, ...personal]
}
