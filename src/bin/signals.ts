/** A second Ctrl-C within this time is the first one again: npm passes on what the terminal has sent already. */
const ECHO_MS = 1000

/**
 * Resolves at the first request to stop: Ctrl-C, a termination, or the parent process being gone.
 * Whoever presses Ctrl-C once more, later, does not want to wait: the process ends at once.
 */
export function untilStopped(): Promise<string> {
  return new Promise((resolve) => {
    let stoppedAt: number | undefined
    const stop = (why: string): void => {
      const now = performance.now()
      if (stoppedAt === undefined) {
        stoppedAt = now
        resolve(why)
      } else if (why === 'SIGINT' && now - stoppedAt > ECHO_MS) process.exit(130)
    }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal))
    process.on('disconnect', () => stop('the parent process ended'))
  })
}

/** Says to a parent process that this one is ready. */
export function tellParent(message: object): void {
  process.send?.(message)
}
