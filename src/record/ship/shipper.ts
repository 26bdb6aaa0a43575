import { readFile } from 'node:fs/promises'
import { replaceFile } from '#kit/durable-file.ts'
import { Follower, type Shipped } from './follow.ts'

/** Where entries are shipped to. */
export interface Sink {
  /** For logs and metrics. */
  readonly name: string
  /** Bytes of JSON in one batch. */
  readonly maxBatchBytes: number
  /** Sends one batch; a batch may come again, since what was sent is only known when the answer is here. */
  readonly send: (batch: readonly Shipped[]) => Promise<Sent>
}

/** How a batch fared. */
export type Sent =
  | { readonly outcome: 'done' }
  /** Not now: again after a while, which the far side may have named. */
  | { readonly outcome: 'later'; readonly problem: string; readonly retryAfterMs: number | undefined }
  /** Smaller: half of it is tried. */
  | { readonly outcome: 'too-large'; readonly problem: string }

export interface ShipperOptions {
  readonly sink: Sink
  /** The log's folder. */
  readonly audit: string
  /** File that holds how far it is. */
  readonly progressFile: string
  /** Entries that are durable now. */
  readonly size: () => number
  /** Milliseconds between two looks at the log. */
  readonly everyMs: number
  /** Told once when shipping begins to fail, and once when it goes on: undefined. */
  readonly onProblem: (problem: string | undefined) => void
  /** Waits; for tests. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
}

export interface Shipper {
  /** Entries that have arrived. */
  readonly shipped: number
  /** Why it does not go on; undefined when it does. */
  readonly problem: string | undefined
  close(): Promise<void>
}

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 300_000

/**
 * Ships the log to a sink behind everybody's back: at least once, in order, from where it stopped. A sink that is away
 * costs a request nothing, and nothing is dropped: the log waits.
 * @throws when the progress file is damaged.
 */
export async function startShipper(options: ShipperOptions): Promise<Shipper> {
  const run = new Run(options, await readProgress(options.progressFile))
  run.start()
  return run
}

class Run implements Shipper {
  shipped: number
  problem: string | undefined
  readonly #options: ShipperOptions
  readonly #follower: Follower
  readonly #stop = new AbortController()
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>
  #maxBytes: number
  #waitMs = FIRST_WAIT_MS
  #running: Promise<void> = Promise.resolve()

  constructor(options: ShipperOptions, from: number) {
    this.#options = options
    this.shipped = from
    this.#follower = new Follower(options.audit)
    this.#maxBytes = options.sink.maxBatchBytes
    this.#sleep = options.sleep ?? sleep
  }

  start(): void {
    this.#running = this.#loop()
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#follower.close()
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const waitMs = await this.#step().catch((error: unknown) => this.#failed(messageOf(error), undefined))
      if (waitMs > 0 && !signal.aborted) await this.#sleep(waitMs, signal)
    }
  }

  /** One batch. Resolves to the milliseconds to wait before the next. */
  async #step(): Promise<number> {
    const { sink, size, everyMs, progressFile } = this.#options
    const batch = await this.#follower.read(this.shipped, size(), this.#maxBytes)
    const last = batch.at(-1)
    if (last === undefined) return everyMs
    const sent = await sink.send(batch)
    if (sent.outcome === 'too-large' && batch.length > 1) {
      this.#maxBytes = Math.max(1, Math.floor(this.#maxBytes / 2))
      return 0
    }
    if (sent.outcome !== 'done')
      return this.#failed(sent.problem, sent.outcome === 'later' ? sent.retryAfterMs : undefined)
    await replaceFile(progressFile, `${last.index + 1}\n`)
    this.shipped = last.index + 1
    this.#maxBytes = sink.maxBatchBytes
    this.#waitMs = FIRST_WAIT_MS
    if (this.problem !== undefined) {
      this.problem = undefined
      this.#options.onProblem(undefined)
    }
    return this.shipped < size() ? 0 : everyMs
  }

  #failed(problem: string, retryAfterMs: number | undefined): number {
    if (this.problem === undefined) this.#options.onProblem(problem)
    this.problem = problem
    const waitMs = retryAfterMs ?? this.#waitMs
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2)
    return Math.min(LONGEST_WAIT_MS, Math.max(1, waitMs))
  }
}

async function readProgress(file: string): Promise<number> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw error
  }
  if (!/^\d{1,15}\n$/.test(text))
    throw new Error(`${file} does not say how far the log was shipped: remove it to ship everything again`)
  return Number(text)
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    timer.unref()
    signal.addEventListener('abort', done)
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
