/** Reads of claims that ask instead of believing. */

/** Sorted, frozen; what is not a list of texts is an empty list. */
export function textList(value: unknown): readonly string[] {
  const texts = Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
  return Object.freeze(texts.toSorted())
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A claim that is one text or a list of them. */
export function oneOrMany(value: unknown): readonly string[] {
  return typeof value === 'string' ? [value] : textList(value)
}
