import { pipeline, Readable } from 'node:stream'
import { loadPackage } from '#dataplane/heavy.ts'
import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'
import { PartBuilder } from './part-builder.ts'
import { headerNames, isHeader, renderRow } from './row.ts'

/** A row longer than this is no row but a broken quote or an attack; it is also what one row may take of the memory. */
const MAX_ROW_CHARS = 1_000_000
/** What the delimiter is told from. */
const LOOK_CHARS = 16_384
const LOOK_LINES = 20
const DELIMITERS = [',', ';', '\t', '|'] as const

/**
 * Rows of a table of text: the delimiter and whether the first row names the columns are told from the contents.
 *
 * @throws {ParseError} `too-large` for a row above the limit, `corrupt` for a quote that is never closed.
 */
export async function* parseCsv(text: AsyncIterable<string>): AsyncGenerator<ParsedDocument> {
  const { start, whole } = await lookAhead(text)
  const rows = await readRows(whole, delimiterOf(start))
  const builder = new PartBuilder()
  let names: readonly string[] | undefined
  let record = 0
  try {
    for await (const row of rows) {
      const cells = cellsOf(row)
      if (names === undefined) {
        names = isHeader(cells) ? headerNames(cells) : []
        if (names.length > 0) continue
      }
      record += 1
      const line = renderRow(names, cells)
      if (line !== '') builder.record(record, line)
      if (builder.isFull) yield builder.take()
    }
  } catch (error) {
    throw failure(error, record + 1)
  }
  // A table of names only is still a text.
  if (record === 0 && names !== undefined) builder.line(names.join('; '))
  yield builder.take()
}

async function readRows(text: AsyncIterable<string>, delimiter: string): Promise<AsyncIterable<unknown>> {
  const { parse } = await loadPackage('csv-parse', () => import('csv-parse'))
  const parser = parse({
    delimiter,
    bom: true,
    relax_quotes: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_CHARS,
  })
  // The error reaches whoever reads the parser; left early, the source is closed with it.
  pipeline(Readable.from(text), parser, () => undefined)
  return parser
}

function cellsOf(row: unknown): string[] {
  return Array.isArray(row) ? row.map(String) : []
}

function failure(error: unknown, row: number): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'CSV_MAX_RECORD_SIZE') {
    return new ParseError(
      'too-large',
      `row ${row} is longer than ${MAX_ROW_CHARS} characters, perhaps for a quote that is never closed`,
    )
  }
  return code.startsWith('CSV_')
    ? new ParseError('corrupt', `row ${row} has a quote that is never closed`, error)
    : error
}

/** The start of a text, and the text with it. */
async function lookAhead(
  text: AsyncIterable<string>,
): Promise<{ readonly start: string; readonly whole: AsyncIterable<string> }> {
  const iterator = text[Symbol.asyncIterator]()
  let start = ''
  let isDone = false
  while (start.length < LOOK_CHARS && !isDone) {
    const next = await iterator.next()
    isDone = next.done === true
    if (next.done !== true) start += next.value
  }
  async function* whole(): AsyncGenerator<string> {
    try {
      yield start
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
    } finally {
      await iterator.return?.()
    }
  }
  return { start, whole: whole() }
}

/** The one that most lines have the same number of; more of them decide between equals. A comma when there is none. */
function delimiterOf(start: string): string {
  const lines = start
    .slice(0, LOOK_CHARS)
    .replaceAll(/"[^"]*"/g, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .slice(0, LOOK_LINES)
  let best = { delimiter: ',', score: 0 }
  for (const delimiter of DELIMITERS) {
    const counts = lines.map((line) => line.split(delimiter).length - 1)
    const usual = mostFrequent(counts.filter((count) => count > 0))
    const agreeing = counts.filter((count) => count === usual).length
    const score = usual === 0 ? 0 : agreeing / lines.length + Math.min(usual, 100) / 1000
    if (score > best.score) best = { delimiter, score }
  }
  return best.delimiter
}

function mostFrequent(values: readonly number[]): number {
  const times = new Map<number, number>()
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1)
  let best = 0
  for (const [value, count] of times) if (count > (times.get(best) ?? 0)) best = value
  return best
}
