import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'
import { ParseError } from './parsed.ts'
import type { ByteSource } from './source.ts'

/** An entry of the archive's directory; sizes in bytes, as the directory declares them. */
export interface ZipEntry {
  readonly name: string
  readonly compressedBytes: number
  readonly bytes: number
  readonly method: number
  readonly isEncrypted: boolean
  /** Where its local header stands. */
  readonly at: number
}

/** An archive whose entries are inflated one at a time, each bounded. */
export interface Zip {
  readonly entries: ReadonlyMap<string, ZipEntry>
  /**
   * Contents of an entry; undefined when there is none of that name.
   *
   * @throws {ParseError} `too-large` above the bounds, whatever the directory declares; `corrupt`, `encrypted`.
   */
  read(name: string): Promise<Uint8Array | undefined>
}

/** Of one entry, inflated: the largest sheet or body that is a document and no attack. */
const MAX_ENTRY_BYTES = 128 * 1024 * 1024
/** Of all entries that are read. */
const MAX_TOTAL_BYTES = 384 * 1024 * 1024
/** A document has hundreds; each costs memory before anything is read. */
const MAX_ENTRIES = 20_000
/** The end record and the longest comment after it (APPNOTE 4.3.16). */
const TAIL_BYTES = 22 + 65_535
const END_RECORD = 0x06054b50
const DIRECTORY_RECORD = 0x02014b50
const LOCAL_RECORD = 0x04034b50
const DIRECTORY_RECORD_BYTES = 46
const LOCAL_RECORD_BYTES = 30
const STORED = 0
const DEFLATED = 8

const inflate = promisify(inflateRaw)

/** @throws {ParseError} `corrupt` when there is no directory that can be read. */
export async function openZip(source: ByteSource): Promise<Zip> {
  const entries = await readDirectory(source)
  let total = 0
  return {
    entries,
    async read(name) {
      const entry = entries.get(name)
      if (entry === undefined) return undefined
      if (entry.isEncrypted) throw new ParseError('encrypted', 'the archive needs a password')
      const room = Math.min(MAX_ENTRY_BYTES, MAX_TOTAL_BYTES - total)
      const contents = await readEntry(source, entry, room)
      total += contents.length
      return contents
    },
  }
}

async function readDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const tailAt = Math.max(0, source.size - TAIL_BYTES)
  const tail = viewOf(await source.read(tailAt, source.size))
  let end = tail.byteLength - 22
  while (end >= 0 && tail.getUint32(end, true) !== END_RECORD) end -= 1
  if (end < 0) throw broken()
  const count = tail.getUint16(end + 10, true)
  const bytes = tail.getUint32(end + 12, true)
  const start = tail.getUint32(end + 16, true)
  if (count > MAX_ENTRIES || count === 0xffff) throw new ParseError('too-large', 'the archive holds too many entries')
  if (start + bytes > source.size) throw broken()
  const directory = await source.read(start, start + bytes)
  return entriesOf(directory, count)
}

function entriesOf(directory: Uint8Array, count: number): Map<string, ZipEntry> {
  const view = viewOf(directory)
  const found = new Map<string, ZipEntry>()
  let at = 0
  for (let index = 0; index < count; index += 1) {
    if (at + DIRECTORY_RECORD_BYTES > view.byteLength || view.getUint32(at, true) !== DIRECTORY_RECORD) throw broken()
    const nameBytes = view.getUint16(at + 28, true)
    const name = new TextDecoder().decode(
      directory.subarray(at + DIRECTORY_RECORD_BYTES, at + DIRECTORY_RECORD_BYTES + nameBytes),
    )
    found.set(name, {
      name,
      compressedBytes: view.getUint32(at + 20, true),
      bytes: view.getUint32(at + 24, true),
      method: view.getUint16(at + 10, true),
      isEncrypted: (view.getUint16(at + 8, true) & 1) === 1,
      at: view.getUint32(at + 42, true),
    })
    at += DIRECTORY_RECORD_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  }
  return found
}

async function readEntry(source: ByteSource, entry: ZipEntry, room: number): Promise<Uint8Array> {
  if (Math.max(entry.bytes, entry.compressedBytes) > room) throw bomb()
  const local = viewOf(await source.read(entry.at, entry.at + LOCAL_RECORD_BYTES))
  if (local.byteLength < LOCAL_RECORD_BYTES || local.getUint32(0, true) !== LOCAL_RECORD) throw broken()
  const start = entry.at + LOCAL_RECORD_BYTES + local.getUint16(26, true) + local.getUint16(28, true)
  const packed = await source.read(start, start + entry.compressedBytes)
  if (packed.length !== entry.compressedBytes) throw broken()
  if (entry.method === STORED) return packed
  if (entry.method !== DEFLATED)
    throw new ParseError('corrupt', 'an entry is packed in a way that office files do not use')
  try {
    // The declared size may lie: the bound holds for what really comes out.
    return await inflate(packed, { maxOutputLength: room, chunkSize: chunkBytes(entry.bytes) })
  } catch (error) {
    const isBomb = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    throw isBomb ? bomb() : broken(error)
  }
}

/** One step of inflating: each costs a turn of the event loop, so that large entries take large ones. */
function chunkBytes(declaredBytes: number): number {
  return Math.min(4 * 1024 * 1024, Math.max(16 * 1024, declaredBytes))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function broken(cause?: unknown): ParseError {
  return new ParseError('corrupt', 'the archive inside the file is broken', cause)
}

function bomb(): ParseError {
  return new ParseError('too-large', 'its contents unpack to more than a document may hold')
}
