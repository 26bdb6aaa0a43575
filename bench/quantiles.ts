/** What a distribution of milliseconds looks like. */
export interface Quantiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
  readonly count: number
}

/** Sorts the values in place. All zero when there are none. */
export function quantiles(values: number[]): Quantiles {
  values.sort((a, b) => a - b)
  const at = (share: number): number => values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: values.at(-1) ?? 0, count: values.length }
}

/** The middle value; the mean of the two in the middle for an even number; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const high = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2
}
