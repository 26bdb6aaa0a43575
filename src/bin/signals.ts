/** Resolves at the first request to stop: Ctrl-C, a termination, or the parent process being gone. */
export function untilStopped(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal))
    process.once('disconnect', () => resolve('the parent process ended'))
  })
}

/** Says to a parent process that this one is ready. */
export function tellParent(message: object): void {
  process.send?.(message)
}
