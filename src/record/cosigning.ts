import type { OpenedCheckpoint } from '#tlog/checkpoint.ts'
import { type NoteSignature, formatNote } from '#tlog/note.ts'
import type { TreeReader } from '#tlog/tree.ts'
import { type Witness, WitnessConflict, WitnessFeed, type WitnessState } from './witness-feed.ts'

export interface CosigningOptions {
  readonly witnesses: readonly Witness[]
  /** Cosignatures that a checkpoint needs to count as witnessed. */
  readonly quorum: number
  readonly tree: TreeReader
  /** A checkpoint has one more cosignature; `isWitnessed` when the quorum is reached. The note has all of them. */
  readonly onCosigned: (checkpoint: OpenedCheckpoint, note: string, isWitnessed: boolean) => void
  /** A witness knows what this log does not: nothing may be signed any more. */
  readonly onConflict: (conflict: WitnessConflict) => void
}

/** Checkpoints whose cosignatures may still come in. */
const OPEN_CHECKPOINTS = 4
/** A witness that was away is asked again after this long. */
const RETRY_MS = 2000

interface Open {
  readonly checkpoint: OpenedCheckpoint
  readonly lines: Map<string, NoteSignature>
}

/** Brings checkpoints to all witnesses side by side, each at its own pace, and gathers what they cosign. */
export class Cosigning {
  readonly #options: CosigningOptions
  readonly #feeds: readonly WitnessFeed[]
  readonly #retryAt = new Map<WitnessFeed, number>()
  readonly #running = new Set<Promise<unknown>>()
  #open: Open[] = []
  #latest: OpenedCheckpoint | undefined

  constructor(options: CosigningOptions) {
    this.#options = options
    this.#feeds = options.witnesses.map((witness) => new WitnessFeed(witness))
  }

  get states(): WitnessState[] {
    return this.#feeds.map(({ state }) => state)
  }

  /**
   * Whether one witness at least confirms that this checkpoint, signed earlier, is the largest that it knows of this
   * log. True without witnesses.
   */
  async confirm(checkpoint: OpenedCheckpoint, withinMs: number): Promise<boolean> {
    if (this.#feeds.length === 0) return true
    const idle = this.#feeds.filter((feed) => !feed.isBusy)
    const asked = firstTrue(idle.map((feed) => this.#track(this.#submit(feed, checkpoint))))
    const late = new Promise<false>((resolve) => void setTimeout(() => resolve(false), withinMs).unref())
    return await Promise.race([asked, late])
  }

  /** Tells the witnesses of a new checkpoint. One that is busy gets the newest when it is done. */
  offer(checkpoint: OpenedCheckpoint): void {
    this.#latest = checkpoint
    this.nudge()
  }

  /** Asks witnesses again that have not cosigned the newest checkpoint, unless they were away a moment ago. */
  nudge(): void {
    const latest = this.#latest
    if (latest === undefined) return
    for (const feed of this.#feeds) {
      const isBehind = feed.state.size !== latest.size || feed.state.trouble !== ''
      if (!feed.isBusy && isBehind && (this.#retryAt.get(feed) ?? 0) <= performance.now())
        void this.#track(this.#follow(feed))
    }
  }

  /** Waits for calls under way, for so long. */
  async settle(ms: number): Promise<void> {
    await Promise.race([Promise.allSettled(this.#running), new Promise((resolve) => setTimeout(resolve, ms).unref())])
  }

  async #follow(feed: WitnessFeed): Promise<void> {
    let told: OpenedCheckpoint | undefined
    while (this.#latest !== undefined && this.#latest !== told) {
      told = this.#latest
      if (!(await this.#submit(feed, told))) return
    }
  }

  async #submit(feed: WitnessFeed, checkpoint: OpenedCheckpoint): Promise<boolean> {
    try {
      const line = await feed.submit(checkpoint, this.#options.tree)
      if (line === undefined) {
        this.#retryAt.set(feed, performance.now() + RETRY_MS)
        return false
      }
      this.#add(checkpoint, line)
      return true
    } catch (error) {
      if (!(error instanceof WitnessConflict)) throw error
      this.#options.onConflict(error)
      return false
    }
  }

  #add(checkpoint: OpenedCheckpoint, line: NoteSignature): void {
    let open = this.#open.find((one) => one.checkpoint.size === checkpoint.size)
    if (open === undefined) {
      open = { checkpoint, lines: new Map() }
      this.#open = [...this.#open, open].slice(-OPEN_CHECKPOINTS)
    }
    open.lines.set(line.name, line)
    const { note } = checkpoint
    const own = note.signatures.filter(({ name }) => name === checkpoint.origin)
    const text = formatNote({ text: note.text, signatures: [...own, ...open.lines.values()] })
    this.#options.onCosigned(checkpoint, text, open.lines.size >= this.#options.quorum)
  }

  #track<T>(running: Promise<T>): Promise<T> {
    const tracked = running.finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
    return tracked
  }
}

/** True as soon as one is, false when none is. */
function firstTrue(all: readonly Promise<boolean>[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    for (const one of all) one.then((value) => value && resolve(true), reject)
    Promise.all(all).then(() => resolve(false), reject)
  })
}
