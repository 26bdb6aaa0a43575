import { Readable } from 'node:stream'
import type * as Yauzl from 'yauzl'
import type { Entry, RandomAccessReader, ZipFile } from 'yauzl'
import { loadPackage } from '#dataplane/heavy.ts'
import { ParseError } from './parsed.ts'
import type { ByteSource } from './source.ts'
import { BLOCK_BYTES } from './source.ts'

/** An archive whose entries are inflated one at a time, each bounded. */
export interface Zip {
  readonly names: ReadonlySet<string>
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

/** @throws {ParseError} `corrupt` when there is no directory that can be read. */
export async function openZip(source: ByteSource): Promise<Zip> {
  const yauzl = await loadPackage('yauzl', () => import('yauzl'))
  const archive = await opened(yauzl, source)
  const entries = await entriesOf(archive)
  let total = 0
  return {
    names: new Set(entries.keys()),
    async read(name) {
      const entry = entries.get(name)
      if (entry === undefined) return undefined
      if (entry.isEncrypted()) throw new ParseError('encrypted', 'the archive needs a password')
      const contents = await readEntry(archive, entry, Math.min(MAX_ENTRY_BYTES, MAX_TOTAL_BYTES - total))
      total += contents.length
      return contents
    },
  }
}

async function opened(yauzl: typeof Yauzl, source: ByteSource): Promise<ZipFile> {
  // Its own class comes with the library, so that it can be made only once that is loaded.
  class SourceReader extends yauzl.RandomAccessReader {
    override _readStreamForRange(start: number, end: number): Readable {
      return Readable.from(pieces(source, start, end), { objectMode: false })
    }
  }
  const reader: RandomAccessReader = new SourceReader()
  const { promise, resolve, reject } = Promise.withResolvers<ZipFile>()
  // Sizes are checked here, against what really comes out, and more strictly.
  const options = { lazyEntries: true, autoClose: false, validateEntrySizes: false, strictFileNames: false }
  yauzl.fromRandomAccessReader(reader, source.size, options, (error, archive) => {
    if (error === null) resolve(archive)
    else reject(broken(error))
  })
  return await promise
}

async function* pieces(source: ByteSource, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end;) {
    const piece = await source.read(at, Math.min(end, at + BLOCK_BYTES))
    if (piece.length === 0) throw broken()
    at += piece.length
    yield piece
  }
}

async function entriesOf(archive: ZipFile): Promise<ReadonlyMap<string, Entry>> {
  if (archive.entryCount > MAX_ENTRIES) throw new ParseError('too-large', 'the archive holds too many entries')
  const found = new Map<string, Entry>()
  const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, Entry>>()
  archive.on('entry', (entry: Entry) => {
    found.set(entry.fileName, entry)
    archive.readEntry()
  })
  archive.on('end', () => resolve(found))
  archive.on('error', (error: unknown) => reject(broken(error)))
  archive.readEntry()
  return await promise
}

async function readEntry(archive: ZipFile, entry: Entry, room: number): Promise<Uint8Array> {
  if (Math.max(entry.uncompressedSize, entry.compressedSize) > room) throw bomb()
  const { promise, resolve, reject } = Promise.withResolvers<Readable>()
  archive.openReadStream(entry, {}, (error, stream) => {
    if (error === null) resolve(stream)
    else reject(broken(error))
  })
  const stream = await promise
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      bytes += piece.length
      // The declared size may lie: the bound holds for what really comes out.
      if (bytes > room) throw bomb()
      parts.push(piece)
    }
  } catch (error) {
    throw error instanceof ParseError ? error : broken(error)
  }
  return Buffer.concat(parts)
}

function broken(cause?: unknown): ParseError {
  return new ParseError('corrupt', 'the archive inside the file is broken', cause)
}

function bomb(): ParseError {
  return new ParseError('too-large', 'its contents unpack to more than a document may hold')
}
