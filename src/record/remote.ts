import type { RemoteSpan } from '#contract/context.ts'
import type { Crossing } from '#contract/crossing.ts'
import type { StageTime } from '#contract/entry.ts'

/**
 * Spans that another process reported, on our clock: its work is taken to lie in the middle of the call that it
 * answered, which cancels the difference of the clocks (as NTP does). None may begin before the call or end after it.
 */
export function remoteStages(spans: readonly RemoteSpan[], crossing: Crossing, requestEpochMs: number): StageTime[] {
  if (spans.length === 0) return []
  const remoteStart = Math.min(...spans.map(({ startEpochMs }) => startEpochMs))
  const remoteEnd = Math.max(...spans.map(({ startEpochMs, ms }) => startEpochMs + ms))
  const offsetMs = (remoteStart - crossing.atEpochMs + (remoteEnd - (crossing.atEpochMs + crossing.ms))) / 2
  return spans.map(({ name, startEpochMs, ms }) => {
    const start = Math.max(0, startEpochMs - offsetMs - crossing.atEpochMs)
    const own = Math.max(0, Math.min(ms, crossing.ms - start))
    return {
      ms: round(own),
      place: crossing.to,
      stage: name,
      startMs: round(crossing.atEpochMs - requestEpochMs + start),
    }
  })
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
