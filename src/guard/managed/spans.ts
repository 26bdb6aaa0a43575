import type { Finding } from '#contract/screened.ts'

/** A placeholder of our own: what a service finds in it is not the caller's. */
const PLACEHOLDER = /<[A-Z][A-Z_]*_\d{5}>/g

/** Findings in order, without overlaps (the longer one stays) and without what lies in a placeholder of ours. */
export function ownSpans(text: string, findings: readonly Finding[]): Finding[] {
  const placeholders = [...text.matchAll(PLACEHOLDER)].map(
    ({ index, 0: found }) => [index, index + found.length] as const,
  )
  const kept: Finding[] = []
  const sorted = findings.toSorted((a, b) => a.start - b.start || b.end - a.end)
  for (const finding of sorted) {
    if (placeholders.some(([start, end]) => finding.start < end && finding.end > start)) continue
    const last = kept.at(-1)
    if (last === undefined || finding.start >= last.end) kept.push(finding)
    else if (finding.end - finding.start > last.end - last.start) kept[kept.length - 1] = finding
  }
  return kept
}
