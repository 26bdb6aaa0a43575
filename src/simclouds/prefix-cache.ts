import { hash } from 'node:crypto'

/** Tokens in a block of vLLM's cache, its default. */
export const BLOCK_TOKENS = 16
/** The stand-in's token: four characters from the start of the text, so that equal beginnings are equal tokens. */
export const TOKEN_CHARS = 4

/** What a request holds of the cache while it runs. */
export interface Lease {
  /** Tokens of the prompt that need not be computed. */
  readonly cachedTokens: number
  /** Makes the blocks that are computed by now findable for others. */
  commit(hashes: readonly string[]): void
  /** Gives everything back; what was committed stays findable until its place is needed. */
  release(): void
}

/**
 * Names of the full blocks of a text. Each depends on all before it and on the salt, so that nothing is found behind
 * another beginning or with another salt.
 */
export function blockHashes(text: string, salt: string | undefined): readonly string[] {
  const blockChars = BLOCK_TOKENS * TOKEN_CHARS
  const hashes: string[] = []
  let parent = salt === undefined ? '' : `salt ${salt}`
  for (let end = blockChars; end <= text.length; end += blockChars) {
    parent = hash('sha256', `${parent}\n${text.slice(end - blockChars, end)}`, 'base64url')
    hashes.push(parent)
  }
  return hashes
}

/** Tokens of a text as the cache counts them, at least 1. */
export function tokensOf(text: string): number {
  return Math.max(1, Math.ceil(text.length / TOKEN_CHARS))
}

/**
 * vLLM's automatic prefix cache over a fixed number of blocks: blocks in use are counted by their users, those without
 * any are forgotten in the order in which they were last used, ends before beginnings.
 */
export class PrefixCache {
  readonly #capacity: number
  readonly #users = new Map<string, number>()
  /** Findable blocks that nobody uses, least recently used first. */
  readonly #idle = new Set<string>()
  /** Blocks in use that can not be found: not computed yet, or there twice. */
  #hidden = 0

  /** @param numGpuBlocks Blocks that the memory holds. */
  constructor(numGpuBlocks: number) {
    this.#capacity = numGpuBlocks
  }

  /** Share of the blocks that running requests use, 0 to 1; what is only kept counts as free, as vLLM counts it. */
  get usage(): number {
    return (this.#users.size + this.#hidden) / this.#capacity
  }

  /** Takes so many blocks, those that are known from the beginning on included; undefined when too few are free. */
  take(hashes: readonly string[], promptTokens: number, blocks: number): Lease | undefined {
    const hits = this.#hits(hashes, promptTokens)
    const fresh = Math.min(blocks, this.#capacity) - hits.length
    const newlyUsed = hits.filter((each) => this.#idle.has(each)).length
    if (this.#users.size + this.#hidden + newlyUsed + fresh > this.#capacity) return undefined
    for (const each of hits) this.#use(each)
    this.#hidden += fresh
    this.#evict()
    return this.#lease(hits, fresh)
  }

  #lease(hits: readonly string[], fresh: number): Lease {
    const held = [...hits]
    let hidden = fresh
    let committed = hits.length
    return {
      cachedTokens: hits.length * BLOCK_TOKENS,
      commit: (hashes) => {
        for (const each of hashes.slice(committed)) {
          committed += 1
          // Somebody else computed the same in the meantime: this copy stays what it is.
          if (hidden === 0 || this.#users.has(each) || this.#idle.has(each)) continue
          hidden -= 1
          this.#hidden -= 1
          held.push(each)
          this.#users.set(each, 1)
        }
      },
      release: () => {
        this.#hidden -= hidden
        hidden = 0
        for (const each of held.splice(0).toReversed()) this.#leave(each)
      },
    }
  }

  /** At least one token is always computed: its logits are the answer's beginning. */
  #hits(hashes: readonly string[], promptTokens: number): readonly string[] {
    const findable = hashes.slice(0, Math.floor((promptTokens - 1) / BLOCK_TOKENS))
    const unknown = findable.findIndex((each) => !this.#users.has(each) && !this.#idle.has(each))
    return unknown === -1 ? findable : findable.slice(0, unknown)
  }

  #use(each: string): void {
    this.#idle.delete(each)
    this.#users.set(each, (this.#users.get(each) ?? 0) + 1)
  }

  #leave(each: string): void {
    const users = (this.#users.get(each) ?? 1) - 1
    if (users > 0) {
      this.#users.set(each, users)
      return
    }
    this.#users.delete(each)
    this.#idle.add(each)
  }

  #evict(): void {
    const isOver = (): boolean => this.#users.size + this.#hidden + this.#idle.size > this.#capacity
    for (const each of this.#idle) {
      if (!isOver()) return
      this.#idle.delete(each)
    }
  }
}
