import { setImmediate } from 'node:timers/promises'
import type { Finding } from '#contract/screened.ts'
import { BLANK, isOf } from './charset.ts'
import { withoutOverlaps } from './overlaps.ts'
import { scan } from './scan.ts'

/** Beyond this, in characters, a text is scanned in slices with other work of the process in between. */
export const LONG_CHARS = 32_768
/** A slice is scanned in a few milliseconds at worst, and holds the longest private key whole. */
const SLICE_CHARS = 20_000
/** What two slices share: the longest candidate but for keys and encoded documents is shorter. */
const SHARED_CHARS = 1024

/**
 * As `scan`, in slices: the event loop goes on between them. What touches the end of a slice is read again from its
 * start in the next one. An encoded run longer than a slice is looked into piece by piece.
 */
export async function scanLong(text: string): Promise<Finding[]> {
  const found: Finding[] = []
  for (let start = 0; start < text.length;) {
    const end = sliceEnd(text, start)
    const slice = scan(text.slice(start, end)).map((finding) => moved(finding, start))
    const open =
      end < text.length ? slice.findLast((finding) => finding.end === end && finding.start > start) : undefined
    found.push(...slice.filter((finding) => finding !== open))
    if (end === text.length) break
    start = Math.max(start + 1, open?.start ?? end - SHARED_CHARS)
    await setImmediate()
  }
  return withoutOverlaps(found)
}

function moved(finding: Finding, by: number): Finding {
  return { ...finding, start: finding.start + by, end: finding.end + by }
}

/** At a blank where there is one near, so that no word is cut. */
function sliceEnd(text: string, start: number): number {
  const end = Math.min(text.length, start + SLICE_CHARS)
  if (end === text.length) return end
  for (let at = end; at > end - SHARED_CHARS / 2; at -= 1) if (isOf(text, at - 1, BLANK)) return at
  return end
}
