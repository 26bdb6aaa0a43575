import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '#kit/durable-file.ts'
import { sha256 } from './segment.ts'
import { timestampProblem, timestampQuery } from './timestamp-query.ts'

export interface StamperOptions {
  /** `audit/timestamps`. */
  readonly folder: string
  readonly everyMs: number
  /** Posts a TimeStampReq and gives the TimeStampResp. */
  readonly ask: (query: Uint8Array) => Promise<{ readonly status: number; readonly body: Uint8Array }>
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly onProblem: (problem: string) => void
}

/** After a stamp that did not come the next try waits so long. */
const RETRY_MS = 600_000
const NONCE_BYTES = 8

/** Has the time stamped on a checkpoint now and then, by an authority that knows nothing of the log (RFC 3161). */
export class Stamper {
  readonly #options: StamperOptions
  #dueAt: number
  #isAsking = false

  private constructor(options: StamperOptions, dueAt: number) {
    this.#options = options
    this.#dueAt = dueAt
  }

  /** The first stamp is due at once, or so long after the last one on disk. */
  static async open(options: StamperOptions): Promise<Stamper> {
    const names = await readdir(options.folder).catch(() => [])
    const times = await Promise.all(
      names
        .filter((name) => name.endsWith('.tsr'))
        .map(async (name) => (await stat(join(options.folder, name))).mtimeMs),
    )
    return new Stamper(options, times.length === 0 ? 0 : Math.max(...times) + options.everyMs)
  }

  /** Stamps this signed checkpoint when one is due. Never throws: a stamp that does not come is a problem said, no more. */
  async offer(note: string, size: number): Promise<void> {
    if (this.#isAsking || this.#options.now() < this.#dueAt) return
    this.#isAsking = true
    try {
      await this.#stamp(note, size)
      this.#dueAt = this.#options.now() + this.#options.everyMs
    } catch (error) {
      this.#dueAt = this.#options.now() + Math.min(RETRY_MS, this.#options.everyMs)
      this.#options.onProblem(`no time stamp: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      this.#isAsking = false
    }
  }

  async #stamp(note: string, size: number): Promise<void> {
    const digest = sha256(Buffer.from(note))
    const nonce = randomBytes(NONCE_BYTES)
    const { status, body } = await this.#options.ask(timestampQuery(digest, nonce))
    if (status !== 200) throw new Error(`the authority answers with status ${status}`)
    const problem = timestampProblem(body, digest, nonce)
    if (problem !== undefined) throw new Error(problem)
    await replaceFile(join(this.#options.folder, `${size}.checkpoint`), note)
    await replaceFile(join(this.#options.folder, `${size}.tsr`), body)
  }
}
