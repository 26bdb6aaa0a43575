import { fromBase64, readDecimal, toBase64 } from './bytes.ts'
import { TlogError } from './error.ts'
import { HASH_BYTES } from './hash.ts'

/** Everything needed to check offline that an entry is in a log, but the entry and the keys (C2SP tlog-proof). */
export interface ProofFile {
  readonly index: number
  readonly proof: readonly Uint8Array[]
  /** The signed checkpoint as it stands, cosignatures included. */
  readonly checkpoint: string
  /** Opaque; not covered by any signature. */
  readonly extra?: Uint8Array
}

/** `spicy` is the older form without the first line, which torchwood 0.9 reads. */
export type ProofForm = 'v1' | 'spicy'

const HEAD = 'c2sp.org/tlog-proof@v1'
/** A tree of 2^63 entries needs no more. */
const MAX_HASHES = 63

export function formatProofFile({ index, proof, checkpoint, extra }: ProofFile, form: ProofForm = 'v1'): string {
  const lines = [
    ...(form === 'v1' ? [HEAD] : []),
    ...(extra === undefined ? [] : [`extra ${toBase64(extra)}`]),
    `index ${index}`,
    ...proof.map(toBase64),
  ]
  return `${lines.join('\n')}\n\n${checkpoint}`
}

/** Reads both forms. @throws {TlogError} */
export function parseProofFile(text: string): ProofFile {
  const split = text.indexOf('\n\n')
  if (split === -1) throw new TlogError('the proof has no checkpoint')
  const lines = text.slice(0, split).split('\n')
  if (lines[0] === HEAD) lines.shift()
  const extra = lines[0]?.startsWith('extra ') === true ? fromBase64((lines.shift() ?? '').slice(6)) : undefined
  const head = lines.shift() ?? ''
  if (!head.startsWith('index ')) throw new TlogError('the proof does not say the index of its entry')
  if (lines.length > MAX_HASHES) throw new TlogError(`a proof has ${MAX_HASHES} hashes at most`)
  return {
    index: readDecimal(head.slice(6), 'the index'),
    proof: lines.map(readHash),
    checkpoint: text.slice(split + 2),
    ...(extra === undefined ? {} : { extra }),
  }
}

function readHash(line: string): Uint8Array {
  const hash = fromBase64(line)
  if (hash.length !== HASH_BYTES) throw new TlogError('a hash of the proof is not 32 bytes long')
  return hash
}
