import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'

/** Timers fire up to a millisecond late, which would double the round trip inside one metro: the rest is spun. */
const TIMER_SLACK_MS = 1.2

/** Waits until `performance.now()` reaches `atMs`, to about 0.1 ms. Returns early when the signal aborts. */
export async function waitUntil(atMs: number, signal: AbortSignal): Promise<void> {
  const coarse = Math.floor(atMs - performance.now() - TIMER_SLACK_MS)
  if (coarse >= 1) await waitRoughly(coarse, signal)
  while (performance.now() < atMs && !signal.aborted) await nextTurn()
}

/** Waits about so many milliseconds. Returns early when the signal aborts. */
export async function waitRoughly(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  try {
    await sleep(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Waits until the signal aborts. */
export async function waitForAbort(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
}

/** How fast a model talks. */
export interface Pace {
  /** Milliseconds from the request to the first piece. */
  readonly firstTokenMs: number
  /** Milliseconds between two pieces. 0: as fast as possible. */
  readonly tokenMs: number
}

/** Gives the pieces out at a steady pace; a late timer does not delay those that follow. */
export async function* paced(pieces: readonly string[], pace: Pace, signal: AbortSignal): AsyncGenerator<string> {
  const startMs = performance.now() + pace.firstTokenMs
  for (const [index, piece] of pieces.entries()) {
    const dueInMs = startMs + index * pace.tokenMs - performance.now()
    if (dueInMs >= 1) await waitRoughly(dueInMs, signal)
    if (signal.aborted) return
    yield piece
  }
}
