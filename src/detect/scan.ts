import type { Finding } from '#contract/screened.ts'
import { credentialFindings } from './credentials/credentials.ts'
import { disguisedFindings } from './normalise/disguised.ts'
import { withoutOverlaps } from './overlaps.ts'
import { namesAndPlaces, shapedFindings } from './pii/pii.ts'

/** Version of the rules. A verdict made under another version is made again. */
export const RULES_VERSION = '2026-11-25'

/**
 * Everything that the in-process detectors find in `text`, sorted by start, without overlaps, also behind disguises.
 * Kinds that are weak on their own are reported below 0.5, for a profile with a lower `minScore`. Time is linear in the
 * text: every candidate that a trigger starts is bounded in length, and so are all views together.
 */
export function scan(text: string): Finding[] {
  const found = [...byShape(text), ...namesAndPlaces(text), ...disguisedFindings(text, byShape)]
  return withoutOverlaps(found)
}

/** What has a shape of its own: behind a disguise nothing else is looked for. */
function byShape(text: string): Finding[] {
  const credentials = credentialFindings(text)
  const personal = shapedFindings(text)
  return credentials.length === 0 ? personal : [...credentials, ...personal]
}
