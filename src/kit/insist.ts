/** Between two attempts. */
const AGAIN_MS = 50

/**
 * Calls `act` when the signal fires, and again until the function that it returns is called: for what only stops work
 * that has begun, and is lost when it comes a moment before. A signal that has fired already counts.
 */
export function insist(signal: AbortSignal, act: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const begin = (): void => {
    act()
    timer = setInterval(act, AGAIN_MS)
  }
  if (signal.aborted) begin()
  else signal.addEventListener('abort', begin, { once: true })
  return () => {
    signal.removeEventListener('abort', begin)
    clearInterval(timer)
  }
}
