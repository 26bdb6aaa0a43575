/** When an answer must be on its way, and what is given up for it. */
export interface Deadline {
  /** Milliseconds that the request had at its beginning. */
  readonly totalMs: number
  /** Milliseconds left, at least 0. */
  leftMs(): number
  /**
   * What `work` gives before the deadline, or before `limitMs` if that is less; undefined when it is late. The signal
   * that it is given fires when it is given up.
   *
   * @throws what `work` throws in time; the caller's reason when it has gone.
   */
  within<Result>(work: (signal: AbortSignal) => Promise<Result>, limitMs?: number): Promise<Result | undefined>
}

/** The deadline of a request whose caller waits `totalMs`; `gone` fires when the caller leaves. */
export function openDeadline(totalMs: number, gone: AbortSignal): Deadline {
  const endsAtMs = performance.now() + totalMs
  const leftMs = () => Math.max(0, endsAtMs - performance.now())
  return {
    totalMs,
    leftMs,
    async within<Result>(work: (signal: AbortSignal) => Promise<Result>, limitMs = Number.POSITIVE_INFINITY) {
      gone.throwIfAborted()
      const late = Promise.withResolvers<undefined>()
      const given = new AbortController()
      const giveUp = (reason: unknown): void => given.abort(reason)
      const timer = setTimeout(() => late.resolve(undefined), Math.min(leftMs(), limitMs))
      const leave = (): void => late.reject(gone.reason)
      gone.addEventListener('abort', leave, { once: true })
      try {
        // Given up, it may still fail: the race has taken care of that.
        return await Promise.race([work(given.signal), late.promise])
      } finally {
        clearTimeout(timer)
        gone.removeEventListener('abort', leave)
        giveUp(new Error('the answer is not waited for any more'))
      }
    },
  }
}
