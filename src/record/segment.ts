import { hash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MAX_ENTRY_BYTES } from '#tlog/bundle.ts'
import { HASH_BYTES, type Sha256 } from '#tlog/hash.ts'

/**
 * Form of the trail on disk: one line an entry, `<leaf hash> <JSON>\n`, the hash in hex. The leaf hash is
 * SHA-256(0x00, JSON) as in RFC 6962. A segment is named by the index of its first entry.
 */
export const HASH_CHARS = 2 * HASH_BYTES
/** Bytes of a line beside its entry: hash, blank, line feed. */
export const LINE_EXTRA = HASH_CHARS + 2
const BLANK = 0x20
const LINE_FEED = 0x0a
const NAME_DIGITS = 12
const READ_BYTES = 4 * 1024 * 1024

/** SHA-256 at once. */
export const sha256: Sha256 = (data) => hash('sha256', data, 'buffer')

/** Names sort as numbers do, so that a listing is the order of the trail. */
export function segmentPath(folder: string, first: number): string {
  return join(folder, `${String(first).padStart(NAME_DIGITS, '0')}.log`)
}

/** First indices of the segments, in order. @throws when the folder holds a trail of an older form. */
export async function listSegments(folder: string): Promise<number[]> {
  const names = await readdir(folder)
  const older = names.find((name) => /^\d{8}\.log$/.test(name))
  if (older !== undefined)
    throw new Error(`${join(folder, older)} is a trail of an older form: move it away, its own version reads it`)
  return names
    .filter((name) => /^\d{12}\.log$/.test(name))
    .map((name) => Number(name.slice(0, NAME_DIGITS)))
    .toSorted((a, b) => a - b)
}

/** Puts one line into `buffer` at `at`: `bytes` is the length of the entry in UTF-8. Returns its leaf hash in hex. */
export function sealLine(buffer: Buffer, at: number, { text, bytes }: { text: string; bytes: number }): string {
  const leaf = at + HASH_CHARS
  // The byte before the entry is 0x00 while it is hashed, and the blank afterwards: no copy is made.
  buffer[leaf] = 0
  buffer.write(text, leaf + 1, 'utf8')
  const digest = hash('sha256', buffer.subarray(leaf, leaf + 1 + bytes), 'hex')
  buffer.write(digest, at, 'latin1')
  buffer[leaf] = BLANK
  buffer[leaf + 1 + bytes] = LINE_FEED
  return digest
}

/** What one segment holds, read from its file alone. */
export interface Scan {
  /** Whole lines that match their hash. */
  readonly entries: number
  /** Bytes of those. */
  readonly bytes: number
  /** Bytes behind the last line feed: an entry that a crash cut in two, or one being written now. */
  readonly tornBytes: number
  /** Their leaf hashes. */
  readonly leaves: Buffer
  /** Why the line behind them is not good; undefined when all are. */
  readonly bad: string | undefined
}

export interface ScanOptions {
  /** Sees each good entry; the bytes are valid during the call only. */
  readonly onEntry?: (entry: Buffer, at: number) => void
  /** Called now and then with the bytes read since the last call. */
  readonly onBytes?: (bytes: number) => void
  /** Entries after which to stop. Default: all. */
  readonly maxEntries?: number
}

/** Reads a segment to its end, or to the first line that is not good. */
export function scanSegment(path: string, options: ScanOptions = {}): Scan {
  const file = openSync(path, 'r')
  try {
    return scanFile(file, options)
  } finally {
    closeSync(file)
  }
}

function scanFile(file: number, { onEntry, onBytes, maxEntries = Infinity }: ScanOptions): Scan {
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  const leaves = new Leaves()
  let [held, position, bytes] = [0, 0, 0]
  if (maxEntries <= 0) return { ...leaves.taken(), bytes, tornBytes: 0, bad: undefined }
  for (;;) {
    const count = readSync(file, buffer, held, READ_BYTES - held, position)
    position += count
    onBytes?.(count)
    const end = held + count
    let start = 0
    for (;;) {
      const lineEnd = buffer.subarray(0, end).indexOf(LINE_FEED, start)
      if (lineEnd === -1) break
      const bad = checkLine(buffer, start, lineEnd)
      if (bad !== undefined) return { ...leaves.taken(), bytes, tornBytes: 0, bad }
      leaves.push(buffer, start)
      onEntry?.(buffer.subarray(start + HASH_CHARS + 1, lineEnd), leaves.count - 1)
      bytes += lineEnd + 1 - start
      start = lineEnd + 1
      if (leaves.count >= maxEntries) return { ...leaves.taken(), bytes, tornBytes: 0, bad: undefined }
    }
    held = end - start
    if (held > MAX_ENTRY_BYTES + LINE_EXTRA) return { ...leaves.taken(), bytes, tornBytes: 0, bad: TOO_LONG }
    if (count === 0) return { ...leaves.taken(), bytes, tornBytes: held, bad: undefined }
    buffer.copyWithin(0, start, end)
  }
}

const TOO_LONG = `the line is longer than an entry of ${MAX_ENTRY_BYTES} bytes`

/** Undefined when the line from `start` to its line feed is a hash and the entry that has it. */
function checkLine(buffer: Buffer, start: number, end: number): string | undefined {
  const leaf = start + HASH_CHARS
  if (end <= leaf || buffer[leaf] !== BLANK) return 'the line is not a hash and an entry'
  if (end - start - HASH_CHARS - 1 > MAX_ENTRY_BYTES) return TOO_LONG
  buffer[leaf] = 0
  const digest = hash('sha256', buffer.subarray(leaf, end), 'hex')
  buffer[leaf] = BLANK
  return digest === buffer.toString('latin1', start, leaf) ? undefined : 'the entry does not match its hash'
}

/** Leaf hashes one after the other, in memory that grows. */
class Leaves {
  count = 0
  #bytes = Buffer.allocUnsafe(1024 * HASH_BYTES)

  push(line: Buffer, at: number): void {
    const end = (this.count + 1) * HASH_BYTES
    if (end > this.#bytes.length) {
      const more = Buffer.allocUnsafe(this.#bytes.length * 2)
      this.#bytes.copy(more)
      this.#bytes = more
    }
    this.#bytes.write(line.toString('latin1', at, at + HASH_CHARS), end - HASH_BYTES, 'hex')
    this.count += 1
  }

  taken(): { readonly entries: number; readonly leaves: Buffer } {
    return { entries: this.count, leaves: this.#bytes.subarray(0, this.count * HASH_BYTES) }
  }
}
