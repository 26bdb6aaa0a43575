import type { Finding } from '#contract/screened.ts'
import { BLANK, isOf } from './charset.ts'
import { withoutOverlaps } from './overlaps.ts'
import { scan } from './scan.ts'

/** How far from a seam a value that lies across it is looked for, in characters. */
const SEAM_CHARS = 256

/**
 * As `scan` for each of several texts that a model reads one after the other: a value that was cut in two between
 * them is found as well, each half in its own text.
 * @param scanned How one text is scanned. Default `scan`.
 */
export function scanParts(texts: readonly string[], scanned: (text: string) => readonly Finding[] = scan): Finding[][] {
  const found = texts.map((text) => [...scanned(text)])
  for (let at = 1; at < texts.length; at += 1) {
    const [before = '', after = ''] = [texts[at - 1], texts[at]]
    if (before === '' || after === '' || isOf(before, before.length - 1, BLANK) || isOf(after, 0, BLANK)) continue
    const left = Math.min(SEAM_CHARS, before.length)
    for (const finding of scan(before.slice(-left) + after.slice(0, SEAM_CHARS))) {
      if (finding.start >= left || finding.end <= left) continue
      found[at - 1]?.push({ ...finding, start: finding.start + before.length - left, end: before.length })
      found[at]?.push({ ...finding, start: 0, end: finding.end - left })
    }
  }
  return found.map((findings) => (findings.length < 2 ? findings : withoutOverlaps(findings)))
}
