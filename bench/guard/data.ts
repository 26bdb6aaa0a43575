import { readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** What is marked in a text: start, end (UTF-16 code units), label, and for some sets a tier. */
export type Span = readonly [start: number, end: number, label: string, tier?: string]

/** One labelled text; which fields there are depends on the set. */
export interface Row {
  readonly id: string
  readonly text: string
  readonly spans?: readonly Span[]
  /** Reviewed places that are not what they look like. */
  readonly neg?: readonly Span[]
  /** Places that count neither way. */
  readonly ignore?: readonly Span[]
  readonly label?: number
  readonly kind?: string
  readonly rule?: string
  readonly type?: string
  readonly negative_for?: string
  readonly expected_count?: number
  readonly evasion?: string
  readonly origin?: string
}

/** The rows of `DIR/name.jsonl.gz` or `DIR/name.jsonl`. @throws {Error} when there is neither. */
export function readRows<T = Row>(folder: string, name: string): T[] {
  const packed = join(folder, `${name}.jsonl.gz`)
  const text = existsSync(packed)
    ? gunzipSync(readFileSync(packed)).toString('utf8')
    : readFileSync(join(folder, `${name}.jsonl`), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
