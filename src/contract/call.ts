import type { Ask, Dialect } from './ask.ts'
import type { Source } from './context.ts'
import type { Trip } from './crossing.ts'
import type { Batch } from './event.ts'
import type { RateNotes } from './limit.ts'

/** One request as wire/ hands it to the journey. */
export interface Call {
  readonly dialect: Dialect
  readonly authorization: string | undefined
  readonly apiKey: string | undefined
  /** The caller's `cache-control`: `no-cache` and `no-store` are heeded. */
  readonly cacheControl?: string | undefined
  readonly trip: Trip
  /** Address that the request came from. */
  readonly peer: string
  /** Reads and decodes the body; called once, after the caller is known. `seen` is told the body's text. */
  readonly ask: (seen: (body: string) => void) => Promise<Ask>
}

/** What the journey gives back once the first content is here. */
export interface Served {
  readonly ask: Ask
  readonly target: string
  /** Where the answer is from: `cached` with its age in seconds, `shared`, or empty where none is kept. */
  readonly cache: string
  /** Fields of the request that the target did not get, by the names of the caller's dialect. */
  readonly dropped: readonly string[]
  readonly sources: readonly Source[]
  /** Value of the `server-timing` header: the stages so far. */
  readonly serverTiming: string
  /** Whether the answer is kept, so that a later request can go on from it. */
  readonly isStored: boolean
  /** How near the caller is to the limits that apply; undefined when none does. */
  readonly rates?: RateNotes | undefined
  readonly batches: AsyncIterable<Batch>
}

/** The id by which a caller names an answer later: OpenAI's `resp_...`. */
export function answerId(requestId: string): string {
  return `resp_${requestId}`
}
