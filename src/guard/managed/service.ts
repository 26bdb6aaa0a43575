import type { Credential, Cross, Trip } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import type { Finding } from '#contract/screened.ts'

/** A text that a model would see, scrubbed by the in-process detectors. */
export interface Segment {
  readonly text: string
  /** Who wrote it: a person or program that asks, or something that was fetched and may carry orders of its own. */
  readonly kind: 'prompt' | 'document'
}

/** What a service says about some segments. A service that can not say something says nothing: it throws. */
export interface Judgement {
  /** Worst severity by category, 0 to 7. */
  readonly severities: ReadonlyMap<string, number>
  /** For each segment, what has to be replaced in it; offsets in UTF-16 code units. */
  readonly spans: readonly (readonly Finding[])[]
  /** Records that the service bills: texts of up to 1,000 characters. */
  readonly records: number
}

/** A managed check in some cloud. */
export interface ManagedService {
  readonly name: string
  /** Version of the service and of what is asked of it: part of the key under which verdicts are kept. */
  readonly version: string
  readonly place: Place
  readonly usdPerThousandRecords: number
  /** @throws when there is no verdict for all of it. */
  judge(segments: readonly Segment[], trip: Trip): Promise<Judgement>
}

/** A managed check of what a model said. */
export interface AnswerService {
  readonly name: string
  readonly place: Place
  readonly usdPerThousandRecords: number
  /** @throws when there is no verdict for all of it. */
  judge(text: string, trip: Trip): Promise<{ readonly isFound: boolean; readonly records: number }>
}

/** How a service is reached. */
export interface ServiceAccess {
  readonly endpoint: string
  readonly place: Place
  readonly credential: Credential
  /** Milliseconds for one call. */
  readonly timeoutMs: number
  readonly usdPerThousandRecords: number
}

/** Characters of one record. */
const RECORD_CHARS = 1000
const MAX_ANSWER_BYTES = 1_048_576

/** Records that one text is billed as. */
export function recordsOf(text: string): number {
  return Math.max(1, Math.ceil(text.length / RECORD_CHARS))
}

/** One call; the parsed body of a 200. @throws for every other answer. */
export async function ask(
  cross: Cross,
  trip: Trip,
  access: ServiceAccess,
  path: string,
  body: unknown,
): Promise<unknown> {
  const { endpoint, place, credential, timeoutMs } = access
  const answer = await cross(trip, {
    layer: 'safety',
    to: place,
    method: 'POST',
    url: `${endpoint}${path}`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(body),
    credential,
    connectMs: timeoutMs,
    firstByteMs: timeoutMs,
    idleMs: timeoutMs,
    totalMs: timeoutMs,
    maxAnswerBytes: MAX_ANSWER_BYTES,
  })
  const text = await answer.text()
  if (answer.status !== 200) throw new NoVerdict(`answered ${answer.status}`)
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new NoVerdict('answered something that is not JSON')
  }
}

/** A service gave no verdict. The message names statuses and fields, never a text. */
export class NoVerdict extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'NoVerdict'
  }
}
