import { hash } from 'node:crypto'
import { toUtf8 } from './bytes.ts'
import { type Sha256, leafData, nodeData } from './hash.ts'
import type { TreeReader } from './tree.ts'

export const sha256: Sha256 = (data) => new Uint8Array(hash('sha256', data, 'buffer'))

/** A tree in memory with the given leaf hashes, its nodes computed as they are asked for. For tests. */
export function treeOf(leaves: readonly Uint8Array[]): TreeReader {
  const known = new Map<string, Uint8Array>()
  const node = (level: number, index: number): Uint8Array => {
    const key = `${level}/${index}`
    const made =
      known.get(key) ??
      (level === 0
        ? (leaves[index] ?? new Uint8Array(0))
        : sha256(nodeData(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))))
    known.set(key, made)
    return made
  }
  return { sha256, node }
}

/** Leaf hashes of the entries `entry 0`, `entry 1`, ... */
export function leavesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => sha256(leafData(toUtf8(`entry ${at}`))))
}
