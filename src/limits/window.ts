/** Calendar windows in UTC. */
export type LimitWindow = 'minute' | 'hour' | 'day' | 'month'

/** Epoch milliseconds; `endMs` belongs to the next one. */
export interface Span {
  readonly startMs: number
  readonly endMs: number
}

const LENGTH_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

/** The window that a moment lies in. */
export function windowAt(window: LimitWindow, epochMs: number): Span {
  if (window === 'month') {
    const at = new Date(epochMs)
    const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()]
    return { startMs: Date.UTC(year, month), endMs: Date.UTC(year, month + 1) }
  }
  const length = LENGTH_MS[window]
  const startMs = Math.floor(epochMs / length) * length
  return { startMs, endMs: startMs + length }
}
