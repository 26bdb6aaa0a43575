import type { Message } from '#contract/ask.ts'

/** Bounds of what is kept. */
export interface KeepLimits {
  /** Minutes that an answer is kept; 0: none is. */
  readonly minutes: number
  /** Bytes of text in all; the oldest give way. */
  readonly bytes: number
}

interface Kept {
  readonly messages: readonly Message[]
  readonly bytes: number
  readonly expiresAtEpochMs: number
}

/**
 * Conversations as they stood after an answer, by whose they are and the answer's id. In memory only: nothing of them
 * is written down, and a restart forgets them.
 */
export class Answers {
  readonly #kept = new Map<string, Kept>()
  readonly #nowEpochMs: () => number
  #bytes = 0

  constructor(nowEpochMs: () => number) {
    this.#nowEpochMs = nowEpochMs
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): readonly Message[] | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    if (kept.expiresAtEpochMs > this.#nowEpochMs()) return kept.messages
    this.#drop(key, kept)
    return undefined
  }

  set(key: string, messages: readonly Message[], { minutes, bytes: most }: KeepLimits): void {
    const bytes = 2 * JSON.stringify(messages).length
    if (bytes > most) return
    const known = this.#kept.get(key)
    if (known !== undefined) this.#drop(key, known)
    this.#kept.set(key, { messages, bytes, expiresAtEpochMs: this.#nowEpochMs() + minutes * 60_000 })
    this.#bytes += bytes
    const now = this.#nowEpochMs()
    for (const [oldKey, old] of this.#kept) {
      if (this.#bytes <= most && old.expiresAtEpochMs > now) break
      this.#drop(oldKey, old)
    }
  }

  #drop(key: string, { bytes }: Kept): void {
    this.#kept.delete(key)
    this.#bytes -= bytes
  }
}
