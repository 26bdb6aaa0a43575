import type { Finding } from '#contract/screened.ts'
import { scan } from '#detect/scan.ts'
import { posix } from 'node:path'
import { chunk } from './chunk.ts'
import { parse } from '#dataplane/parse/parse.ts'

/** A document as it goes into the index, but for its vectors. */
export interface PreparedDocument {
  readonly title: string
  readonly passages: readonly PreparedPassage[]
}

interface PreparedPassage {
  readonly text: string
  readonly heading: string
  readonly page: number
  readonly start: number
  readonly end: number
  readonly findings: readonly Finding[]
}

const MAX_TITLE_CHARS = 200
const MAX_HEADING_CHARS = 300

/**
 * Parses, splits and screens one document.
 *
 * @throws {ParseError} when the bytes are not what the document's name says.
 */
export async function prepare(document: string, bytes: Uint8Array): Promise<PreparedDocument> {
  const extension = posix.extname(document).toLowerCase()
  const parsed = await parse(extension, bytes)
  const title = (parsed.title || posix.basename(document, posix.extname(document))).slice(0, MAX_TITLE_CHARS)
  const passages = chunk(parsed).map(({ text, start, end, page, headings }) => ({
    text,
    heading: headingLine(headings, title),
    page,
    start,
    end,
    findings: scan(text),
  }))
  return { title, passages }
}

/** Headings joined; the outermost is left out where it only repeats the title. */
function headingLine(headings: readonly string[], title: string): string {
  const path = headings.length > 1 && headings[0] === title ? headings.slice(1) : headings
  return path.join(' › ').slice(0, MAX_HEADING_CHARS)
}
