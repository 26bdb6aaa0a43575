/** A piece of a longer text. */
export interface Piece {
  readonly text: string
  /** Where it begins, in UTF-16 code units. */
  readonly start: number
}

/**
 * A text in pieces of at most `max` code points, neighbours sharing `overlap` of them, so that nothing that is shorter
 * than the overlap is cut in two unseen. No surrogate pair is cut.
 */
export function piecesOf(text: string, max: number, overlap: number): Piece[] {
  // A code point has one or two code units, so a text this short fits whatever it holds.
  if (text.length <= max) return [{ text, start: 0 }]
  const starts = codePointStarts(text)
  const pieces: Piece[] = []
  for (let from = 0; ; from += max - overlap) {
    const start = starts[from] ?? text.length
    const end = starts[from + max] ?? text.length
    pieces.push({ text: text.slice(start, end), start })
    if (end === text.length) return pieces
  }
}

/** A piece of one of several texts. */
export interface Part extends Piece {
  /** Which of the texts. */
  readonly segment: number
}

/** All texts in pieces as `piecesOf` makes them, empty ones left out. */
export function partsOf(texts: readonly { readonly text: string }[], max: number, overlap: number): Part[] {
  return texts.flatMap(({ text }, segment) =>
    piecesOf(text, max, overlap)
      .filter((piece) => piece.text !== '')
      .map((piece) => ({ segment, ...piece })),
  )
}

/** Where each code point begins. */
function codePointStarts(text: string): number[] {
  const starts: number[] = []
  for (let at = 0; at < text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) starts.push(at)
  return starts
}

/** Groups in order, each with at most `maxItems` and at most `maxSize` by `sizeOf`; an item beyond that is alone. */
export function batchesOf<T>(
  items: readonly T[],
  maxItems: number,
  maxSize: number,
  sizeOf: (item: T) => number,
): T[][] {
  const batches: T[][] = []
  let size = 0
  for (const item of items) {
    const own = sizeOf(item)
    const last = batches.at(-1)
    if (last === undefined || last.length === maxItems || size + own > maxSize) {
      batches.push([item])
      size = own
    } else {
      last.push(item)
      size += own
    }
  }
  return batches
}

/** Code points of a text. */
export function codePoints(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; count += 1) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  return count
}
