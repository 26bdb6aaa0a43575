import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'

/** Plain text as it is: no headings, no pages. */
export function parsePlain(source: string): ParsedDocument {
  return { title: '', text: source, headings: [], pages: [] }
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
