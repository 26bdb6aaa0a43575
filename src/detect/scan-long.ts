import { setImmediate } from 'node:timers/promises'
import type { Finding } from '#contract/screened.ts'
import { BLANK, isOf } from './charset.ts'
import { withoutOverlaps } from './overlaps.ts'
import { scan } from './scan.ts'

/** Beyond this, in characters, a text is scanned in slices with other work of the process in between. */
export const LONG_CHARS = 32_768
/** A slice is scanned in a few milliseconds at worst. */
const SLICE_CHARS = 8192
/** A slice that one finding fills becomes longer, up to this: the longest private key fits. */
const MAX_SLICE_CHARS = 32_768
/** What two slices share: the longest candidate but for keys and encoded documents is shorter. */
const SHARED_CHARS = 1024

/**
 * As `scan`, in slices: the event loop goes on between them. What touches the end of a slice is read again from its
 * start in the next one. An encoded run longer than a slice is looked into piece by piece.
 */
export async function scanLong(text: string): Promise<Finding[]> {
  const found: Finding[] = []
  let size = SLICE_CHARS
  for (let start = 0; start < text.length;) {
    const end = sliceEnd(text, start, size)
    const slice = scan(text.slice(start, end)).map((finding) => moved(finding, start))
    const open = end < text.length ? slice.findLast((finding) => finding.end === end) : undefined
    const isFilled = open !== undefined && open.start === start && size < MAX_SLICE_CHARS
    found.push(...slice.filter((finding) => finding !== open || (open.start === start && !isFilled)))
    if (end === text.length) break
    size = isFilled ? size * 2 : SLICE_CHARS
    if (!isFilled) start = open === undefined || open.start === start ? end - SHARED_CHARS : open.start
    await setImmediate()
  }
  return withoutOverlaps(found)
}

function moved(finding: Finding, by: number): Finding {
  return { ...finding, start: finding.start + by, end: finding.end + by }
}

/** At a blank where there is one near, so that no word is cut. */
function sliceEnd(text: string, start: number, size: number): number {
  const end = Math.min(text.length, start + size)
  if (end === text.length) return end
  for (let at = end; at > end - SHARED_CHARS / 2; at -= 1) if (isOf(text, at - 1, BLANK)) return at
  return end
}
