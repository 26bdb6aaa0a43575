import { constants, write } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, readdir, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalJson } from '#kit/canonical-json.ts'
import { GENESIS, checkLine, sealLine } from './chain.ts'

export interface LogOptions {
  /** Bytes after which a new segment is begun. Default 64 MB. */
  readonly segmentBytes?: number
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

/** An entry before it is sealed: the log fills in its place. Keys in canonical order are written as they stand. */
export interface Appendable {
  seq?: number
  prev?: string
}

export interface Appended {
  readonly seq: number
  readonly hash: string
  /** The canonical JSON that was written. */
  readonly text: string
}

export interface AuditLog {
  /**
   * Appends one entry and resolves when it is on the disk (group commit: one fsync for all that wait).
   * @throws the error of the disk when it could not be made durable; the entry is not in the log then.
   */
  append<T extends object>(entry: T & Appendable): Promise<Appended>
  /** Undefined when entries can be written, else why not. */
  readonly trouble: string | undefined
  /** Entries so far. */
  readonly size: number
  /** What opening had to mend, such as a torn tail; empty when nothing. */
  readonly mended: string
  close(): Promise<void>
}

interface Waiting {
  readonly entry: Appendable
  readonly resolve: (at: Appended) => void
  readonly reject: (error: Error) => void
}

/**
 * Opens the append-only trail in `folder` (made if missing) and takes the folder's lock.
 * A torn last line, left by a crash in the middle of a write, was never acknowledged: it is cut off and said so.
 * @throws when the trail is broken elsewhere, or another process holds the lock.
 */
export async function openAuditLog(
  folder: string,
  { segmentBytes = SEGMENT_BYTES }: LogOptions = {},
): Promise<AuditLog> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const unlock = await lock(folder)
  try {
    const tail = await readTail(folder)
    return new SegmentLog(folder, tail, { unlock, segmentBytes })
  } catch (error) {
    await unlock()
    throw error
  }
}

interface Tail {
  readonly segment: number
  readonly file: FileHandle
  readonly bytes: number
  readonly seq: number
  readonly hash: string
  readonly mended: string
}

class SegmentLog implements AuditLog {
  readonly mended: string
  readonly #folder: string
  readonly #unlock: () => Promise<void>
  readonly #segmentBytes: number
  #file: FileHandle
  #segment: number
  #bytes: number
  #seq: number
  #hash: string
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #failedAt = 0
  #trouble: string | undefined
  #closed = false

  constructor(
    folder: string,
    tail: Tail,
    { unlock, segmentBytes }: { readonly unlock: () => Promise<void>; readonly segmentBytes: number },
  ) {
    this.#folder = folder
    this.#unlock = unlock
    this.#segmentBytes = segmentBytes
    this.#file = tail.file
    this.#segment = tail.segment
    this.#bytes = tail.bytes
    this.#seq = tail.seq
    this.#hash = tail.hash
    this.mended = tail.mended
  }

  get size(): number {
    return this.#seq
  }

  get trouble(): string | undefined {
    if (this.#closed) return 'the audit log is closed'
    if (this.#waiting.length >= MAX_WAITING) return `${this.#waiting.length} entries wait for the disk`
    return this.#trouble !== undefined && Date.now() - this.#failedAt < RETRY_MS ? this.#trouble : undefined
  }

  append<T extends object>(entry: T & Appendable): Promise<Appended> {
    if (this.#closed) return Promise.reject(new Error('the audit log is closed'))
    if (this.#waiting.length >= MAX_WAITING) return Promise.reject(new Error('too many entries wait for the disk'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      this.#writing ??= this.#drain()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#writing
    await this.#file.close()
    await this.#unlock()
  }

  async #drain(): Promise<void> {
    // Everything that arrives in this turn of the loop shares one write and one fsync.
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
    if (this.#bytes >= this.#segmentBytes) await this.#nextSegment()
    let { seq, hash } = { seq: this.#seq, hash: this.#hash }
    let text = ''
    const places: Appended[] = []
    for (const { entry } of group) {
      entry.prev = hash
      entry.seq = seq
      const json = canonicalJson(entry)
      const sealed = sealLine(json)
      places.push({ seq, hash: sealed.hash, text: json })
      text += sealed.line
      seq += 1
      hash = sealed.hash
    }
    const bytes = Buffer.from(text)
    try {
      await writeDurably(this.#file, bytes, this.#bytes)
    } catch (error) {
      // What was not acknowledged must not be read as part of the trail later.
      await this.#file.truncate(this.#bytes).catch(() => undefined)
      throw error
    }
    this.#bytes += bytes.length
    this.#seq = seq
    this.#hash = hash
    for (const [at, { resolve }] of group.entries()) {
      const place = places[at]
      if (place !== undefined) resolve(place)
    }
  }

  async #nextSegment(): Promise<void> {
    const next = await open(segmentPath(this.#folder, this.#segment + 1), NEW_SEGMENT, 0o600)
    await syncFolder(this.#folder)
    await this.#file.close()
    this.#file = next
    this.#segment += 1
    this.#bytes = 0
  }
}

/**
 * Writes durably. Where the system has O_DSYNC (Linux, macOS) the files are opened with it: one call writes and waits
 * for the disk, instead of two. Elsewhere a sync follows.
 */
async function writeDurably(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    written += await new Promise<number>((resolve, reject) => {
      write(file.fd, bytes, written, bytes.length - written, position + written, (error, count) => {
        if (error === null) resolve(count)
        else reject(error)
      })
    })
  }
  if (SYNCED_WRITES === 0) await file.datasync()
}

const SYNCED_WRITES = (constants as Partial<typeof constants>).O_DSYNC ?? 0
const NEW_SEGMENT = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | SYNCED_WRITES
const OLD_SEGMENT = constants.O_RDWR | SYNCED_WRITES

/** Names sort as numbers do, so that a listing is the order of the trail. */
export function segmentPath(folder: string, segment: number): string {
  return join(folder, `${String(segment).padStart(8, '0')}.log`)
}

/** Segment numbers in order. */
export async function listSegments(folder: string): Promise<number[]> {
  const names = await readdir(folder)
  return names
    .filter((name) => /^\d{8}\.log$/.test(name))
    .map((name) => Number(name.slice(0, 8)))
    .toSorted((a, b) => a - b)
}

async function readTail(folder: string): Promise<Tail> {
  const segments = await listSegments(folder)
  const segment = segments.at(-1) ?? 0
  const path = segmentPath(folder, segment)
  if (segments.length === 0) {
    const file = await open(path, NEW_SEGMENT, 0o600)
    await syncFolder(folder)
    return { segment, file, bytes: 0, seq: 0, hash: GENESIS, mended: '' }
  }
  const start = await startOf(folder, segments)
  const content = await readFile(path)
  const read = readLines(content, start.seq, start.hash)
  const file = await open(path, OLD_SEGMENT)
  let mended = ''
  if (read.bytes < content.length) {
    mended = `cut ${content.length - read.bytes} bytes of an unfinished entry from the end of ${path}`
    await file.truncate(read.bytes)
    await file.datasync()
  }
  return { segment, file, bytes: read.bytes, seq: read.seq, hash: read.hash, mended }
}

/** Where the last segment begins: its first line says so, and the segment before it must end there. */
async function startOf(folder: string, segments: readonly number[]): Promise<{ seq: number; hash: string }> {
  if (segments.length < 2) return { seq: 0, hash: GENESIS }
  const before = await readFile(segmentPath(folder, segments[segments.length - 2] ?? 0), 'utf8')
  const last = before.trimEnd().split('\n').at(-1) ?? ''
  const parsed: unknown = JSON.parse(last.slice(65))
  if (typeof parsed !== 'object' || parsed === null || !('seq' in parsed) || typeof parsed.seq !== 'number') {
    throw new Error('the audit trail is broken: the segment before the last one does not end in an entry')
  }
  return { seq: parsed.seq + 1, hash: last.slice(0, 64) }
}

function readLines(content: Buffer, fromSeq: number, fromHash: string): { bytes: number; seq: number; hash: string } {
  let [bytes, seq, hash] = [0, fromSeq, fromHash]
  for (;;) {
    const end = content.indexOf(10, bytes)
    if (end === -1) return { bytes, seq, hash }
    const check = checkLine(content.toString('utf8', bytes, end), seq, hash)
    if (!check.ok) {
      // A whole line is no torn write: cutting it off would hide a change.
      throw new Error(`the audit trail is broken at entry ${seq}: ${check.reason}; run \`thinplane audit verify\``)
    }
    bytes = end + 1
    seq += 1
    hash = check.hash
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Locks of this process: its own id in a lock file says nothing. */
const held = new Set<string>()

/** One writer a folder: a lock file with the process id, taken over when that process is gone. */
async function lock(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'lock')
  if (held.has(path)) throw new Error(`this process writes the audit trail in ${folder} already`)
  const own = join(folder, `lock.${process.pid}`)
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx', mode: 0o600 })
      held.add(path)
      return async () => {
        held.delete(path)
        await unlink(path).catch(() => undefined)
      }
    } catch {
      const holder = Number(await readFile(path, 'utf8').catch(() => '0'))
      if (holder !== 0 && holder !== process.pid && isAlive(holder)) {
        throw new Error(
          `another process (${holder}) writes the audit trail in ${folder}: stop it, or use another --data folder`,
        )
      }
      await rename(path, own).catch(() => undefined)
      await unlink(own).catch(() => undefined)
    }
  }
  throw new Error(`the audit trail in ${folder} could not be locked`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
