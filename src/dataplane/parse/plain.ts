import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'
import { PART_CHARS } from './part-builder.ts'

/** Plain text as it is: no headings, no pages. */
export function parsePlain(source: string): ParsedDocument {
  return { title: '', text: source, headings: [], pages: [], records: [] }
}

/** Text, logs and the like in parts that end at a blank line where there is one, else at a line, else at a blank. */
export async function* parsePlainParts(text: AsyncIterable<string>): AsyncGenerator<ParsedDocument> {
  for await (const part of textParts(text)) yield parsePlain(part)
}

/** Cuts a stream of text into parts of about `PART_CHARS` characters. */
export async function* textParts(text: AsyncIterable<string>): AsyncGenerator<string> {
  let waiting = ''
  for await (const block of text) {
    waiting += block
    while (waiting.length > PART_CHARS) {
      const end = cutAt(waiting)
      yield waiting.slice(0, end)
      waiting = waiting.slice(end)
    }
  }
  if (waiting !== '') yield waiting
}

/** A cut is looked for in the second half of the part. */
function cutAt(text: string): number {
  for (const mark of ['\n\n', '\n', ' ']) {
    const at = text.lastIndexOf(mark, PART_CHARS - mark.length)
    if (at > PART_CHARS / 2) return at + mark.length
  }
  const code = text.charCodeAt(PART_CHARS)
  return code >= 0xdc00 && code <= 0xdfff ? PART_CHARS - 1 : PART_CHARS
}

/**
 * Text of a file: UTF-16 when its byte order mark says so, else UTF-8, else (older exports of office
 * programs) Windows-1252, in which every byte means something.
 *
 * @throws {ParseError} `corrupt` when it is not text at all.
 */
export function decodeText(bytes: Uint8Array): string {
  const text = decode(bytes)
  if (text.includes('\0')) throw new ParseError('corrupt', 'the file holds binary data, not text')
  return text
}

function decode(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('windows-1252').decode(bytes)
  }
}
