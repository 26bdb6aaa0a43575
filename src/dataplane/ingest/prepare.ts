import type { Finding } from '#contract/screened.ts'
import { scan } from '#detect/scan.ts'
import { posix } from 'node:path'
import { Chunker } from './chunk.ts'
import { parse } from '#dataplane/parse/parse.ts'
import { ParseError } from '#dataplane/parse/parsed.ts'
import type { DocumentInput } from '#dataplane/parse/source.ts'

/** Some passages of a document, as they go into the index, but for their vectors; never empty. */
export interface PreparedPart {
  /** Of the whole document, in every part the same. */
  readonly title: string
  readonly passages: readonly PreparedPassage[]
}

export interface PreparedPassage {
  readonly text: string
  readonly heading: string
  /** From 1: page, slide or sheet; 0 for documents without pages. */
  readonly page: number
  /** First and last record that is in it, from 1; 0 for documents without records. */
  readonly record: number
  readonly lastRecord: number
  /** UTF-16 offsets in the document's extracted text. */
  readonly start: number
  readonly end: number
  readonly findings: readonly Finding[]
}

const MAX_TITLE_CHARS = 200
const MAX_HEADING_CHARS = 300

/**
 * Parses, splits and screens one document, part by part, each when it is asked for.
 *
 * @throws {ParseError} when it can not be read as what it is, or holds no text.
 */
export async function* prepare(input: DocumentInput): AsyncGenerator<PreparedPart> {
  const chunker = new Chunker()
  let title: string | undefined
  let isEmpty = true
  for await (const parsed of parse(input)) {
    title ??= (input.title || parsed.title || posix.basename(input.name, posix.extname(input.name))).slice(
      0,
      MAX_TITLE_CHARS,
    )
    const passages = passagesOf(chunker.next(parsed), title)
    if (passages.length === 0) continue
    isEmpty = false
    yield { title, passages }
  }
  if (isEmpty) throw new ParseError('empty', 'it holds no text')
}

function passagesOf(chunks: ReturnType<Chunker['next']>, title: string): PreparedPassage[] {
  return chunks.map(({ headings, ...chunk }) => ({
    ...chunk,
    heading: headingLine(headings, title),
    findings: scan(chunk.text),
  }))
}

/** Headings joined; the outermost is left out where it only repeats the title. */
function headingLine(headings: readonly string[], title: string): string {
  const path = headings.length > 1 && headings[0] === title ? headings.slice(1) : headings
  return path.join(' › ').slice(0, MAX_HEADING_CHARS)
}
