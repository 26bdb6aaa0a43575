import type { Finding } from '#contract/screened.ts'

/**
 * One decision a span: the surest of findings that overlap, then the longest, then the first by start and by type.
 * A finding that loses to a winner is gone even where it reaches beyond it. Sorted by start.
 */
export function resolved(found: Finding[]): Finding[] {
  if (found.length < 2) return found
  const kept: Finding[] = []
  // Groups of findings that touch one another are settled apart, so that the work stays near linear.
  let group: Finding[] = []
  let end = -1
  for (const finding of found.toSorted((a, b) => a.start - b.start)) {
    if (finding.start >= end && group.length > 0) {
      settle(group, kept)
      group = []
    }
    group.push(finding)
    end = Math.max(end, finding.end)
  }
  settle(group, kept)
  return kept.toSorted((a, b) => a.start - b.start)
}

function settle(group: readonly Finding[], kept: Finding[]): void {
  if (group.length === 1) {
    kept.push(...group)
    return
  }
  const from = kept.length
  for (const finding of group.toSorted(byRank)) {
    let isFree = true
    for (let at = from; at < kept.length && isFree; at += 1) {
      const winner = kept[at]
      isFree = winner === undefined || finding.start >= winner.end || finding.end <= winner.start
    }
    if (isFree) kept.push(finding)
  }
}

function byRank(a: Finding, b: Finding): number {
  return b.score - a.score || b.end - b.start - (a.end - a.start) || a.start - b.start || (a.type < b.type ? -1 : 1)
}
