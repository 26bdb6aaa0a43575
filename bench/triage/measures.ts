export interface Judged {
  readonly isPositive: boolean
  readonly score: number
}

/** Chance that a positive scores above a negative. */
export function aucOf(judged: readonly Judged[]): number {
  const sorted = judged.toSorted((a, b) => a.score - b.score)
  let [ranks, positives] = [0, 0]
  for (const [at, { isPositive }] of sorted.entries()) {
    if (!isPositive) continue
    ranks += at + 1
    positives += 1
  }
  return (ranks - (positives * (positives + 1)) / 2) / (positives * (sorted.length - positives))
}

/** Score above which this share of the negatives lies. */
export function thresholdAt(negatives: readonly number[], share: number): number {
  return negatives.toSorted((a, b) => b - a)[Math.floor(negatives.length * share)] ?? 0
}

/** Share of the positives above a threshold. */
export function recallAt(judged: readonly Judged[], threshold: number): number {
  const positives = judged.filter(({ isPositive }) => isPositive)
  return positives.filter(({ score }) => score > threshold).length / positives.length
}
