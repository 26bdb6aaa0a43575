import { asRecord, asText, parseJson } from '#kit/json.ts'

/** What of an entry is searched for. The one place that knows where it stands in the JSON. */
export interface EntryFacts {
  /** Request id, or empty for an entry that is of no request. */
  readonly id: string
  /** Epoch milliseconds. */
  readonly timeMs: number
  readonly subject: string
  readonly tenant: string
  readonly alias: string
  readonly target: string
  readonly outcome: string
  readonly code: string
}

/** Facts of one entry; empty ones where it has none. */
export function factsOf(json: string): EntryFacts {
  const entry = asRecord(parseJson(json)) ?? {}
  const principal = asRecord(entry['principal'])
  const timeMs = entry['atEpochMs']
  return {
    id: asText(entry['id']) ?? '',
    timeMs: typeof timeMs === 'number' && Number.isFinite(timeMs) ? timeMs : 0,
    subject: asText(principal?.['subject']) ?? '',
    tenant: asText(principal?.['tenant']) ?? '',
    alias: asText(entry['alias']) ?? '',
    target: asText(entry['target']) ?? '',
    outcome: asText(entry['outcome']) ?? '',
    code: asText(entry['code']) ?? '',
  }
}

/** First entry of a log that follows one which can not be continued. */
export function logBeginsEntry(facts: {
  readonly timeMs: number
  /** The new log's name. */
  readonly origin: string
  /** The last signed checkpoint of the log before it; empty when none was signed. */
  readonly previousCheckpoint: string
  readonly reason: string
}): object {
  const { timeMs, origin, previousCheckpoint, reason } = facts
  return { atEpochMs: timeMs, id: `log-begins-${timeMs}`, origin, previousCheckpoint, reason, v: 1 }
}
