import type { Ask, Dialect } from '#contract/ask.ts'
import type { Batch } from '#contract/event.ts'
import type { Refusal } from '#contract/refusal.ts'
import type { Source } from '#contract/context.ts'

/** What one wire format needs, in one object a dialect; folders openai/ and anthropic/ each make one. */
export interface WireDialect {
  readonly dialect: Dialect
  /** @throws {Refusal} WIRE_MALFORMED, WIRE_UNSUPPORTED with the path of the field. */
  readonly decode: (body: string) => Ask
  /** The body of an error answer. */
  readonly error: (refusal: Refusal, requestId: string) => string
  /** An error inside a stream that has begun; nothing that says "done" may follow it. */
  readonly streamError: (refusal: Refusal, requestId: string) => string
  /** Encodes a stream, batch by batch. */
  readonly streamEncoder: (answer: AnswerFacts) => (batch: Batch) => string
  /** Collects an answer into one JSON document. */
  readonly wholeEncoder: (answer: AnswerFacts) => { readonly push: (batch: Batch) => void; readonly end: () => string }
}

export interface AnswerFacts {
  readonly requestId: string
  /** What the client is told as the model: the alias that it named. */
  readonly alias: string
  readonly target: string
  readonly createdEpochS: number
  readonly includeUsage: boolean
  readonly sources: readonly Source[]
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
