import { setImmediate as nextTurn } from 'node:timers/promises'

/** What simulated machines measure their time with: milliseconds of the model, which may run faster than the wall's. */
export interface Clock {
  nowMs(): number
  /** Calls back once, after so many milliseconds. @returns what takes it back. */
  after(ms: number, run: () => void): () => void
}

/** Timers fire up to a millisecond late, which compressed time multiplies: from this scale on the rest is spun. */
const SPUN_FROM_SCALE = 20
const TIMER_SLACK_MS = 1.2

/** The wall's clock, `scale` times as fast. Its timers keep no process alive. */
export function realClock(scale = 1): Clock {
  return {
    nowMs: () => performance.now() * scale,
    after: (ms, run) => (scale >= SPUN_FROM_SCALE ? precisely(ms / scale, run) : roughly(ms / scale, run)),
  }
}

function roughly(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}

function precisely(ms: number, run: () => void): () => void {
  const dueAt = performance.now() + ms
  let isOff = false
  const spin = async (): Promise<void> => {
    while (performance.now() < dueAt && !isOff) await nextTurn()
    if (!isOff) run()
  }
  const timer = setTimeout(() => void spin(), Math.max(0, ms - TIMER_SLACK_MS)).unref()
  return () => {
    isOff = true
    clearTimeout(timer)
  }
}

/** Waits by a clock. Returns early when the signal aborts. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const takeBack = clock.after(ms, resolve)
  const leave = (): void => {
    takeBack()
    resolve()
  }
  signal.addEventListener('abort', leave, { once: true })
  await promise
  signal.removeEventListener('abort', leave)
}
