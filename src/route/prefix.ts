import type { Ask } from '#contract/ask.ts'
import { Lru } from '#kit/lru.ts'

/** Characters of one block: 64 tokens, as the routers of llm-d take them. */
const BLOCK_CHARS = 256
/** Blocks of a prompt that are looked at: 8,192 tokens. */
const MAX_BLOCKS = 128
/** Blocks that one server is taken to hold (llm-d's default). */
const HELD_BLOCKS = 31_250

/** The beginning of a prompt: one number for each block, which stands for it and everything before it. */
export type Prefix = readonly number[]

const NOTHING: Prefix = []

/**
 * Chained hashes over the prompt's first blocks, as a chat template would put it: tools, then messages with their
 * roles. Another `salt` makes other numbers throughout, as it makes another cache at the server.
 */
export function prefixOf(ask: Ask, salt: string): Prefix {
  const chain = new Chain(salt)
  for (const { name, description } of ask.tools) chain.add(`${name}${description ?? ''}`)
  for (const { role, parts } of ask.messages) {
    chain.add(role)
    for (const part of parts) if (part.type === 'text') chain.add(part.text)
    if (chain.isFull) break
  }
  return chain.blocks.length === 0 ? NOTHING : chain.blocks
}

class Chain {
  readonly blocks: number[] = []
  #hash: number
  #chars = 0

  constructor(salt: string) {
    this.#hash = mixText(0x2545f491, salt, 0, salt.length)
  }

  get isFull(): boolean {
    return this.blocks.length >= MAX_BLOCKS
  }

  add(text: string): void {
    let from = 0
    while (from < text.length && !this.isFull) {
      const to = Math.min(text.length, from + BLOCK_CHARS - this.#chars)
      this.#hash = mixText(this.#hash, text, from, to)
      this.#chars += to - from
      from = to
      if (this.#chars < BLOCK_CHARS) return
      this.blocks.push(this.#hash)
      this.#chars = 0
    }
  }
}

/** A multiplicative hash; two prompts that collide cost a cache miss, no more. */
function mixText(seed: number, text: string, from: number, to: number): number {
  let hash = seed
  for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x5bd1e995) ^ (hash >>> 15)
  return hash
}

/** Which shard has seen which beginnings, as far as it was us who sent them. */
export class PrefixIndex {
  readonly #held = new Map<string, Lru<number, true>>()

  /** The part of the prompt's blocks that the shard is taken to hold, 0 to 1. */
  match(shard: string, prefix: Prefix): number {
    const held = this.#held.get(shard)
    if (held === undefined || prefix.length === 0) return 0
    let hits = 0
    for (const block of prefix) {
      if (held.get(block) === undefined) break
      hits += 1
    }
    return hits / prefix.length
  }

  placed(shard: string, prefix: Prefix): void {
    if (prefix.length === 0) return
    let held = this.#held.get(shard)
    if (held === undefined) {
      held = new Lru(HELD_BLOCKS)
      this.#held.set(shard, held)
    }
    for (const block of prefix) held.set(block, true)
  }

  /** Its cache went with its instance. */
  forget(shard: string): void {
    this.#held.delete(shard)
  }
}

/** The block that stands for a prompt's beginning: 256 tokens in, behind what many prompts open with. */
const KEY_BLOCK = 4

/**
 * A number by which shards bid for a prompt that nobody holds: every gateway computes the same one, and another shard
 * more or less moves no more than its own share (rendezvous hashing).
 */
export function bid(shard: string, prefix: Prefix): number {
  let hash = mixText(prefix[Math.min(prefix.length, KEY_BLOCK) - 1] ?? 0, shard, 0, shard.length)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
