import type { Piece } from '#simclouds/service.ts'

/** The bytes of an object. */
export interface Content {
  readonly size: number
  /** The bytes from `start` up to, but not including, `end`. */
  readonly read: (start: number, end: number) => Uint8Array | Promise<Uint8Array>
  /** Whether the bytes are made when they are read: such an object has no checksum, and may be larger than the memory. */
  readonly isGenerated: boolean
}

const PIECE_BYTES = 256 * 1024

/** Bytes that are there. */
export function contentOf(bytes: Uint8Array): Content {
  return { size: bytes.length, read: (start, end) => bytes.subarray(start, end), isGenerated: false }
}

/** The bytes from `start` up to `end` in pieces, so that no more than one of them is in memory. */
export async function* piecesOf(content: Content, start: number, end: number): AsyncGenerator<Piece> {
  for (let at = start; at < end; at += PIECE_BYTES) {
    const upTo = Math.min(end, at + PIECE_BYTES)
    const bytes = await content.read(at, upTo)
    if (bytes.length !== upTo - at)
      throw new RangeError(`a generated object gave ${bytes.length} bytes for ${upTo - at}`)
    yield { bytes, isContent: true }
  }
}
