import type { ContextAnswer, Passage, PassportClaims, RemoteSpan } from '#contract/context.ts'
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Candidate } from '#dataplane/retrieve/rank.ts'

/** What an answer is made of. */
export interface AnswerParts {
  readonly agent: string
  readonly claims: PassportClaims
  /** Best first. */
  readonly candidates: readonly Candidate[]
  readonly missing: readonly string[]
  readonly spans: readonly RemoteSpan[]
  readonly atEpochMs: number
}

const Findings = z.array(
  z.object({ type: z.string(), start: z.number(), end: z.number(), score: z.number(), detector: z.string() }),
)

/** The answer with as many of the best passages as its JSON has room for. */
export function composeAnswer(parts: AnswerParts, maxBytes: number): ContextAnswer {
  const passages = parts.candidates.map(toPassage)
  for (let count = passages.length; count > 0; count -= 1) {
    const answer = answerWith(parts, passages.slice(0, count), passages.length - count, maxBytes)
    if (jsonBytes(answer) <= maxBytes) return answer
  }
  return answerWith(parts, [], passages.length, maxBytes)
}

function answerWith(
  parts: AnswerParts,
  passages: readonly Passage[],
  dropped: number,
  maxBytes: number,
): ContextAnswer {
  const { agent, claims, spans, atEpochMs } = parts
  const missing =
    dropped === 0
      ? parts.missing
      : [...parts.missing, `${dropped} of the passages found did not fit into ${maxBytes} bytes`]
  return {
    passages,
    rows: [],
    items: [],
    receipt: {
      agent,
      requestId: claims.jti,
      subject: claims.sub,
      tenant: claims.tenant,
      reads: passages.map(({ text, source }) => ({
        collection: source.collection,
        document: source.document,
        digest: createHash('sha256').update(text).digest('hex'),
      })),
      bytes: passages.length === 0 ? 0 : jsonBytes(passages),
      atEpochMs,
    },
    missing,
    spans,
  }
}

function toPassage({ collection, passage, score }: Candidate): Passage {
  const { document, title, heading, page, start, end, text, rules, findings } = passage
  return {
    text,
    source: { collection, document, title, heading, page, start, end },
    score: Math.round(score * 1e6) / 1e6,
    tokens: Math.ceil(text.length / 4),
    screened: { rules, findings: Findings.parse(JSON.parse(findings)) },
  }
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
