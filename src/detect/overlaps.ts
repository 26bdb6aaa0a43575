import type { Finding } from '#contract/screened.ts'

/**
 * One decision a span: of findings that overlap the surest stays, then a credential (the password of a URL looks like
 * the local part of an address), then the longest, then the first by start and by type. A finding that loses to a
 * winner is gone even where it reaches beyond it. Sorted by start.
 */
export function withoutOverlaps(found: Finding[]): Finding[] {
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
  return kept
}

function settle(group: readonly Finding[], kept: Finding[]): void {
  if (group.length === 1) {
    kept.push(...group)
    return
  }
  const winners: Finding[] = []
  for (const finding of group.toSorted(byRank)) {
    const at = placeOf(winners, finding.start)
    const before = winners[at - 1]
    const after = winners[at]
    if ((before === undefined || before.end <= finding.start) && (after === undefined || after.start >= finding.end))
      winners.splice(at, 0, finding)
  }
  for (const winner of winners) kept.push(winner)
}

/** Index of the first winner that starts at `start` or later; winners are sorted and apart. */
function placeOf(winners: readonly Finding[], start: number): number {
  let [low, high] = [0, winners.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((winners[middle]?.start ?? 0) < start) low = middle + 1
    else high = middle
  }
  return low
}

function byRank(a: Finding, b: Finding): number {
  return (
    b.score - a.score ||
    rank(b) - rank(a) ||
    b.end - b.start - (a.end - a.start) ||
    a.start - b.start ||
    (a.type < b.type ? -1 : 1)
  )
}

function rank({ type }: Finding): number {
  return type === 'SECRET' ? 1 : 0
}
