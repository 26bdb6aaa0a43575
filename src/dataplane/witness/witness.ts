import { hash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '#kit/durable-file.ts'
import { sameBytes } from '#tlog/bytes.ts'
import { type Checkpoint, parseCheckpoint } from '#tlog/checkpoint.ts'
import { cosign } from '#tlog/cosignature.ts'
import { TlogError } from '#tlog/error.ts'
import { type AnySha256, emptyRoot } from '#tlog/hash.ts'
import { type Signer, type VerifierKey, formatVkey } from '#tlog/key.ts'
import { type Note, formatNote, formatSignature, parseNote, signaturesBy, verifyNote } from '#tlog/note.ts'
import { verifyConsistency } from '#tlog/verify-proof.ts'
import { type AddCheckpoint, parseAddCheckpoint } from '#tlog/witness-request.ts'
import type { Reply } from '#dataplane/http.ts'

export interface WitnessOptions {
  /** What it knows of each log is kept here. */
  readonly folder: string
  readonly signer: Signer
  /** Keys of the logs that it cosigns for; several may have one name. */
  readonly logs: readonly VerifierKey[]
  /** Epoch milliseconds. */
  readonly now: () => number
  /** A log showed a tree, under a good signature, that does not follow from what it showed before. */
  readonly onConflict?: (origin: string, knownSize: number, shownSize: number) => void
}

/** Remembers the largest tree of each log and cosigns nothing that does not follow from it (C2SP tlog-witness). */
export interface Witness {
  readonly vkey: string
  /** Answers the body of one `add-checkpoint`. */
  addCheckpoint(body: string): Promise<Reply>
}

const sha256: AnySha256 = (data) => hash('sha256', data, 'buffer')

/** @throws when what it knows of a log can not be read: it would have to begin from nothing. */
export async function openWitness(options: WitnessOptions): Promise<Witness> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 })
  const logs = new Map<string, WitnessedLog>()
  for (const { name } of options.logs) {
    if (logs.has(name)) continue
    const keys = options.logs.filter((key) => key.name === name)
    logs.set(name, await WitnessedLog.open(name, keys, options))
  }
  return {
    vkey: formatVkey(options.signer.key),
    addCheckpoint: async (body) => {
      try {
        const request = parseAddCheckpoint(body)
        const note = parseNote(request.checkpoint)
        const checkpoint = parseCheckpoint(note.text)
        const log = logs.get(checkpoint.origin)
        return log === undefined ? text(404, 'unknown log') : await log.add({ request, note, checkpoint })
      } catch (error) {
        if (error instanceof TlogError) return text(400, error.message)
        throw error
      }
    },
  }
}

/** Routes of a server that is a witness. */
export function witnessRoutes(witness: Witness): Readonly<Record<string, (body: string) => Promise<Reply>>> {
  return { 'POST /witness/add-checkpoint': (body) => witness.addCheckpoint(body) }
}

interface Offer {
  readonly request: AddCheckpoint
  readonly note: Note
  readonly checkpoint: Checkpoint
}

class WitnessedLog {
  readonly #keys: readonly VerifierKey[]
  readonly #options: WitnessOptions
  readonly #file: string
  /** The largest tree that was cosigned; undefined before the first. */
  #latest: Checkpoint | undefined
  /** Requests one after the other: what is checked must still hold when it is stored. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(file: string, keys: readonly VerifierKey[], options: WitnessOptions) {
    this.#file = file
    this.#keys = keys
    this.#options = options
  }

  static async open(origin: string, keys: readonly VerifierKey[], options: WitnessOptions): Promise<WitnessedLog> {
    const file = join(options.folder, `${hash('sha256', origin, 'hex')}.checkpoint`)
    const log = new WitnessedLog(file, keys, options)
    const stored = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (stored === undefined) return log
    try {
      log.#latest = parseCheckpoint(parseNote(stored).text)
    } catch (error) {
      throw new Error(`${file} is damaged: put back what this witness knew of ${origin}`, { cause: error })
    }
    return log
  }

  add(offer: Offer): Promise<Reply> {
    const answer = this.#turn.then(() => this.#add(offer))
    this.#turn = answer.catch(() => undefined)
    return answer
  }

  async #add(offer: Offer): Promise<Reply> {
    const { request, note, checkpoint } = offer
    if (!(await this.#isSigned(note))) return text(403, 'no good signature of a known key')
    if (request.oldSize > checkpoint.size) return text(400, 'the old size is larger than the checkpoint')
    const known = this.#latest?.size ?? 0
    if (request.oldSize !== known) return { status: 409, body: `${known}\n`, textType: 'text/x.tlog.size' }
    const problem = await this.#problemOf(offer)
    if (problem !== undefined) {
      this.#options.onConflict?.(checkpoint.origin, known, checkpoint.size)
      return text(422, problem)
    }
    await replaceFile(this.#file, formatNote(note))
    this.#latest = checkpoint
    const line = await cosign(note.text, Math.floor(this.#options.now() / 1000), this.#options.signer)
    return { status: 200, body: formatSignature(line), textType: 'text/plain; charset=utf-8' }
  }

  async #isSigned(note: Note): Promise<boolean> {
    // Lines of keys that are not known are nothing; a bad line of a known one spoils the note.
    const known = this.#keys.filter((key) => signaturesBy(note, key).length > 0)
    try {
      for (const key of known) await verifyNote(note, key)
      return known.length > 0
    } catch (error) {
      if (error instanceof TlogError) return false
      throw error
    }
  }

  async #problemOf({ request, checkpoint }: Offer): Promise<string | undefined> {
    const { size, root } = checkpoint
    const empty = await emptyRoot(sha256)
    if (size === 0 && !sameBytes(root, empty)) return 'the empty tree has another root'
    try {
      await verifyConsistency(sha256, {
        oldSize: request.oldSize,
        oldRoot: this.#latest?.root ?? empty,
        size,
        root,
        proof: request.proof,
      })
      return undefined
    } catch (error) {
      if (error instanceof TlogError) return error.message
      throw error
    }
  }
}

function text(status: number, why: string): Reply {
  return { status, body: `${why}\n`, textType: 'text/plain; charset=utf-8' }
}
