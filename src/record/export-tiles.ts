import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { encodeBundle } from '#tlog/bundle.ts'
import { sameBytes } from '#tlog/bytes.ts'
import type { Checkpoint } from '#tlog/checkpoint.ts'
import { HASH_BYTES } from '#tlog/hash.ts'
import { TILE_BYTES, TILE_WIDTH, subtreeHash, tilePath } from '#tlog/tile.ts'
import { readLeaves } from './read-tree.ts'
import { listSegments, scanSegment, segmentPath, sha256 } from './segment.ts'
import { TileTree } from './tile-tree.ts'

/**
 * Writes a complete static log (C2SP tlog-tiles): checkpoint, all hash tiles and entry bundles for its size.
 * @returns files written. @throws when the entries are not those that were signed.
 */
export async function exportTiles(
  folder: string,
  { checkpoint, note, to }: { readonly checkpoint: Checkpoint; readonly note: string; readonly to: string },
): Promise<number> {
  const { size, root } = checkpoint
  const leaves = await readLeaves(folder, 0, size)
  const tree = new TileTree(folder)
  tree.append(leaves)
  if (!sameBytes(tree.root(), root)) throw new Error(`the first ${size} entries are not those that were signed`)
  let files = await writeHashTiles(leaves, to)
  files += await writeBundles(folder, size, to)
  // Last, so that whoever reads along finds everything that the checkpoint speaks of.
  await writeFileIn(to, 'checkpoint', note)
  return files + 1
}

async function writeHashTiles(leaves: Buffer, to: string): Promise<number> {
  let [files, hashes] = [0, leaves]
  for (let level = 0; hashes.length > 0; level += 1) {
    const above: Uint8Array[] = []
    for (let at = 0; at < hashes.length; at += TILE_BYTES) {
      const tile = hashes.subarray(at, at + TILE_BYTES)
      await writeFileIn(to, tilePath(level, at / TILE_BYTES, tile.length / HASH_BYTES), tile)
      if (tile.length === TILE_BYTES) above.push(subtreeHash(sha256, tile))
      files += 1
    }
    hashes = Buffer.concat(above)
  }
  return files
}

/** One segment after the other, so that no more than one is in memory. */
async function writeBundles(folder: string, size: number, to: string): Promise<number> {
  let entries: Buffer[] = []
  let full: (readonly [path: string, bytes: Uint8Array])[] = []
  let files = 0
  for (const first of await listSegments(folder)) {
    scanSegment(segmentPath(folder, first), {
      maxEntries: Math.max(0, size - first),
      onEntry: (bytes, at) => {
        entries.push(Buffer.from(bytes))
        if (entries.length < TILE_WIDTH && first + at < size - 1) return
        full.push([tilePath('entries', Math.floor((first + at) / TILE_WIDTH), entries.length), encodeBundle(entries)])
        entries = []
      },
    })
    for (const [path, bundle] of full) await writeFileIn(to, path, bundle)
    files += full.length
    full = []
    if (first >= size) break
  }
  return files
}

async function writeFileIn(folder: string, path: string, content: string | Uint8Array): Promise<void> {
  const file = join(folder, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, content)
}
