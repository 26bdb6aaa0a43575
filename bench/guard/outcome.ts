/** One row of the report: a goal, and what was measured. */
export interface Outcome {
  readonly name: string
  /** What has to be reached, as people say it; empty for figures that are only reported. */
  readonly floor: string
  readonly target: string
  readonly value: string
  /** Undefined when there is no floor. */
  readonly isMet: boolean | undefined
  /** Counts and kinds of what was missed. Never texts. */
  readonly misses: string
}

export function outcome(
  name: string,
  value: string,
  { floor = '', target = '', isMet, misses = '' }: Partial<Omit<Outcome, 'name' | 'value'>> = {},
): Outcome {
  return { name, value, floor, target, isMet, misses }
}

export function share(value: number): string {
  return value.toFixed(3)
}
