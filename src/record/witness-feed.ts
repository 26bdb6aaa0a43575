import { cosignatureBy } from '#tlog/cosignature.ts'
import { TlogError } from '#tlog/error.ts'
import type { VerifierKey } from '#tlog/key.ts'
import { type NoteSignature, formatNote, parseSignatures } from '#tlog/note.ts'
import type { OpenedCheckpoint } from '#tlog/checkpoint.ts'
import { type TreeReader, consistencyProof } from '#tlog/tree.ts'
import { formatAddCheckpoint } from '#tlog/witness-request.ts'

export interface WitnessAnswer {
  readonly status: number
  readonly text: string
}

/** A witness as the log sees it. */
export interface Witness {
  /** For logs and metrics. */
  readonly name: string
  readonly key: VerifierKey
  /** Sends an `add-checkpoint` body. Rejects when no answer comes in time. */
  readonly ask: (body: string) => Promise<WitnessAnswer>
}

export interface WitnessState {
  readonly name: string
  /** Size that it cosigned last; undefined before the first answer. */
  readonly size: number | undefined
  /** Seconds since 1970 of its last cosignature, or 0. */
  readonly cosignedAtS: number
  /** Why it did not cosign the last time; empty when it did. */
  readonly trouble: string
}

/** A witness knows a larger tree, or another one: the log on disk is not the whole log, or the key signed two. */
export class WitnessConflict extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'WitnessConflict'
  }
}

/** The size that a witness says it knows may change between two tries at most once, by another submitter. */
const MAX_TRIES = 4

/** One witness: what it knows, and how it is told more. One request at a time. */
export class WitnessFeed {
  readonly #witness: Witness
  #size: number | undefined
  #cosignedAtS = 0
  #trouble = ''
  isBusy = false

  constructor(witness: Witness) {
    this.#witness = witness
  }

  get state(): WitnessState {
    return { name: this.#witness.name, size: this.#size, cosignedAtS: this.#cosignedAtS, trouble: this.#trouble }
  }

  /**
   * Asks for a cosignature.
   * @returns its line, or undefined when the witness is away or will not (`state.trouble` says why).
   * @throws {WitnessConflict}
   */
  async submit(checkpoint: OpenedCheckpoint, tree: TreeReader): Promise<NoteSignature | undefined> {
    this.isBusy = true
    try {
      const line = await this.#try(checkpoint, tree)
      this.#trouble = ''
      return line
    } catch (error) {
      this.#trouble = error instanceof Error ? error.message : String(error)
      if (error instanceof WitnessConflict) throw error
      return undefined
    } finally {
      this.isBusy = false
    }
  }

  async #try(checkpoint: OpenedCheckpoint, tree: TreeReader): Promise<NoteSignature> {
    const text = formatNote(checkpoint.note)
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      const oldSize = Math.min(this.#size ?? 0, checkpoint.size)
      const proof = consistencyProof(tree, oldSize, checkpoint.size)
      const answer = await this.#witness.ask(formatAddCheckpoint({ oldSize, proof, checkpoint: text }))
      if (answer.status === 200) return this.#accept(checkpoint, answer.text)
      if (answer.status === 422) throw new WitnessConflict(`${this.#witness.name} knows another tree of this log`)
      if (answer.status !== 409) throw new Error(`status ${answer.status}`)
      const size = sizeOf(answer.text)
      if (size > checkpoint.size)
        throw new WitnessConflict(`${this.#witness.name} has cosigned ${size} entries of this log`)
      this.#size = size
    }
    throw new Error('it keeps saying another size')
  }

  async #accept(checkpoint: OpenedCheckpoint, lines: string): Promise<NoteSignature> {
    const note = { text: checkpoint.note.text, signatures: parseSignatures(lines) }
    const cosignature = await cosignatureBy(note, this.#witness.key)
    if (cosignature === undefined) throw new TlogError('the answer has no cosignature of its key')
    this.#size = checkpoint.size
    this.#cosignedAtS = cosignature.timeS
    return cosignature.line
  }
}

function sizeOf(text: string): number {
  const match = /^(0|[1-9][0-9]{0,15})\n$/.exec(text)
  if (match === null) throw new TlogError('the witness does not say its size')
  return Number(match[1])
}
