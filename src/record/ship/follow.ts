import { type FileHandle, open } from 'node:fs/promises'
import { HASH_CHARS, LINE_EXTRA, listSegments, segmentPath } from '#record/segment.ts'

/** One entry on its way out. */
export interface Shipped {
  readonly index: number
  /** Leaf hash, hex. */
  readonly hash: string
  /** Canonical JSON. */
  readonly json: string
}

const READ_BYTES = 256 * 1024
const LINE_FEED = 10

/** Reads the log from an entry on, in pieces and without holding anybody up, while it grows. */
export class Follower {
  readonly #folder: string
  #file: FileHandle | undefined
  /** First index of the segment that is open, where the next byte is read, and whose entry that is. */
  #segment = 0
  #offset = 0
  #index = 0
  #rest: Buffer = Buffer.alloc(0)

  /** `folder` is the log's own. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Entries from `from` up to, and without, `until`, at most `maxBytes` of JSON (but at least one entry).
   * @throws when the log does not hold them.
   */
  async read(from: number, until: number, maxBytes: number): Promise<Shipped[]> {
    if (from >= until) return []
    if (this.#file === undefined || from !== this.#index) await this.#seek(from)
    const batch: Shipped[] = []
    let bytes = 0
    while (this.#index < until) {
      const end = this.#rest.indexOf(LINE_FEED)
      if (end === -1) {
        if (!(await this.#more())) break
        continue
      }
      const length = end + 1 - LINE_EXTRA
      if (batch.length > 0 && bytes + length > maxBytes) break
      if (this.#index >= from) {
        batch.push({
          index: this.#index,
          hash: this.#rest.toString('latin1', 0, HASH_CHARS),
          json: this.#rest.toString('utf8', HASH_CHARS + 1, end),
        })
        bytes += length
      }
      this.#rest = this.#rest.subarray(end + 1)
      this.#index += 1
    }
    return batch
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  /** To the segment that holds an entry; entries before it are skipped as they are read. */
  async #seek(index: number): Promise<void> {
    const first = (await listSegments(this.#folder)).findLast((candidate) => candidate <= index)
    if (first === undefined) throw new Error(`the audit log has no segment with entry ${index}`)
    await this.#open(first)
  }

  async #open(first: number): Promise<void> {
    await this.close()
    this.#file = await open(segmentPath(this.#folder, first), 'r')
    this.#segment = first
    this.#offset = 0
    this.#index = first
    this.#rest = Buffer.alloc(0)
  }

  /** False when the log has no more bytes now. */
  async #more(): Promise<boolean> {
    if (this.#file === undefined) return false
    const chunk = Buffer.allocUnsafe(READ_BYTES)
    const { bytesRead } = await this.#file.read(chunk, 0, READ_BYTES, this.#offset)
    if (bytesRead > 0) {
      this.#offset += bytesRead
      this.#rest = Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)])
      return true
    }
    const next = (await listSegments(this.#folder)).find((candidate) => candidate > this.#segment)
    if (next !== this.#index) return false
    await this.#open(next)
    return true
  }
}
