import type { ContextAnswer, Passage, PassportClaims, Receipt, RemoteSpan } from '#contract/context.ts'
import { hash } from 'node:crypto'
import { factName } from './facts/look-up.ts'
import type { LookedUp } from './facts/look-up.ts'
import { FindingsJson } from './retrieve/findings.ts'
import type { Candidate } from './retrieve/rank.ts'

/** What an answer is made of. */
export interface AnswerParts {
  readonly agent: string
  readonly claims: PassportClaims
  /** Best first. */
  readonly candidates: readonly Candidate[]
  readonly facts: Pick<LookedUp, 'rows' | 'items'>
  readonly missing: readonly string[]
  readonly spans: readonly RemoteSpan[]
  readonly atEpochMs: number
}

/** Share of an answer that rows and items may fill while there are passages. */
const FACTS_SHARE = 0.6

/**
 * The answer with as much as its JSON has room for: rows and items first, up to their share, for nobody can guess them;
 * then the best of the passages.
 */
export function composeAnswer(parts: AnswerParts, maxBytes: number): ContextAnswer {
  const frame = jsonBytes(answerWith(parts, [], EMPTY, [noteOf(99, maxBytes), noteOf(99, maxBytes)]))
  const room = Math.max(0, maxBytes - frame)
  const share = parts.candidates.length === 0 ? 1 : FACTS_SHARE
  const facts = fitFacts(parts.facts, Math.floor(room * share))
  const passages = fitPassages(parts.candidates.map(toPassage), room - facts.bytes)
  const dropped = [
    ...(facts.dropped === 0
      ? []
      : [`${facts.dropped} rows or items that were found did not fit into ${maxBytes} bytes`]),
    ...(passages.dropped === 0 ? [] : [noteOf(passages.dropped, maxBytes)]),
  ]
  return answerWith(parts, passages.kept, facts.kept, dropped)
}

type Facts = AnswerParts['facts']

const EMPTY: Facts = { rows: [], items: [] }
/** What a passage or a row takes beside itself: its read in the receipt, commas. */
const READ_BYTES = 180

function noteOf(dropped: number, maxBytes: number): string {
  return `${dropped} of the passages found did not fit into ${maxBytes} bytes`
}

function fitPassages(passages: readonly Passage[], room: number): { kept: Passage[]; dropped: number } {
  const kept: Passage[] = []
  let bytes = 0
  for (const passage of passages) {
    bytes += jsonBytes(passage) + jsonBytes(passage.source.document) + READ_BYTES
    if (bytes > room) break
    kept.push(passage)
  }
  return { kept, dropped: passages.length - kept.length }
}

/** Rows go from the end of each table, then items from the end of the list. */
function fitFacts(facts: Facts, room: number): { kept: Facts; bytes: number; dropped: number } {
  const bytesOf = ({ rows, items }: Facts): number =>
    jsonBytes(rows) + jsonBytes(items) + READ_BYTES * (rows.length + items.length)
  let kept = facts
  let dropped = 0
  while (bytesOf(kept) > room && (kept.items.length > 0 || kept.rows.some(({ rows }) => rows.length > 0))) {
    const before = sizeOf(kept)
    kept = halved(kept)
    dropped += before - sizeOf(kept)
  }
  const isNothing = kept.items.length === 0 && kept.rows.length === 0
  return { kept, bytes: isNothing ? 0 : bytesOf(kept), dropped }
}

function sizeOf({ rows, items }: Facts): number {
  return rows.reduce((sum, each) => sum + each.rows.length, items.length)
}

function halved({ rows, items }: Facts): Facts {
  const fewer = rows.map((each) => ({ ...each, rows: each.rows.slice(0, Math.floor(each.rows.length / 2)) }))
  return { rows: fewer, items: items.slice(0, Math.floor(items.length / 2)) }
}

function answerWith(
  parts: AnswerParts,
  passages: readonly Passage[],
  facts: Facts,
  dropped: readonly string[],
): ContextAnswer {
  const { agent, claims, spans, atEpochMs } = parts
  const rows = facts.rows.map(({ name, columns, rows: own }) => ({ name, columns, rows: own }))
  const items = facts.items.map(({ table, item }) => ({ table, item }))
  const reads: Receipt['reads'] = [
    ...passages.map(({ text, source }) => ({
      collection: source.collection,
      document: source.document,
      digest: hash('sha256', text, 'hex'),
    })),
    ...facts.rows.map(({ name, rows: own, document }) => ({
      collection: factName('sql', name),
      document,
      digest: hash('sha256', JSON.stringify(own), 'hex'),
    })),
    ...facts.items.map(({ table, item, document }) => ({
      collection: factName('items', table),
      document,
      digest: hash('sha256', JSON.stringify(item), 'hex'),
    })),
  ]
  const missing = [...parts.missing, ...dropped]
  const counted = [passages, rows, items].filter(({ length }) => length > 0)
  return {
    passages,
    rows,
    items,
    receipt: {
      agent,
      requestId: claims.jti,
      subject: claims.sub,
      tenant: claims.tenant,
      reads,
      missing,
      bytes: counted.reduce((sum, each) => sum + jsonBytes(each), 0),
      atEpochMs,
    },
    missing,
    spans,
  }
}

function toPassage({ collection, passage, score }: Candidate): Passage {
  const { document, title, heading, page, record, lastRecord, start, end, text, rules, findings } = passage
  return {
    text,
    source: { collection, document, title, heading, page, record, lastRecord, start, end },
    score: Math.round(score * 1e6) / 1e6,
    tokens: Math.ceil(text.length / 4),
    screened: { rules, findings: FindingsJson.parse(findings) },
  }
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
