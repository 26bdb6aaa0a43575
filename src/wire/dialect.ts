import type { Ask, Dialect } from '#contract/ask.ts'
import type { Batch } from '#contract/event.ts'
import type { Refusal } from '#contract/refusal.ts'
import type { Source } from '#contract/context.ts'

/** A header of the request by its lower-case name. */
export type Header = (name: string) => string | undefined

/** What one wire format needs, in one object a dialect; folders openai/ and anthropic/ each make one. */
export interface WireDialect {
  readonly dialect: Dialect
  /** @throws {Refusal} WIRE_MALFORMED, WIRE_UNSUPPORTED with the path of the field. */
  readonly decode: (body: string, header: Header) => Ask
  /** The body of an error answer. */
  readonly error: (refusal: Refusal, requestId: string) => string
  /** Encodes a stream, batch by batch. */
  readonly streamEncoder: (answer: AnswerFacts) => StreamEncoder
  /** Collects an answer into one JSON document. */
  readonly wholeEncoder: (answer: AnswerFacts) => WholeEncoder
}

export interface StreamEncoder {
  readonly push: (batch: Batch) => string
  /** An error inside the stream that has begun; nothing that says "done" may follow it. */
  readonly fail: (refusal: Refusal) => string
}

export interface WholeEncoder {
  readonly push: (batch: Batch) => void
  readonly end: () => string
}

export interface AnswerFacts {
  readonly requestId: string
  /** What the client is told as the model: the alias that it named. */
  readonly alias: string
  readonly target: string
  readonly createdEpochS: number
  readonly includeUsage: boolean
  /** What was asked, for dialects that say it again in the answer. */
  readonly ask: Ask
  readonly sources: readonly Source[]
  /** Whether a later request can go on from this answer. */
  readonly isStored: boolean
}

/** What Thinplane adds to an answer, under the key `thinplane`: where it came from and what it rests on. */
export function answerNote(answer: AnswerFacts): object {
  const sources = answer.sources.map(({ collection, document, title, heading, page }) => ({
    collection,
    document,
    title,
    ...(heading === '' ? {} : { heading }),
    ...(page === 0 ? {} : { page }),
  }))
  return { request_id: answer.requestId, target: answer.target, ...(sources.length === 0 ? {} : { sources }) }
}
