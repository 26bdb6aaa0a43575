import { concatBytes } from './bytes.ts'
import { TlogError } from './error.ts'
import { TILE_WIDTH } from './tile.ts'

/** Longest entry in bytes: its length is a uint16 in entry bundles (C2SP tlog-tiles). */
export const MAX_ENTRY_BYTES = 65_535

/** An entry bundle: each entry behind its length, big-endian. @throws {TlogError} for entries that do not fit. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length > TILE_WIDTH) throw new TlogError(`a bundle holds ${TILE_WIDTH} entries at most`)
  return concatBytes(
    ...entries.flatMap((entry) => {
      if (entry.length > MAX_ENTRY_BYTES)
        throw new TlogError(`an entry of ${entry.length} bytes does not fit, at most ${MAX_ENTRY_BYTES} do`)
      return [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]
    }),
  )
}

/** Entries of a bundle. @throws {TlogError} when it ends in the middle of one, or holds too many. */
export function decodeBundle(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = []
  let at = 0
  while (at < bytes.length) {
    const [high, low] = [bytes[at], bytes[at + 1]]
    if (high === undefined || low === undefined) throw new TlogError('the bundle ends in the middle of a length')
    const end = at + 2 + high * 256 + low
    if (end > bytes.length) throw new TlogError('the bundle ends in the middle of an entry')
    if (entries.length === TILE_WIDTH) throw new TlogError(`a bundle holds ${TILE_WIDTH} entries at most`)
    entries.push(bytes.slice(at + 2, end))
    at = end
  }
  return entries
}
