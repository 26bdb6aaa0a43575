/**
 * One kind of identifier. A picture shows its shape: `9` a digit, `A` a letter, and separators as they are
 * (blank `-` `.` `/` `:`); a picture of `*` takes letters and digits alike.
 */
export interface IdRule {
  /** Presidio's entity name where it has one. */
  readonly type: string
  readonly pictures: readonly string[]
  /**
   * How sure the shape and the check make it, 0 to 1; 0 when it is none. Given without separators and in capitals,
   * and as it was written.
   */
  readonly score: number | ((compact: string, written: string) => number)
  /** Words, in lower case, that make it likely when one of them stands near. */
  readonly context: readonly string[]
}

/** How much a word of the context adds to a score. */
export const CONTEXT_BONUS = 0.5

/** Pictures of groups with one and the same separator between all of them. */
export function grouped(groups: readonly string[], separators: string): string[] {
  return separators.split('').map((separator) => groups.join(separator))
}

/** Pictures of groups with any of the separators, or none, between any two. */
export function anyGrouped(groups: readonly string[], separators: string): string[] {
  const [first = '', ...rest] = groups
  let pictures = [first]
  for (const group of rest)
    pictures = pictures.flatMap((lead) => ['', ...separators.split('')].map((separator) => lead + separator + group))
  return pictures
}

export function digits(count: number): string {
  return '9'.repeat(count)
}

/** A rule whose score is `sure` when `check` holds, else none; separated digits are a little surer than a plain run. */
export function checked(sure: number, check: (compact: string) => boolean, separated = sure): IdRule['score'] {
  return (compact, written) => {
    if (!check(compact)) return 0
    return written.length > compact.length ? separated : sure
  }
}
