/** The line is full. */
export class TooBusy extends Error {
  constructor(waiting: number) {
    super(`${waiting} requests wait for the model already, try again in a few seconds`)
    this.name = 'TooBusy'
  }
}

/** One at a time, in the order of arrival; at most `maxWaiting` behind the one whose turn it is. */
export class Turns {
  readonly #maxWaiting: number
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting
  }

  /**
   * Runs `job` when its turn comes.
   * @throws {TooBusy} at once when the line is full; the signal's reason when it aborts before the turn.
   */
  async take<T>(signal: AbortSignal, job: () => Promise<T>): Promise<T> {
    if (this.#isTaken) await this.#wait(signal)
    this.#isTaken = true
    try {
      signal.throwIfAborted()
      return await job()
    } finally {
      this.#isTaken = false
      this.#waiting.shift()?.()
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#maxWaiting) throw new TooBusy(this.#waiting.length)
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        // Taken before the next microtask: nobody who arrives in between gets past.
        this.#isTaken = true
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(turn)
    })
  }
}
