import { parseCsv } from './csv.ts'
import { parseDocx } from './docx.ts'
import { parseHtml } from './html.ts'
import { parseJson, parseJsonLines } from './json.ts'
import { parseMarkdownParts } from './markdown.ts'
import { parseParquet } from './parquet.ts'
import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'
import { parsePdf } from './pdf.ts'
import { decodeText, parsePlainParts } from './plain.ts'
import { parsePptx } from './pptx.ts'
import { formatOfName, sniff } from './sniff.ts'
import type { Format, Sniffed } from './sniff.ts'
import { openSource } from './source.ts'
import type { ByteSource, DocumentInput } from './source.ts'
import { readText } from './text-stream.ts'
import { parseXlsx } from './xlsx.ts'

/** Changes with every change of a parser or of the splitter: documents parsed by another version are parsed again. */
export const PARSER_VERSION = '2'

/** A PDF is whole in memory, and so is what the parser keeps of it; books with scanned pages are about as large. */
const MAX_PDF_BYTES = 200 * 1024 * 1024
/** Tags and text are one string twice: the largest generated reference manuals have some ten megabytes. */
const MAX_HTML_BYTES = 32 * 1024 * 1024
/** The archive stays on disk and its parts are bounded one by one; pictures are most of a large one. */
const MAX_OFFICE_BYTES = 500 * 1024 * 1024

/**
 * A document in parts, each small; the texts of the parts, one after the other, are the text of the document. What is
 * made of records is read as a stream, with memory for a part, whatever its size.
 *
 * @throws {ParseError} when it can not be read as what it is; parts may have been given out before.
 */
export async function* parse(input: DocumentInput): AsyncGenerator<ParsedDocument, void, void> {
  const source = await openSource(input)
  try {
    const sniffed = await sniff(source, input.name, input.contentType)
    yield* parseAs(sniffed, source)
  } catch (error) {
    throw asParseError(error)
  } finally {
    await source.close()
  }
}

/** Whatever a parser trips over is this document's fate and nobody else's; a missing package concerns them all. */
function asParseError(error: unknown): unknown {
  if (error instanceof ParseError || (error instanceof Error && error.name === 'MissingPackageError')) return error
  return new ParseError('corrupt', UNFORESEEN, error)
}

/** Says that a parser met what it does not know: worth a report. */
export const UNFORESEEN = 'the parser does not understand it: it is broken, or of a kind that is not known yet'

/** Bytes that a format may have; what is not here is read as a stream. */
const MAX_BYTES: Readonly<Partial<Record<Format, number>>> = {
  pdf: MAX_PDF_BYTES,
  html: MAX_HTML_BYTES,
  docx: MAX_OFFICE_BYTES,
  pptx: MAX_OFFICE_BYTES,
  xlsx: MAX_OFFICE_BYTES,
}

/** Why a document of this name and size will not be read, so that it need not be fetched; undefined when it may. */
export function tooLargeFor(name: string, bytes: number): string | undefined {
  const maxBytes = MAX_BYTES[formatOfName(name) ?? 'text']
  return maxBytes === undefined || bytes <= maxBytes ? undefined : sizeNote(maxBytes)
}

function sizeNote(maxBytes: number): string {
  return `it is larger than the ${maxBytes / 1024 / 1024} MB that this format may have`
}

function parseAs({ format, zip }: Sniffed, source: ByteSource): AsyncGenerator<ParsedDocument> {
  switch (format) {
    case 'pdf':
      return parseWhole(source, MAX_PDF_BYTES, parsePdf)
    case 'html':
      return parseWhole(source, MAX_HTML_BYTES, parseHtmlBytes)
    case 'docx':
    case 'pptx':
    case 'xlsx':
      assertSize(source, MAX_OFFICE_BYTES)
      if (zip === undefined) throw new ParseError('corrupt', 'the archive inside the file is broken')
      return OFFICE[format](zip)
    case 'parquet':
      return parseParquet(source)
    case 'csv':
      return parseCsv(readText(source))
    case 'json':
      return parseJson(readText(source))
    case 'json-lines':
      return parseJsonLines(readText(source))
    case 'markdown':
      return parseMarkdownParts(readText(source))
    case 'text':
      return parsePlainParts(readText(source))
  }
}

async function* parseWhole(
  source: ByteSource,
  maxBytes: number,
  parser: (bytes: Uint8Array<ArrayBuffer>) => AsyncGenerator<ParsedDocument>,
): AsyncGenerator<ParsedDocument> {
  assertSize(source, maxBytes)
  yield* parser(await source.read(0, source.size))
}

async function* parseHtmlBytes(bytes: Uint8Array): AsyncGenerator<ParsedDocument> {
  yield await Promise.resolve(parseHtml(decodeText(bytes)))
}

function assertSize(source: ByteSource, maxBytes: number): void {
  if (source.size <= maxBytes) return
  throw new ParseError('too-large', sizeNote(maxBytes))
}

const OFFICE = { docx: parseDocx, pptx: parsePptx, xlsx: parseXlsx } as const
