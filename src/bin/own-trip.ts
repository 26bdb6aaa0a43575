import type { Trip } from '#contract/crossing.ts'

/** A trip for calls of the process itself, which belong to no request. */
export function ownTrip(): Trip {
  return {
    requestId: '',
    traceId: '0'.repeat(31) + '1',
    sampled: false,
    signal: new AbortController().signal,
    crossings: [],
    calls: new Map(),
  }
}
