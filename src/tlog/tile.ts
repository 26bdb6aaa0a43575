import { TlogError } from './error.ts'
import { HASH_BYTES, type Sha256, nodeData } from './hash.ts'
import type { ReadNode } from './tree.ts'

/** Hashes of a full tile, and leaves under each hash of the level above. */
export const TILE_WIDTH = 256
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES
/** Levels of the tree in one tile. */
export const TILE_HEIGHT = 8

/** `tile/<level>/<number>`, with `.p/<width>` when it is not full (C2SP tlog-tiles). */
export function tilePath(level: number | 'entries', number: number, width = TILE_WIDTH): string {
  if (!Number.isSafeInteger(number) || number < 0 || width < 1 || width > TILE_WIDTH)
    throw new TlogError(`there is no tile ${number} of width ${width}`)
  const digits = String(number)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const parts = padded.match(/\d{3}/g) ?? []
  const path = parts.map((part, at) => (at === parts.length - 1 ? part : `x${part}`)).join('/')
  return `tile/${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

/** Tiles of one level for a tree: full ones, and the width of the partial one behind them (0 for none). */
export function tilesOf(size: number, level: number): { readonly full: number; readonly partial: number } {
  const hashes = Math.floor(size / TILE_WIDTH ** level)
  return { full: Math.floor(hashes / TILE_WIDTH), partial: hashes % TILE_WIDTH }
}

/** Tile levels that a tree of this size has. */
export function tileLevels(size: number): number {
  let levels = 0
  for (let hashes = size; hashes > 0; hashes = Math.floor(hashes / TILE_WIDTH)) levels += 1
  return levels
}

/** Root of a complete subtree whose leaves are the hashes of `bytes`; their number is a power of two. */
export function subtreeHash(sha256: Sha256, bytes: Uint8Array): Uint8Array {
  if (bytes.length === HASH_BYTES) return bytes
  const half = bytes.length / 2
  return sha256(nodeData(subtreeHash(sha256, bytes.subarray(0, half)), subtreeHash(sha256, bytes.subarray(half))))
}

/**
 * Nodes out of tiles. `readTile` gives the bytes of a tile, full or partial.
 * @throws {TlogError} when a tile is shorter than the node that is asked for needs.
 */
export function nodesOfTiles(sha256: Sha256, readTile: (level: number, number: number) => Uint8Array): ReadNode {
  return (level, index) => {
    const tileLevel = Math.floor(level / TILE_HEIGHT)
    const width = 2 ** (level % TILE_HEIGHT)
    const first = index * width
    const number = Math.floor(first / TILE_WIDTH)
    const from = (first % TILE_WIDTH) * HASH_BYTES
    const bytes = readTile(tileLevel, number).subarray(from, from + width * HASH_BYTES)
    if (bytes.length !== width * HASH_BYTES)
      throw new TlogError(`tile ${tilePath(tileLevel, number)} is shorter than the tree says`)
    return subtreeHash(sha256, bytes)
  }
}
