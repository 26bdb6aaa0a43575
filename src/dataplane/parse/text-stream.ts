import { isUtf8 } from 'node:buffer'
import { ParseError } from './parsed.ts'
import { blocks } from './source.ts'
import type { ByteSource } from './source.ts'

/**
 * The text of a source, block by block: UTF-16 when its byte order mark says so, else UTF-8, else Windows-1252, as
 * `decodeText` does for a whole file. A block that is not UTF-8 in a file that began as UTF-8 is read as
 * Windows-1252: logs of several programs in one file are no reason to lose them.
 *
 * @throws {ParseError} `corrupt` where it is not text.
 */
export async function* readText(source: ByteSource): AsyncGenerator<string> {
  let decode: ((block: Uint8Array) => string) | undefined
  for await (const block of blocks(source)) {
    decode ??= decoderFor(block)
    yield checked(decode(block))
  }
  if (decode !== undefined) yield checked(decode(END))
}

/** A cut character at the end is told by an empty block. */
const END = new Uint8Array(0)

function checked(text: string): string {
  if (text.includes('\0')) throw new ParseError('corrupt', 'the file holds binary data, not text')
  return text
}

function decoderFor(first: Uint8Array): (block: Uint8Array) => string {
  if (first[0] === 0xff && first[1] === 0xfe) return streaming('utf-16le')
  if (first[0] === 0xfe && first[1] === 0xff) return streaming('utf-16be')
  const isUtf8Text = isUtf8(first.subarray(0, wholeCharacters(first)))
  return isUtf8Text ? utf8OrWindows(hasMark(first)) : streaming('windows-1252')
}

function streaming(encoding: string): (block: Uint8Array) => string {
  const decoder = new TextDecoder(encoding)
  return (block) => decoder.decode(block, { stream: block.length > 0 })
}

function hasMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

function utf8OrWindows(startsWithMark: boolean): (block: Uint8Array) => string {
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  const windows = new TextDecoder('windows-1252')
  let rest: Uint8Array = new Uint8Array(0)
  let isFirst = startsWithMark
  return (block) => {
    const whole = rest.length === 0 ? block : Buffer.concat([rest, block])
    const end = block.length === 0 ? whole.length : wholeCharacters(whole)
    rest = whole.slice(end)
    const bytes = whole.subarray(isFirst ? 3 : 0, end)
    isFirst = false
    return (isUtf8(bytes) ? utf8 : windows).decode(bytes)
  }
}

/** Length without a UTF-8 character that the end cuts. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(4, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0
    if ((byte & 0xc0) === 0x80) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}
