import { type Sha256, emptyRoot, nodeData } from './hash.ts'

/** The right edge of a growing tree: as many hashes as its size has ones in binary, and nothing else to keep. */
export class Frontier {
  readonly #sha256: Sha256
  /** Roots of complete subtrees, the largest first. */
  readonly #roots: Uint8Array[] = []
  #size = 0

  constructor(sha256: Sha256) {
    this.#sha256 = sha256
  }

  get size(): number {
    return this.#size
  }

  push(leafHash: Uint8Array): void {
    let hash = leafHash
    // Each one at the end of the size in binary is a subtree as large as the one that has just come to be.
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.#roots.pop()
      if (left !== undefined) hash = this.#sha256(nodeData(left, hash))
    }
    this.#roots.push(hash)
    this.#size += 1
  }

  root(): Uint8Array {
    const last = this.#roots.at(-1)
    if (last === undefined) return emptyRoot(this.#sha256)
    return this.#roots.slice(0, -1).reduceRight((right, left) => this.#sha256(nodeData(left, right)), last)
  }
}
