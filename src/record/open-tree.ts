import { HASH_BYTES } from '#tlog/hash.ts'
import { sameBytes } from '#tlog/bytes.ts'
import type { Checkpoint } from '#tlog/checkpoint.ts'
import { TlogError } from '#tlog/error.ts'
import { listSegments, scanSegment, segmentPath } from './segment.ts'
import { TileTree } from './tile-tree.ts'

export interface LogFacts {
  readonly size: number
  /** Leaf hashes of the last segment, and the index of its first entry. */
  readonly tail: { readonly first: number; readonly leaves: Buffer }
}

/** The log on disk is not what was signed, or is shorter: it must not be continued. */
export class LogConflict extends Error {
  constructor(message: string) {
    super(`${message}: nothing is recorded or signed until \`thinplane audit reconcile\` has settled it`)
    this.name = 'LogConflict'
  }
}

/**
 * The tree over a log: full tiles from disk and the rest from the segments, checked against what was signed.
 * Tiles that are damaged are made again from the segments, which `mended` says.
 * @throws {LogConflict} when the log is shorter than a signed tree, or differs from it.
 */
export async function openTree(
  folder: string,
  log: LogFacts,
  signed: readonly Checkpoint[],
): Promise<{ readonly tree: TileTree; readonly mended: string }> {
  const [largest] = signed
  if (largest !== undefined && log.size < largest.size)
    throw new LogConflict(`the audit trail has ${log.size} entries and ${largest.size} were signed`)
  const fromTiles = await loadTree(folder, log).catch((error: unknown) => {
    if (error instanceof TlogError) return undefined
    throw error
  })
  if (fromTiles !== undefined && differing(fromTiles, signed) === undefined) return { tree: fromTiles, mended: '' }
  const rebuilt = new TileTree(folder)
  rebuilt.append(await leavesFrom(folder, log, 0))
  const bad = differing(rebuilt, signed)
  if (bad !== undefined)
    throw new LogConflict(`the first ${bad.size} entries of the audit trail are not those that were signed`)
  await rebuilt.flush()
  return { tree: rebuilt, mended: 'tiles of the audit trail were damaged and have been made again from its entries' }
}

async function loadTree(folder: string, log: LogFacts): Promise<TileTree> {
  const tree = new TileTree(folder)
  tree.load(log.size)
  assertSameTail(tree, log)
  tree.append(await leavesFrom(folder, log, tree.size))
  return tree
}

/** Tiles have to hold what the last segment holds, as far as they overlap. @throws {TlogError} */
function assertSameTail(tree: TileTree, { tail }: LogFacts): void {
  for (let index = tail.first; index < tree.size; index += 1) {
    const at = (index - tail.first) * HASH_BYTES
    if (!tail.leaves.subarray(at, at + HASH_BYTES).equals(tree.reader.node(0, index)))
      throw new TlogError(`the tile of entry ${index} differs from the entry`)
  }
}

function differing(tree: TileTree, signed: readonly Checkpoint[]): Checkpoint | undefined {
  try {
    return signed.find(({ size, root }) => !sameBytes(tree.root(size), root))
  } catch (error) {
    if (error instanceof TlogError) return signed[0]
    throw error
  }
}

/** Leaf hashes of the entries from `from` on, by reading segments where the tail does not reach. @throws when an entry is bad. */
async function leavesFrom(folder: string, { size, tail }: LogFacts, from: number): Promise<Buffer> {
  const parts: Buffer[] = []
  const segments = (await listSegments(folder)).filter((first) => first < tail.first)
  for (const [at, first] of segments.entries()) {
    const next = segments[at + 1] ?? tail.first
    if (next <= from) continue
    const scan = scanSegment(segmentPath(folder, first))
    if (scan.bad !== undefined || first + scan.entries !== next)
      throw new LogConflict(
        `the audit trail is broken at entry ${first + scan.entries}: ${scan.bad ?? 'entries are missing'}`,
      )
    parts.push(scan.leaves.subarray(Math.max(0, from - first) * HASH_BYTES))
  }
  parts.push(tail.leaves.subarray(Math.max(0, from - tail.first) * HASH_BYTES))
  const leaves = Buffer.concat(parts)
  if (leaves.length !== (size - from) * HASH_BYTES)
    throw new LogConflict(`the audit trail lacks entries before ${tail.first}`)
  return leaves
}
