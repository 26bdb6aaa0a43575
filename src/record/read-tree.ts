import { sameBytes } from '#tlog/bytes.ts'
import type { Checkpoint } from '#tlog/checkpoint.ts'
import { TlogError } from '#tlog/error.ts'
import { HASH_BYTES } from '#tlog/hash.ts'
import { listSegments, scanSegment, segmentPath } from './segment.ts'
import { TileTree } from './tile-tree.ts'

/** Leaf hashes of the entries `from` to `to`, read and checked. @throws when one is bad or missing. */
export async function readLeaves(folder: string, from: number, to: number): Promise<Buffer> {
  const parts: Buffer[] = []
  const segments = await listSegments(folder)
  for (const [at, first] of segments.entries()) {
    const next = segments[at + 1] ?? Infinity
    if (next <= from || first >= to) continue
    const scan = scanSegment(segmentPath(folder, first), { maxEntries: to - first })
    const end = first + scan.entries
    if (scan.bad !== undefined) throw new Error(`entry ${end} (${segmentPath(folder, first)}): ${scan.bad}`)
    if (end < Math.min(next, to)) throw new Error(`entries from ${end} on are missing`)
    parts.push(scan.leaves.subarray(Math.max(0, from - first) * HASH_BYTES))
  }
  const leaves = Buffer.concat(parts)
  if (leaves.length !== (to - from) * HASH_BYTES) throw new Error(`entries from ${from} on are missing`)
  return leaves
}

/**
 * The tree of a signed checkpoint, for proofs, without writing anything: tiles where they are good, else the entries.
 * @throws when neither lead to the signed root.
 */
export async function readTree(folder: string, { size, root }: Checkpoint): Promise<TileTree> {
  const tiled = await fromTiles(folder, size)
  if (tiled !== undefined && sameBytes(tiled.root(size), root)) return tiled
  const rebuilt = new TileTree(folder)
  rebuilt.append(await readLeaves(folder, 0, size))
  if (!sameBytes(rebuilt.root(size), root))
    throw new Error(`the first ${size} entries are not those that were signed, run \`thinplane audit verify\``)
  return rebuilt
}

async function fromTiles(folder: string, size: number): Promise<TileTree | undefined> {
  try {
    const tree = new TileTree(folder)
    tree.load(size)
    tree.append(await readLeaves(folder, tree.size, size))
    tree.root(size)
    return tree
  } catch (error) {
    if (error instanceof TlogError) return undefined
    throw error
  }
}
