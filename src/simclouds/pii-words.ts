/** What a stand-in recognises as personal data; offsets in UTF-16 code units. */
export interface NamedSpan {
  readonly category: string
  readonly offset: number
  readonly length: number
  readonly score: number
}

/** Own, short list of names and shapes: enough to show a replacement, no claim to recognise anything real. */
const PATTERNS: readonly (readonly [category: string, pattern: RegExp, score: number])[] = [
  ['Person', /\b(?:Maria Lindqvist|Tomasz Nowak|Aiko Tanaka|Ada Example)\b/g, 0.95],
  ['Organization', /\b(?:Northwind Traders|Contoso Ltd)\b/g, 0.8],
  ['Address', /\b\d{1,4} (?:Example|Sample) (?:Street|Avenue)\b/g, 0.85],
  ['Email', /\b[a-z0-9.]{1,40}@[a-z0-9.]{1,40}\.[a-z]{2,10}\b/gi, 0.8],
  ['PhoneNumber', /\+\d{8,15}\b/g, 0.8],
]

export function namedSpans(text: string): NamedSpan[] {
  return PATTERNS.flatMap(([category, pattern, score]) =>
    [...text.matchAll(pattern)].map(({ index, 0: found }) => ({
      category,
      offset: index,
      length: found.length,
      score,
    })),
  ).toSorted((a, b) => a.offset - b.offset)
}
