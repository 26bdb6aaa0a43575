import type { Heading, ParsedDocument, RecordStart } from '#dataplane/parse/parsed.ts'

/** Size that the splitter aims at, in UTF-16 code units. */
const TARGET_CHARS = 800
/** No chunk is longer. */
export const MAX_CHARS = 1200
/** A paragraph up to this length stays whole; it leaves room for its heading. */
const WHOLE_CHARS = 1000
/** A chunk smaller than this takes its neighbour in, as long as both fit. */
const SMALL_CHARS = 200

/** A stretch of a document, small enough to be found by its meaning. */
export interface Chunk {
  readonly text: string
  /** UTF-16 offsets in the document's extracted text, all parts together. */
  readonly start: number
  readonly end: number
  /** Headings above the chunk, from the outermost to its own. */
  readonly headings: readonly string[]
  /** From 1; 0 for documents without pages. */
  readonly page: number
  /** First and last record that is in the chunk, from 1; 0 for documents without records. */
  readonly record: number
  readonly lastRecord: number
}

/** Splits a document that is a single part. */
export function chunk(document: ParsedDocument): Chunk[] {
  return new Chunker().next(document)
}

/**
 * Splits the parts of one document, in order: at headings and pages, then at records or paragraphs, then at sentences.
 * Chunks do not overlap, and every character that is not white space is in exactly one.
 */
export class Chunker {
  /** Where the next part starts in the whole text. */
  #offset = 0
  #path: readonly Heading[] = []
  #page = 0

  next(document: ParsedDocument): Chunk[] {
    const offset = this.#offset
    this.#offset += document.text.length
    const records = new RecordNumbers(document.records)
    const chunks = this.#sections(document).flatMap((section) =>
      pack(pieces(document, section)).map(({ start, end }) => ({
        text: document.text.slice(start, end),
        start: offset + start,
        end: offset + end,
        headings: section.headings,
        page: section.page,
        ...records.within(section.start, start, end),
      })),
    )
    return chunks
  }

  #sections({ text, headings, pages }: ParsedDocument): Section[] {
    const headingAt = new Map(headings.map((heading) => [heading.start, heading]))
    const pageAt = new Map(pages.map((page) => [page.start, page.page]))
    const cuts = [...new Set([0, ...headingAt.keys(), ...pageAt.keys()])].toSorted((a, b) => a - b)
    const found: Section[] = []
    /** Headings with next to nothing under them but the next heading go into the next section. */
    let waitingStart: number | undefined
    for (const [index, cut] of cuts.entries()) {
      const heading = headingAt.get(cut)
      if (heading !== undefined) this.#path = [...this.#path.filter(({ level }) => level < heading.level), heading]
      this.#page = pageAt.get(cut) ?? this.#page
      const end = cuts[index + 1] ?? text.length
      const start = waitingStart ?? cut
      const next = headingAt.get(end)
      const isBare = heading !== undefined && text.slice(heading.end, end).trim() === ''
      const isIntroduction =
        heading !== undefined && next !== undefined && next.level > heading.level && !pageAt.has(end)
      if ((isBare || isIntroduction) && end < text.length && end - start < SMALL_CHARS) {
        waitingStart = start
        continue
      }
      waitingStart = undefined
      found.push({ start, end, headings: this.#path.map(({ title }) => title), page: this.#page })
    }
    return found
  }
}

/** Tells which records a stretch holds; asked for stretches in order. */
class RecordNumbers {
  readonly #records: readonly RecordStart[]
  #at = 0
  /** The last record that was met: it goes on until another one starts, or another section. */
  #open: RecordStart = NO_RECORD

  constructor(records: readonly RecordStart[]) {
    this.#records = records
  }

  within(sectionStart: number, start: number, end: number): { readonly record: number; readonly lastRecord: number } {
    if (this.#open.start < sectionStart) this.#open = NO_RECORD
    let next = this.#records[this.#at]
    let first = next === undefined || next.start > start ? this.#open.record : 0
    for (; next !== undefined && next.start < end; next = this.#records[this.#at]) {
      // What stands above the first record, such as the name of a sheet, goes with it.
      if (first === 0) first = next.record
      this.#open = next
      this.#at += 1
    }
    return { record: first, lastRecord: this.#open.record }
  }
}

const NO_RECORD: RecordStart = { record: 0, start: -1 }

interface Range {
  readonly start: number
  readonly end: number
}

interface Section extends Range {
  readonly headings: readonly string[]
  readonly page: number
}

/** Records or paragraphs of a section, those that are too long in parts. */
function pieces({ text, records }: ParsedDocument, section: Section): Range[] {
  const units = records.length === 0 ? paragraphs(text, section) : recordRanges(text, records, section)
  return units.flatMap((paragraph) =>
    paragraph.end - paragraph.start <= WHOLE_CHARS ? [paragraph] : split(text, paragraph),
  )
}

/** What stands before the first record is paragraphs. */
function recordRanges(text: string, records: readonly RecordStart[], section: Section): Range[] {
  const from = firstAtOrAfter(records, section.start)
  const inside = records.slice(from, firstAtOrAfter(records, section.end)).map(({ start }) => start)
  const before = { start: section.start, end: inside[0] ?? section.end }
  return [...paragraphs(text, before), ...ranges(text, { start: before.end, end: section.end }, inside)]
}

function firstAtOrAfter(records: readonly RecordStart[], at: number): number {
  let [low, high] = [0, records.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((records[middle]?.start ?? at) < at) low = middle + 1
    else high = middle
  }
  return low
}

function paragraphs(text: string, { start, end }: Range): Range[] {
  const found: Range[] = []
  let open: Range | undefined
  for (let at = start; at < end;) {
    const feed = text.indexOf('\n', at)
    const lineEnd = feed === -1 || feed >= end ? end : feed
    const line = trimmed(text, { start: at, end: lineEnd })
    if (line === undefined) {
      if (open !== undefined) found.push(open)
      open = undefined
    } else {
      open = { start: open?.start ?? line.start, end: line.end }
    }
    at = lineEnd + 1
  }
  if (open !== undefined) found.push(open)
  return found
}

/** Lists, tables, quotes; names with values; lines of logs, which begin with a time. */
const LISTING_LINE = /^\s*(?:[-*+|>]|\d+[.)]|[\w.[\]-]{1,60}: |\[?\d{4}-\d\d-\d\d[T ]|[A-Z][a-z]{2} [ \d]\d \d\d:)/

/** Enough of a line to tell. */
const LISTING_LOOK_CHARS = 70

function split(text: string, range: Range): Range[] {
  const lines = ranges(text, range, lineStarts(text, range))
  const listed = lines.filter(({ start, end }) =>
    LISTING_LINE.test(text.slice(start, Math.min(end, start + LISTING_LOOK_CHARS))),
  )
  const isListing = listed.length * 2 > lines.length
  const units = (isListing ? lines : ranges(text, range, sentenceStarts(text, range))).flatMap((unit) =>
    unit.end - unit.start <= TARGET_CHARS ? [unit] : ranges(text, unit, wordStarts(text, unit)),
  )
  return join(units, TARGET_CHARS)
}

function lineStarts(text: string, { start, end }: Range): number[] {
  const starts: number[] = []
  for (let feed = text.indexOf('\n', start); feed !== -1 && feed < end; feed = text.indexOf('\n', feed + 1)) {
    starts.push(feed + 1)
  }
  return starts
}

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })

/** A line end inside a sentence is no end of the sentence, so the segmenter sees a space of the same length. */
function sentenceStarts(text: string, { start, end }: Range): number[] {
  const flat = text.slice(start, end).replaceAll(/[\r\n]/g, ' ')
  return Array.from(segmenter.segment(flat), ({ index }) => start + index)
}

/** For a sentence that is too long: after a space where there is one, else anywhere but inside a character. */
function wordStarts(text: string, { start, end }: Range): number[] {
  const starts: number[] = []
  let at = start
  while (end - at > TARGET_CHARS) {
    const limit = at + TARGET_CHARS
    const space = text.lastIndexOf(' ', limit)
    let next = space > at + TARGET_CHARS / 2 ? space + 1 : limit
    if (isLowSurrogate(text.charCodeAt(next))) next -= 1
    starts.push(next)
    at = next
  }
  return starts
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}

/** The parts of a range between starts, trimmed, without blank ones. */
function ranges(text: string, range: Range, starts: readonly number[]): Range[] {
  const cuts = [range.start, ...starts.filter((start) => start > range.start && start < range.end), range.end]
  const found: Range[] = []
  for (const [index, start] of cuts.entries()) {
    const part = trimmed(text, { start, end: cuts[index + 1] ?? start })
    if (part !== undefined) found.push(part)
  }
  return found
}

function pack(parts: readonly Range[]): Range[] {
  const packed = join(parts, TARGET_CHARS)
  const last = packed.at(-1)
  const previous = packed.at(-2)
  if (last === undefined || previous === undefined) return packed
  const isSmall = last.end - last.start < SMALL_CHARS && last.end - previous.start <= MAX_CHARS
  return isSmall ? [...packed.slice(0, -2), { start: previous.start, end: last.end }] : packed
}

/** Joins neighbours up to a size; a small one may grow up to the maximum. */
function join(parts: readonly Range[], targetChars: number): Range[] {
  const joined: Range[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    const chars = last === undefined ? 0 : part.end - last.start
    const fits = chars <= targetChars || (last !== undefined && isSmall(last) && chars <= MAX_CHARS)
    if (last !== undefined && fits) joined[joined.length - 1] = { start: last.start, end: part.end }
    else joined.push(part)
  }
  return joined
}

function isSmall({ start, end }: Range): boolean {
  return end - start < SMALL_CHARS
}

function trimmed(text: string, { start, end }: Range): Range | undefined {
  const part = text.slice(start, end)
  const left = part.length - part.trimStart().length
  const length = part.trim().length
  return length === 0 ? undefined : { start: start + left, end: start + left + length }
}
