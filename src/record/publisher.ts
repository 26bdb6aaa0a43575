import { replaceFile } from '#kit/durable-file.ts'
import { type OpenedCheckpoint, signCheckpoint } from '#tlog/checkpoint.ts'
import type { Signer } from '#tlog/key.ts'
import { formatNote } from '#tlog/note.ts'
import { Cosigning } from './cosigning.ts'
import { keepSigned, trailPaths } from './signed.ts'
import type { TileTree } from './tile-tree.ts'
import type { Witness, WitnessState } from './witness-feed.ts'

export interface PublisherOptions {
  readonly dataFolder: string
  readonly signer: Signer
  readonly tree: TileTree
  /** The last checkpoint that was signed before this start; undefined for a new log. */
  readonly signed: OpenedCheckpoint | undefined
  readonly cosignedSize: number
  readonly witnesses: readonly Witness[]
  readonly quorum: number
  /** Something that an operator should know; said once until it changes. */
  readonly onProblem: (problem: string) => void
  /** Each new checkpoint, when it has been stored. */
  readonly onSigned?: ((checkpoint: OpenedCheckpoint) => void) | undefined
}

/** At the end, calls to witnesses that are under way may take this long. */
const SETTLE_MS = 400
/** A witness has this long to confirm the log before its first signature; at the end less. */
const CONFIRM_MS = 10_000
const LAST_CONFIRM_MS = 1500

/** Makes tiles and signed checkpoints of what the log has made durable. */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #cosigning: Cosigning
  #signed: OpenedCheckpoint | undefined
  #cosignedSize: number
  #isConfirmed = false
  #isClosing = false
  #isClosed = false
  #conflict: string | undefined
  #problem = ''
  /** Writes of checkpoint files, one after the other. */
  #writing: Promise<void> = Promise.resolve()
  #publishing: Promise<void> | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#signed = options.signed
    this.#cosignedSize = options.cosignedSize
    this.#cosigning = new Cosigning({
      witnesses: options.witnesses,
      quorum: options.quorum,
      tree: options.tree.reader,
      onCosigned: (checkpoint, note, isWitnessed) => this.#keepCosigned(checkpoint, note, isWitnessed),
      onConflict: ({ message }) => {
        this.#conflict = `${message}, and not of what is here: nothing is recorded until \`thinplane audit reconcile\` has settled it`
      },
    })
  }

  get signedSize(): number {
    return this.#signed?.size ?? 0
  }

  get cosignedSize(): number {
    return this.#cosignedSize
  }

  get witnesses(): WitnessState[] {
    return this.#cosigning.states
  }

  /** Why the log must not be continued; undefined when it may. */
  get conflict(): string | undefined {
    return this.#conflict
  }

  /** Takes leaf hashes (hex) of entries that are on the disk: a few at a time, so that no second has to do all. */
  take(hashes: readonly string[]): void {
    this.#options.tree.append(Buffer.from(hashes.join(''), 'hex'))
  }

  /** Publishes what is new. A call while one is under way waits for that one. Never throws. */
  async publish(): Promise<void> {
    this.#publishing ??= this.#publish()
      .catch((error: unknown) => this.#say(error instanceof Error ? error.message : String(error)))
      .finally(() => (this.#publishing = undefined))
    await this.#publishing
  }

  /** Publishes the last entries and gives the witnesses a moment to cosign them. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#publishing
    await this.publish()
    await this.#cosigning.settle(SETTLE_MS)
    // What comes in later is for a log that another process may have opened.
    this.#isClosed = true
    await this.#writing
  }

  async #publish(): Promise<void> {
    const { tree, signer } = this.#options
    const { size } = tree
    await tree.flush()
    if (!(await this.#mayGoOn())) return
    this.#cosigning.nudge()
    if (size <= this.signedSize) return
    const checkpoint = { origin: signer.key.name, size, root: tree.root(size) }
    const note = await signCheckpoint(checkpoint, signer)
    const opened = { ...checkpoint, note }
    await this.#write(() => keepSigned(this.#options.dataFolder, formatNote(note)))
    this.#signed = opened
    this.#problem = ''
    this.#options.onSigned?.(opened)
    this.#cosigning.offer(opened)
  }

  /** Before the first signature one witness has to confirm that it knows no other and no larger tree of this log. */
  async #mayGoOn(): Promise<boolean> {
    if (this.#conflict === undefined && !this.#isConfirmed) {
      const last = this.#signed ?? (await this.#emptyCheckpoint())
      this.#isConfirmed = await this.#cosigning.confirm(last, this.#isClosing ? LAST_CONFIRM_MS : CONFIRM_MS)
      if (!this.#isConfirmed) this.#say(`no witness has confirmed the log yet: ${this.#troubles()}`)
    }
    if (this.#conflict !== undefined) this.#say(this.#conflict)
    return this.#conflict === undefined && this.#isConfirmed
  }

  /** The empty tree is the beginning of every log, so that signing it binds to nothing. */
  async #emptyCheckpoint(): Promise<OpenedCheckpoint> {
    const { signer, tree } = this.#options
    const checkpoint = { origin: signer.key.name, size: 0, root: tree.root(0) }
    return { ...checkpoint, note: await signCheckpoint(checkpoint, signer) }
  }

  #keepCosigned(checkpoint: OpenedCheckpoint, note: string, isWitnessed: boolean): void {
    if (this.#isClosed) return
    void this.#write(async () => {
      const paths = trailPaths(this.#options.dataFolder)
      if (checkpoint.size === this.#signed?.size) await replaceFile(paths.checkpoint, note)
      if (!isWitnessed || checkpoint.size < this.#cosignedSize || checkpoint.size === 0) return
      await replaceFile(paths.cosigned, note)
      this.#cosignedSize = checkpoint.size
    }).catch((error: unknown) => this.#say(error instanceof Error ? error.message : String(error)))
  }

  #write(work: () => Promise<void>): Promise<void> {
    const written = this.#writing.then(work)
    this.#writing = written.catch(() => undefined)
    return written
  }

  #troubles(): string {
    return this.witnesses.map(({ name, trouble }) => `${name} ${trouble}`).join(', ')
  }

  #say(problem: string): void {
    if (problem === this.#problem) return
    this.#problem = problem
    this.#options.onProblem(problem)
  }
}
