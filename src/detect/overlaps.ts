import type { Finding } from '#contract/screened.ts'

/**
 * Of findings that overlap, the surer stays, then a credential (the password of a URL looks like the local part of an
 * address), then the longer: a text is never replaced twice.
 */
export function withoutOverlaps(found: readonly Finding[]): Finding[] {
  const kept: Finding[] = []
  for (const finding of found.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = kept.at(-1)
    if (last === undefined || finding.start >= last.end) kept.push(finding)
    else if (outranks(finding, last)) kept[kept.length - 1] = finding
  }
  return kept
}

function outranks(a: Finding, b: Finding): boolean {
  if (a.score !== b.score) return a.score > b.score
  if (a.type !== b.type && (a.type === 'SECRET' || b.type === 'SECRET')) return a.type === 'SECRET'
  return a.end - a.start > b.end - b.start
}
