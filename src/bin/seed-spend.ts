import type { Spend } from '#policy/spend.ts'
import { entryOf } from '#record/ocsf.ts'
import { listSegments } from '#record/segment.ts'
import { Follower } from '#record/ship/follow.ts'

const DAY_MS = 86_400_000
/** Bytes of entries between two turns of the event loop. */
const TURN_BYTES = 131_072

/**
 * Counts what callers spent today before this process started, from the log's entries below `until`. Runs beside
 * requests, a little at a time; a budget is known in full when it resolves.
 * @param audit Folder of the log.
 */
export async function seedSpend(spend: Spend, audit: string, until: number, nowEpochMs: number): Promise<void> {
  const follower = new Follower(audit)
  try {
    let index = await firstOfDay(follower, audit, until, Math.floor(nowEpochMs / DAY_MS) * DAY_MS)
    while (index < until) {
      const batch = await follower.read(index, until, TURN_BYTES)
      if (batch.length === 0) return
      for (const { json } of batch) {
        const entry = entryOf(json)
        if (entry !== undefined) spend.entry(entry)
      }
      index += batch.length
      await new Promise((resolve) => setImmediate(resolve))
    }
  } finally {
    await follower.close()
  }
}

/** Index from which to read: the first of the newest segment that begins before the day. */
async function firstOfDay(follower: Follower, audit: string, until: number, midnightMs: number): Promise<number> {
  const segments = (await listSegments(audit)).filter((first) => first < until)
  for (const first of segments.toReversed()) {
    const [entry] = await follower.read(first, first + 1, 1)
    if (entry === undefined || timeOf(entry.json) < midnightMs) return first
  }
  return segments[0] ?? until
}

function timeOf(json: string): number {
  return Number(/"time":(\d+)/.exec(json)?.[1] ?? 0)
}
