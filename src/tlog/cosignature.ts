import { concatBytes, toUtf8 } from './bytes.ts'
import { TlogError } from './error.ts'
import { COSIGNER_KEY, type Signer, type VerifierKey, verifyEd25519 } from './key.ts'
import { type Note, type NoteSignature, signaturesBy } from './note.ts'

const TIME_BYTES = 8
const SIGNATURE_BYTES = 64

/** A witness's statement: at this time it had seen no larger tree of this log, and this one follows from what it saw. */
export interface Cosignature {
  /** Seconds since 1970. */
  readonly timeS: number
  readonly line: NoteSignature
}

/** Cosigns the text of a checkpoint (C2SP cosignature/v1). */
export async function cosign(text: string, timeS: number, { key, sign }: Signer): Promise<NoteSignature> {
  const signature = concatBytes(timeBytes(timeS), await sign(messageOf(text, timeS)))
  return { name: key.name, id: key.id, signature }
}

/**
 * The cosignature of one witness on a note, or undefined when there is none.
 * @throws {TlogError} when a line names the witness and is not its.
 */
export async function cosignatureBy(note: Note, key: VerifierKey): Promise<Cosignature | undefined> {
  if (key.type !== COSIGNER_KEY) throw new TlogError('this is the key of a log, not of a witness')
  let found: Cosignature | undefined
  for (const line of signaturesBy(note, key)) {
    if (line.signature.length !== TIME_BYTES + SIGNATURE_BYTES)
      throw new TlogError(`a cosignature of ${key.name} has the wrong length`)
    const timeS = readTime(line.signature)
    const isGood = await verifyEd25519(key.publicKey, line.signature.slice(TIME_BYTES), messageOf(note.text, timeS))
    if (!isGood || timeS === 0) throw new TlogError(`a cosignature of ${key.name} is not good`)
    found ??= { timeS, line }
  }
  return found
}

function messageOf(text: string, timeS: number): Uint8Array {
  return toUtf8(`cosignature/v1\ntime ${timeS}\n${text}`)
}

function timeBytes(timeS: number): Uint8Array {
  const bytes = new Uint8Array(TIME_BYTES)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(timeS))
  return bytes
}

function readTime(signature: Uint8Array): number {
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) throw new TlogError('the time of a cosignature is out of range')
  return Number(time)
}
