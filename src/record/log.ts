import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises'
import { MAX_ENTRY_BYTES } from '#tlog/bundle.ts'
import { NEW_FILE, OLD_FILE, syncFolder, writeSynced } from '#kit/durable-file.ts'
import { lockFolder } from './lock.ts'
import { LINE_EXTRA, listSegments, scanSegment, sealLine, segmentPath } from './segment.ts'

export interface LogOptions {
  /** Bytes after which a new segment is begun. Default 64 MB. */
  readonly segmentBytes?: number
  /** Sees the leaf hashes (hex) of entries when they are durable, in order. */
  readonly onCommitted?: (hashes: readonly string[]) => void
}

/** Bytes after which a new segment is begun. */
const SEGMENT_BYTES = 64 * 1024 * 1024
/** Entries that may wait for the disk; beyond it the log is unavailable rather than unbounded. */
const MAX_WAITING = 20_000
/** A group of this many says that there is load: the next one waits this long for more. */
const LINGER_FROM = 4
const LINGER_MS = 1
/** After a failed write nothing is served for this long; then one more try is made. */
const RETRY_MS = 1000

export interface Appended {
  /** Place in the log, from 0. */
  readonly index: number
  /** Leaf hash, hex. */
  readonly hash: string
}

export interface AuditLog {
  /**
   * Appends one entry, canonical JSON, and resolves when it is on the disk (group commit: one sync for all that wait).
   * @throws when it is no single line of at most 65,535 bytes, or the error of the disk when it could not be made
   * durable; the entry is not in the log then.
   */
  append(text: string): Promise<Appended>
  /** Undefined when entries can be written, else why not. */
  readonly trouble: string | undefined
  /** Entries so far. */
  readonly size: number
  /** What opening had to mend, such as a torn tail; empty when nothing. */
  readonly mended: string
  close(): Promise<void>
}

/** The log with what the tree over it needs to know at the start. */
export interface OpenedLog extends AuditLog {
  /** Index of the first entry of the last segment when it was opened, and the leaf hashes from there on. */
  readonly tail: { readonly first: number; readonly leaves: Buffer }
  /** Takes no more entries, and resolves when those that wait are written. The folder stays locked. */
  drained(): Promise<void>
}

interface Waiting {
  readonly text: string
  readonly bytes: number
  readonly resolve: (at: Appended) => void
  readonly reject: (error: Error) => void
}

/**
 * Opens the append-only trail in `folder` (made if missing) and takes the folder's lock.
 * A torn last line, left by a crash in the middle of a write, was never acknowledged: it is cut off and said so.
 * @throws when the last segment is broken elsewhere, or another process holds the lock.
 */
export async function openAuditLog(folder: string, options: LogOptions = {}): Promise<OpenedLog> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const unlock = await lockFolder(folder)
  try {
    return new SegmentLog(folder, await readTail(folder), { unlock, ...options })
  } catch (error) {
    await unlock()
    throw error
  }
}

interface Tail {
  readonly first: number
  readonly entries: number
  readonly leaves: Buffer
  readonly file: FileHandle
  readonly bytes: number
  readonly mended: string
}

class SegmentLog implements OpenedLog {
  readonly mended: string
  readonly tail: OpenedLog['tail']
  readonly #folder: string
  readonly #unlock: () => Promise<void>
  readonly #segmentBytes: number
  readonly #onCommitted: LogOptions['onCommitted']
  #file: FileHandle
  #bytes: number
  #size: number
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  /** Bytes of an entry that was refused may stand behind the end. */
  #isTorn = false
  #failedAt = 0
  #trouble: string | undefined
  #isClosed = false
  #isUnlocked = false

  constructor(folder: string, tail: Tail, options: LogOptions & { readonly unlock: () => Promise<void> }) {
    this.#folder = folder
    this.#unlock = options.unlock
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.#onCommitted = options.onCommitted
    this.#file = tail.file
    this.#bytes = tail.bytes
    this.#size = tail.first + tail.entries
    this.mended = tail.mended
    this.tail = { first: tail.first, leaves: tail.leaves }
  }

  get size(): number {
    return this.#size
  }

  get trouble(): string | undefined {
    if (this.#isClosed) return 'the audit log is closed'
    if (this.#waiting.length >= MAX_WAITING) return `${this.#waiting.length} entries wait for the disk`
    return this.#trouble !== undefined && Date.now() - this.#failedAt < RETRY_MS ? this.#trouble : undefined
  }

  append(text: string): Promise<Appended> {
    if (this.#isClosed) return Promise.reject(new Error('the audit log is closed'))
    if (this.#waiting.length >= MAX_WAITING) return Promise.reject(new Error('too many entries wait for the disk'))
    const bytes = Buffer.byteLength(text)
    if (bytes > MAX_ENTRY_BYTES)
      return Promise.reject(new RangeError(`the entry has ${bytes} bytes, at most ${MAX_ENTRY_BYTES} fit into the log`))
    if (bytes === 0 || text.includes('\n'))
      return Promise.reject(new RangeError('the entry is not one line, write it as canonical JSON'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, bytes, resolve, reject })
      this.#writing ??= this.#drain()
    })
  }

  async drained(): Promise<void> {
    this.#isClosed = true
    await this.#writing
  }

  async close(): Promise<void> {
    await this.drained()
    if (this.#isUnlocked) return
    this.#isUnlocked = true
    await this.#file.close()
    await this.#unlock()
  }

  async #drain(): Promise<void> {
    // Everything that arrives in this turn of the loop shares one write and one sync.
    await new Promise((resolve) => setImmediate(resolve))
    let last = 0
    while (this.#waiting.length > 0) {
      // Under load a millisecond gathers many: each write and sync costs processor time however few it carries.
      if (last >= LINGER_FROM) await new Promise((resolve) => setTimeout(resolve, LINGER_MS))
      const group = this.#waiting
      last = group.length
      this.#waiting = []
      try {
        await this.#commit(group)
        this.#trouble = undefined
      } catch (error) {
        const failure = error instanceof Error ? error : new Error(String(error))
        this.#trouble = failure.message
        this.#failedAt = Date.now()
        for (const { reject } of group) reject(failure)
      }
    }
    this.#writing = undefined
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    if (this.#isTorn) await this.#cutBack()
    if (this.#bytes >= this.#segmentBytes) await this.#nextSegment()
    let length = 0
    for (const { bytes } of group) length += bytes + LINE_EXTRA
    const lines = Buffer.allocUnsafe(length)
    const hashes: string[] = []
    let at = 0
    for (const waiting of group) {
      hashes.push(sealLine(lines, at, waiting))
      at += waiting.bytes + LINE_EXTRA
    }
    try {
      await writeSynced(this.#file, lines, this.#bytes)
    } catch (error) {
      // What was not acknowledged must not be read as part of the trail later.
      this.#isTorn = true
      await this.#cutBack().catch(() => undefined)
      throw error
    }
    const first = this.#size
    this.#bytes += length
    this.#size += group.length
    this.#onCommitted?.(hashes)
    for (const [offset, { resolve }] of group.entries()) resolve({ index: first + offset, hash: hashes[offset] ?? '' })
  }

  async #cutBack(): Promise<void> {
    await this.#file.truncate(this.#bytes)
    await this.#file.datasync()
    this.#isTorn = false
  }

  async #nextSegment(): Promise<void> {
    const path = segmentPath(this.#folder, this.#size)
    const next = await open(path, NEW_FILE, 0o600)
    try {
      await syncFolder(this.#folder)
    } catch (error) {
      await next.close()
      await unlink(path).catch(() => undefined)
      throw error
    }
    await this.#file.close()
    this.#file = next
    this.#bytes = 0
  }
}

async function readTail(folder: string): Promise<Tail> {
  const segments = await listSegments(folder)
  const first = segments.at(-1)
  if (first === undefined) {
    const file = await open(segmentPath(folder, 0), NEW_FILE, 0o600)
    await syncFolder(folder)
    return { first: 0, entries: 0, leaves: Buffer.alloc(0), file, bytes: 0, mended: '' }
  }
  const path = segmentPath(folder, first)
  const scan = scanSegment(path)
  if (scan.bad !== undefined) {
    // A whole line is no torn write: cutting it off would hide a change.
    throw new Error(
      `the audit trail is broken at entry ${first + scan.entries}: ${scan.bad}; run \`thinplane audit verify\``,
    )
  }
  const file = await open(path, OLD_FILE)
  let mended = ''
  if (scan.tornBytes > 0) {
    mended = `cut ${scan.tornBytes} bytes of an unfinished entry from the end of ${path}`
    await file.truncate(scan.bytes)
    await file.datasync()
  }
  return { first, entries: scan.entries, leaves: scan.leaves, file, bytes: scan.bytes, mended }
}
