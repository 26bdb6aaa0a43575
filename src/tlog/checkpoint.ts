import { fromBase64, readDecimal, sameBytes, toBase64 } from './bytes.ts'
import { TlogError } from './error.ts'
import { HASH_BYTES, emptyRoot, webSha256 } from './hash.ts'
import { type Signer, type VerifierKey, assertKeyName } from './key.ts'
import { type Note, parseNote, signNote, verifyNote } from './note.ts'

/** What a log commits to (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** Name of the log: a URL without its scheme. */
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

/** The text that is signed: origin, size, root, each on its line. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`
}

/** Lines behind the root are read past, as the format wants it. @throws {TlogError} */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', ...more] = text.split('\n')
  if (more.length === 0 || more.at(-1) !== '' || more.slice(0, -1).includes(''))
    throw new TlogError('a checkpoint has three lines that are not empty')
  if (origin === '') throw new TlogError('the checkpoint has no origin')
  const hash = fromBase64(root)
  if (hash.length !== HASH_BYTES) throw new TlogError('the root is not 32 bytes long')
  return { origin, size: readDecimal(size, 'the size'), root: hash }
}

export async function signCheckpoint(checkpoint: Checkpoint, signer: Signer): Promise<Note> {
  assertKeyName(checkpoint.origin)
  return signNote(formatCheckpoint(checkpoint), signer)
}

export interface OpenedCheckpoint extends Checkpoint {
  readonly note: Note
}

/**
 * Reads a signed checkpoint and checks that this log signed it.
 * @throws {TlogError} for anything else, another log's checkpoint too.
 */
export async function openCheckpoint(text: string, key: VerifierKey): Promise<OpenedCheckpoint> {
  const note = parseNote(text)
  const checkpoint = parseCheckpoint(note.text)
  if (checkpoint.origin !== key.name)
    throw new TlogError(`the checkpoint is of ${checkpoint.origin}, the key of ${key.name}`)
  await verifyNote(note, key)
  if (checkpoint.size === 0 && !sameBytes(checkpoint.root, await emptyRoot(webSha256)))
    throw new TlogError('the root of an empty tree is not that of nothing')
  return { ...checkpoint, note }
}
