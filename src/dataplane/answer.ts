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
/** What the notes are measured with: the digits that they will not need are room for those of `bytes`. */
const MANY = 9_999_999

/**
 * The answer with as much as its JSON has room for: rows and items first, up to their share, for nobody can guess them;
 * then the best of the passages. What was left out is said. Longer than `maxBytes` only when what is said besides them
 * is; then it holds none of them.
 */
export function composeAnswer(parts: AnswerParts, maxBytes: number): ContextAnswer {
  const notes = [factsNote(MANY, maxBytes), passagesNote(MANY, maxBytes)]
  const frame = jsonBytes(answerWith(parts, [], EMPTY, notes))
  const room = Math.max(0, maxBytes - frame)
  const share = parts.candidates.length === 0 ? 1 : FACTS_SHARE
  const facts = fitFacts(parts.facts, Math.floor(room * share))
  const passages = fitPassages(parts.candidates.map(toPassage), room - facts.bytes)
  const dropped = [
    ...(facts.dropped === 0 ? [] : [factsNote(facts.dropped, maxBytes)]),
    ...(passages.dropped === 0 ? [] : [passagesNote(passages.dropped, maxBytes)]),
  ]
  return answerWith(parts, passages.kept, facts.kept, dropped)
}

type Facts = AnswerParts['facts']
type Rows = Facts['rows'][number]
type Item = Facts['items'][number]
type Read = Receipt['reads'][number]

const EMPTY: Facts = { rows: [], items: [] }

function factsNote(dropped: number, maxBytes: number): string {
  return `${dropped} rows or items that were found did not fit into ${maxBytes} bytes`
}

function passagesNote(dropped: number, maxBytes: number): string {
  return `${dropped} of the passages found did not fit into ${maxBytes} bytes`
}

function fitPassages(passages: readonly Passage[], room: number): { kept: Passage[]; dropped: number } {
  const kept: Passage[] = []
  let bytes = 0
  for (const passage of passages) {
    bytes += bytesOf(passage, readOfPassage(passage))
    if (bytes > room) break
    kept.push(passage)
  }
  return { kept, dropped: passages.length - kept.length }
}

/** What is too much goes by halves, always where there is most: the end of a table, or of the list of items. */
function fitFacts(facts: Facts, room: number): { kept: Facts; bytes: number; dropped: number } {
  let { rows, items } = facts
  for (;;) {
    const tables = rows.map((each) => bytesOf(shownRows(each), readOfRows(each)))
    const listed = items.reduce((sum, each) => sum + bytesOf(shownItem(each), readOfItem(each)), 0)
    const bytes = tables.reduce((sum, each) => sum + each, listed)
    if (bytes <= room) return { kept: { rows, items }, bytes, dropped: sizeOf(facts) - sizeOf({ rows, items }) }
    const most = Math.max(listed, ...tables)
    if (most === listed) items = items.slice(0, Math.floor(items.length / 2))
    else rows = rows.flatMap((each, at) => (tables[at] === most ? halved(each) : [each]))
  }
}

/** A table that has no rows takes room as well: the names of its columns. */
function halved(table: Rows): Rows[] {
  const { rows } = table
  return rows.length === 0 ? [] : [{ ...table, rows: rows.slice(0, Math.floor(rows.length / 2)) }]
}

function sizeOf({ rows, items }: Facts): number {
  return rows.reduce((sum, each) => sum + each.rows.length, items.length)
}

function answerWith(
  parts: AnswerParts,
  passages: readonly Passage[],
  facts: Facts,
  dropped: readonly string[],
): ContextAnswer {
  const { agent, claims, spans, atEpochMs } = parts
  const rows = facts.rows.map(shownRows)
  const items = facts.items.map(shownItem)
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
      reads: [...passages.map(readOfPassage), ...facts.rows.map(readOfRows), ...facts.items.map(readOfItem)],
      missing,
      bytes: counted.reduce((sum, each) => sum + jsonBytes(each), 0),
      atEpochMs,
    },
    missing,
    spans,
  }
}

function shownRows({ name, columns, rows }: Rows): ContextAnswer['rows'][number] {
  return { name, columns, rows }
}

function shownItem({ table, item }: Item): ContextAnswer['items'][number] {
  return { table, item }
}

function readOfPassage({ text, source }: Passage): Read {
  return { collection: source.collection, document: source.document, digest: hash('sha256', text, 'hex') }
}

function readOfRows({ name, rows, document }: Rows): Read {
  return { collection: factName('sql', name), document, digest: hash('sha256', JSON.stringify(rows), 'hex') }
}

function readOfItem({ table, item, document }: Item): Read {
  return { collection: factName('items', table), document, digest: hash('sha256', JSON.stringify(item), 'hex') }
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

/** What something takes in an answer: itself, its read in the receipt, and a comma after each. */
function bytesOf(shown: unknown, read: Read): number {
  return jsonBytes(shown) + jsonBytes(read) + 2
}
