import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { ParseError } from './parsed.ts'

/** A document to be parsed: in memory, or a file on disk. */
export type DocumentInput = {
  /** Path or key; the ending of its last part helps to tell the format. */
  readonly name: string
  /** Media type that the source gives, if it gives one. */
  readonly contentType?: string | undefined
  /** Title that the source gives. Absent: the document's own, or its name. */
  readonly title?: string | undefined
} & ({ readonly bytes: Uint8Array } | { readonly path: string; readonly size: number })

/** The bytes of a document, read where they are needed. */
export interface ByteSource {
  /** In bytes. */
  readonly size: number
  /** From `start` up to `end`, or less at the end of the source. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>
  close(): Promise<void>
}

/** One read of a stream: large enough that the calls do not count, small enough to have several in memory. */
export const BLOCK_BYTES = 256 * 1024

/** @throws {ParseError} `unreadable` when there is no such file, or it is none. */
export async function openSource(input: DocumentInput): Promise<ByteSource> {
  if ('bytes' in input) return memorySource(input.bytes)
  let handle: FileHandle
  try {
    handle = await open(input.path)
  } catch (error) {
    throw unreadable(error)
  }
  const facts = await handle.stat()
  if (!facts.isFile()) {
    await handle.close()
    throw new ParseError('unreadable', 'it is not a file')
  }
  return fileSource(handle, facts.size)
}

/** The source from its start, in blocks; memory for one of them. */
export async function* blocks(source: ByteSource): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < source.size;) {
    const block = await source.read(at, Math.min(source.size, at + BLOCK_BYTES))
    if (block.length === 0) return
    at += block.length
    yield block
  }
}

function memorySource(given: Uint8Array): ByteSource {
  const bytes = new Uint8Array(given)
  return {
    size: bytes.length,
    read: async (start, end) => await Promise.resolve(bytes.slice(start, end)),
    close: async () => await Promise.resolve(),
  }
}

function fileSource(handle: FileHandle, size: number): ByteSource {
  return {
    size,
    async read(start, end) {
      const buffer = new Uint8Array(Math.max(0, Math.min(end, size) - start))
      let filled = 0
      try {
        while (filled < buffer.length) {
          const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, start + filled)
          // Cut short since it was opened.
          if (bytesRead === 0) break
          filled += bytesRead
        }
      } catch (error) {
        throw unreadable(error)
      }
      return filled === buffer.length ? buffer : buffer.slice(0, filled)
    },
    close: async () => await handle.close(),
  }
}

function unreadable(error: unknown): ParseError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  return new ParseError('unreadable', `it can not be read (${code})`, error)
}
