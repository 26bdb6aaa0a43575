import { concatBytes, fromBase64, sameBytes, toBase64, toUtf8 } from './bytes.ts'
import { TlogError } from './error.ts'
import { LOG_KEY, type Signer, type VerifierKey, assertKeyName, verifyEd25519 } from './key.ts'

/** One signature line of a note. */
export interface NoteSignature {
  readonly name: string
  readonly id: Uint8Array
  readonly signature: Uint8Array
}

/** A C2SP signed note: text that ends in a line feed, and who signed it. */
export interface Note {
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

const MAX_SIGNATURES = 100
const MAX_CHARS = 1_000_000
const ID_BYTES = 4
const DASH = '\u2014 '

/** @throws {TlogError} when the text is not a note. Signatures are read, not checked. */
export function parseNote(note: string): Note {
  if (note.length > MAX_CHARS) throw new TlogError('the note is too long')
  // eslint-disable-next-line no-control-regex -- a note may hold no control character but the line feed
  if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(note) || !note.isWellFormed())
    throw new TlogError('the note holds a control character')
  const split = note.lastIndexOf('\n\n')
  if (split === -1) throw new TlogError('the note has no signatures')
  return { text: note.slice(0, split + 1), signatures: parseSignatures(note.slice(split + 2)) }
}

/** Signature lines, each with its line feed. @throws {TlogError} */
export function parseSignatures(lines: string): NoteSignature[] {
  const all = lines.split('\n')
  if (all.pop() !== '' || all.length === 0) throw new TlogError('the signature lines do not end in a line feed')
  if (all.length > MAX_SIGNATURES) throw new TlogError(`a note has ${MAX_SIGNATURES} signatures at most`)
  return all.map((line) => {
    if (!line.startsWith(DASH)) throw new TlogError('a signature line does not begin with its dash')
    const [name = '', encoded = '', ...more] = line.slice(DASH.length).split(' ')
    assertKeyName(name)
    const bytes = fromBase64(encoded)
    if (more.length > 0 || bytes.length <= ID_BYTES) throw new TlogError('a signature line is not whole')
    return { name, id: bytes.slice(0, ID_BYTES), signature: bytes.slice(ID_BYTES) }
  })
}

export function formatSignature({ name, id, signature }: NoteSignature): string {
  return `${DASH}${name} ${toBase64(concatBytes(id, signature))}\n`
}

export function formatNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(formatSignature).join('')}`
}

/** Signs `text`, which ends in a line feed, as a log does. */
export async function signNote(text: string, { key, sign }: Signer): Promise<Note> {
  if (!text.endsWith('\n')) throw new TlogError('the text of a note ends in a line feed')
  const signature = await sign(toUtf8(text))
  return { text, signatures: [{ name: key.name, id: key.id, signature }] }
}

/** The lines of a note that name this key. */
export function signaturesBy(note: Note, key: VerifierKey): NoteSignature[] {
  return note.signatures.filter(({ name, id }) => name === key.name && sameBytes(id, key.id))
}

/**
 * Checks that a log's key has signed the note.
 * @throws {TlogError} when no line is from this key, or one that says so does not verify.
 */
export async function verifyNote(note: Note, key: VerifierKey): Promise<void> {
  if (key.type !== LOG_KEY) throw new TlogError('this is the key of a witness, not of a log')
  const lines = signaturesBy(note, key)
  if (lines.length === 0) throw new TlogError(`no signature is from ${key.name}`)
  const message = toUtf8(note.text)
  for (const { signature } of lines) {
    if (!(await verifyEd25519(key.publicKey, signature, message)))
      throw new TlogError(`a signature of ${key.name} is not good`)
  }
}
