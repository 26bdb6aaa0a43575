/** A clock that stands still until a test moves it. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from './clock.ts'

export class ManualClock implements Clock {
  #nowMs = 0
  readonly #due: { readonly atMs: number; readonly run: () => void }[] = []

  nowMs(): number {
    return this.#nowMs
  }

  after(ms: number, run: () => void): () => void {
    const entry = { atMs: this.#nowMs + Math.max(0, ms), run }
    this.#due.push(entry)
    return () => {
      const index = this.#due.indexOf(entry)
      if (index !== -1) this.#due.splice(index, 1)
    }
  }

  /** Moves on, and runs what falls due on the way, each at its own time. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await nextTurn()
    for (;;) {
      const next = this.#due.toSorted((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined || next.atMs > endMs) break
      this.#due.splice(this.#due.indexOf(next), 1)
      this.#nowMs = next.atMs
      next.run()
      await nextTurn()
    }
    this.#nowMs = endMs
    await nextTurn()
  }
}
