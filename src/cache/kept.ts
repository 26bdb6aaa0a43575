import type { Batch } from '#contract/event.ts'

/** One whole answer as the model gave it: placeholders in it, nothing restored. */
export interface Kept {
  readonly batches: readonly Batch[]
  readonly target: string
  /** Fields of the request that the target did not get. */
  readonly dropped: readonly string[]
  /** On the cache's clock, in milliseconds. */
  readonly atMs: number
}

interface Held {
  readonly kept: Kept
  readonly bytes: number
  readonly untilMs: number
}

/** The longest answer that is kept, as a part of the whole room. */
const LARGEST_PART = 0.1

/** Whole answers by key, bounded in bytes; the least recently used give way. In memory only. */
export class KeptAnswers {
  readonly #held = new Map<string, Held>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  get(key: string, nowMs: number): Kept | undefined {
    const held = this.#held.get(key)
    if (held === undefined) return undefined
    this.#held.delete(key)
    if (held.untilMs <= nowMs) {
      this.#bytes -= held.bytes
      return undefined
    }
    this.#held.set(key, held)
    return held.kept
  }

  set(key: string, kept: Kept, limits: { readonly seconds: number; readonly bytes: number }): void {
    const bytes = 2 * (key.length + JSON.stringify(kept.batches).length)
    if (bytes > limits.bytes * LARGEST_PART) return
    const known = this.#held.get(key)
    if (known !== undefined) this.#drop(key, known)
    this.#held.set(key, { kept, bytes, untilMs: kept.atMs + limits.seconds * 1000 })
    this.#bytes += bytes
    for (const [oldKey, old] of this.#held) {
      if (this.#bytes <= limits.bytes) break
      this.#drop(oldKey, old)
    }
  }

  #drop(key: string, { bytes }: Held): void {
    this.#held.delete(key)
    this.#bytes -= bytes
  }
}
