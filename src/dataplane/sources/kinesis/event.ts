import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { SourceChange } from '#dataplane/sources/source.ts'

/** One record of a stream, as far as it counts here. */
export interface StreamRecord {
  readonly data: Uint8Array
  /** Decimal. */
  readonly sequence: string
  readonly arrivedEpochMs: number
}

/** Which fields of an event say what it is about. */
export interface EventFields {
  /** Field that names the document. */
  readonly id: string
  /** Field that holds the document; without it the whole event is the document. */
  readonly text: string
}

/** Why a record is no event. */
export type BadEvent =
  | 'not a JSON object'
  | 'without a usable id'
  | 'aggregated by the Kinesis Producer Library, which is not supported'

/** Start of a record in which the Kinesis Producer Library packs several (its aggregation format, "Magic Number"). */
const AGGREGATED = Buffer.from([0xf3, 0x89, 0x9a, 0xc2])
/** S3 has the same bound for keys, and ids are names of documents as keys are. */
const MAX_ID_CHARS = 1024

const Title = z.string().catch('')

/** Endings by media type: the name of the document must not decide what its text is. */
const ENDINGS: Readonly<Record<string, string>> = {
  'text/html': '.html',
  'text/markdown': '.md',
  'text/csv': '.csv',
  'application/json': '.json',
}

/** What an event says has happened to its document, or why it says nothing. */
export function changeOf(record: StreamRecord, fields: EventFields): SourceChange | BadEvent {
  const { data, sequence } = record
  if (Buffer.from(data.subarray(0, AGGREGATED.length)).equals(AGGREGATED)) {
    return 'aggregated by the Kinesis Producer Library, which is not supported'
  }
  const event = objectIn(data)
  if (event === undefined) return 'not a JSON object'
  const document = idOf(event[fields.id])
  if (document === undefined) return 'without a usable id'
  if (event['deleted'] === true) return { kind: 'deleted', document, sequence }
  const content = contentOf(event, fields)
  const bytes = new TextEncoder().encode(content.text)
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  const input = { name: `${document}${content.ending}`, bytes, title: content.title }
  return {
    kind: 'arrived',
    document,
    sequence,
    object: { document, version: sequence, bytes: bytes.length, modifiedEpochMs: record.arrivedEpochMs },
    open: async () =>
      await Promise.resolve({ input, version: sequence, digest, close: async () => await Promise.resolve() }),
  }
}

function objectIn(data: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** Numbers are ids as well, as long as every producer writes them alike. */
function idOf(value: unknown): string | undefined {
  const id = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value
  if (typeof id !== 'string' || id.trim() === '' || id.length > MAX_ID_CHARS || id.includes('\0')) return undefined
  return id
}

function contentOf(event: Readonly<Record<string, unknown>>, fields: EventFields) {
  const text = event[fields.text]
  const title = Title.parse(event['title'])
  if (typeof text !== 'string') return { text: JSON.stringify(event), title, ending: '.json' }
  const type = Title.parse(event['contentType']).split(';')[0]?.trim().toLowerCase() ?? ''
  return { text, title, ending: Object.hasOwn(ENDINGS, type) ? (ENDINGS[type] ?? '.txt') : '.txt' }
}
