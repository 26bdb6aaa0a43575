import { TlogError } from './error.ts'
import { type Sha256, emptyRoot, nodeData } from './hash.ts'

/** Hash of the complete subtree of 2^level leaves that is number `index` among those of its level. */
export type ReadNode = (level: number, index: number) => Uint8Array

/** Where nodes come from, and how new ones are made. */
export interface TreeReader {
  readonly sha256: Sha256
  readonly node: ReadNode
}

/** Root over the first `size` leaves. */
export function rootOf(tree: TreeReader, size: number): Uint8Array {
  assertCount(size, 'the size')
  return size === 0 ? emptyRoot(tree.sha256) : rangeHash(tree, 0, size)
}

/**
 * Audit path of a leaf, from its sibling up (RFC 6962, section 2.1.1).
 * @throws {TlogError} when there is no such leaf.
 */
export function inclusionProof(tree: TreeReader, index: number, size: number): Uint8Array[] {
  assertCount(index, 'the index')
  assertCount(size, 'the size')
  if (index >= size) throw new TlogError(`there is no entry ${index} in a tree of ${size}`)
  const path: Uint8Array[] = []
  let [from, to] = [0, size]
  while (to - from > 1) {
    const middle = from + splitOf(to - from)
    if (index < middle) {
      path.push(rangeHash(tree, middle, to))
      to = middle
    } else {
      path.push(rangeHash(tree, from, middle))
      from = middle
    }
  }
  return path.toReversed()
}

/**
 * Proof that the first `oldSize` leaves are the beginning of the first `size` (RFC 6962, section 2.1.2).
 * Empty for the empty tree and for two trees of one size.
 * @throws {TlogError} when the old tree is larger.
 */
export function consistencyProof(tree: TreeReader, oldSize: number, size: number): Uint8Array[] {
  assertCount(oldSize, 'the old size')
  assertCount(size, 'the size')
  if (oldSize > size) throw new TlogError(`a tree of ${oldSize} is not the beginning of one of ${size}`)
  if (oldSize === 0 || oldSize === size) return []
  const path: Uint8Array[] = []
  let [from, to] = [0, size]
  // The old tree's own part is known to the verifier as long as it is the whole of what was descended into.
  let isKnown = true
  while (oldSize !== to) {
    const middle = from + splitOf(to - from)
    if (oldSize <= middle) {
      path.push(rangeHash(tree, middle, to))
      to = middle
    } else {
      path.push(rangeHash(tree, from, middle))
      from = middle
      isKnown = false
    }
  }
  if (!isKnown) path.push(rangeHash(tree, from, to))
  return path.toReversed()
}

/** Hash over the leaves `from` to `to`, where `from` is a border of the tree that was descended into. */
function rangeHash(tree: TreeReader, from: number, to: number): Uint8Array {
  const count = to - from
  const level = log2Floor(count)
  if (2 ** level === count) return tree.node(level, from / count)
  const middle = from + 2 ** level
  return tree.sha256(nodeData(tree.node(level, from / 2 ** level), rangeHash(tree, middle, to)))
}

/** The largest power of two below `count`. */
export function splitOf(count: number): number {
  return 2 ** log2Floor(count - 1)
}

/** Works beyond 32 bits, which `Math.clz32` does not. */
export function log2Floor(count: number): number {
  return count < 2 ** 31 ? 31 - Math.clz32(count) : 31 + log2Floor(Math.floor(count / 2 ** 31))
}

function assertCount(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new TlogError(`${what} is not a whole number`)
}
