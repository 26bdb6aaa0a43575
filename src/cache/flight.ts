import type { Batch } from '#contract/event.ts'
import type { Target } from '#contract/target.ts'

/** An answer that has begun, as infer/ gives it. */
export interface BegunAnswer {
  readonly target: Target
  readonly dropped: readonly string[]
  readonly batches: AsyncIterable<Batch>
}

/**
 * One call whose answer several callers read: each from its beginning, at a pace of its own. It goes on as long as
 * somebody reads, whoever began it.
 */
export class Flight {
  readonly #batches: Batch[] = []
  readonly #begun = Promise.withResolvers<BegunAnswer>()
  readonly #abort = new AbortController()
  #wakes: (() => void)[] = []
  #readers = 0
  #ended = false
  #error: Error | undefined
  #source: AsyncIterator<Batch> | undefined
  readonly #onWhole: (batches: readonly Batch[], begun: BegunAnswer) => void
  readonly #onOver: () => void

  /** `onWhole` is told of the whole answer; `onOver` when nobody can join any more. */
  constructor(onWhole: (batches: readonly Batch[], begun: BegunAnswer) => void, onOver: () => void) {
    this.#onWhole = onWhole
    this.#onOver = onOver
    this.#begun.promise.catch(() => undefined)
  }

  /** Aborts when nobody reads any more: for the call itself. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Makes the call; its outcome is everybody's. */
  start(call: () => Promise<BegunAnswer>): void {
    call().then(
      (begun) => {
        this.#begun.resolve(begun)
        void this.#pump(begun)
      },
      (error: unknown) => {
        this.#onOver()
        this.#begun.reject(error)
      },
    )
  }

  /** Takes part. Resolves when the first content is here; rejects at once when `signal` aborts. */
  async join(signal: AbortSignal): Promise<BegunAnswer> {
    this.#readers += 1
    const left = Promise.withResolvers<never>()
    left.promise.catch(() => undefined)
    const leave = (): void => left.reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    try {
      const { target, dropped } = await Promise.race([this.#begun.promise, left.promise])
      return { target, dropped, batches: this.#reader() }
    } catch (error) {
      this.#left()
      throw error
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  async #pump(begun: BegunAnswer): Promise<void> {
    const source = begun.batches[Symbol.asyncIterator]()
    this.#source = source
    try {
      for (;;) {
        const step = await source.next()
        if (step.done === true) break
        this.#batches.push(step.value)
        this.#wakeAll()
        if (step.value.some(({ type }) => type === 'end')) {
          this.#onWhole(this.#batches, begun)
          break
        }
      }
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error))
    }
    this.#ended = true
    this.#onOver()
    this.#wakeAll()
  }

  #reader(): AsyncIterable<Batch> {
    let at = 0
    let isOver = false
    const over = (): void => {
      if (isOver) return
      isOver = true
      this.#left()
    }
    const next = async (): Promise<IteratorResult<Batch>> => {
      for (;;) {
        const batch = this.#batches[at]
        if (batch !== undefined) {
          at += 1
          return { done: false, value: batch }
        }
        if (this.#ended) {
          over()
          if (this.#error !== undefined) throw this.#error
          return { done: true, value: undefined }
        }
        await new Promise<void>((resolve) => this.#wakes.push(resolve))
      }
    }
    return {
      [Symbol.asyncIterator]: () => ({
        next,
        return: () => {
          over()
          return Promise.resolve({ done: true, value: undefined })
        },
      }),
    }
  }

  #left(): void {
    this.#readers -= 1
    if (this.#readers > 0 || this.#ended) return
    this.#onOver()
    this.#abort.abort()
    void this.#source?.return?.()
  }

  #wakeAll(): void {
    const wakes = this.#wakes
    this.#wakes = []
    for (const wake of wakes) wake()
  }
}
