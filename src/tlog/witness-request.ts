import { fromBase64, readDecimal, toBase64 } from './bytes.ts'
import { TlogError } from './error.ts'
import { HASH_BYTES } from './hash.ts'

/** Body of `add-checkpoint` (C2SP tlog-witness). */
export interface AddCheckpoint {
  /** Size that the witness is thought to know. */
  readonly oldSize: number
  /** Consistency proof from there to the checkpoint. */
  readonly proof: readonly Uint8Array[]
  /** The signed checkpoint. */
  readonly checkpoint: string
}

const MAX_HASHES = 63

export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return `old ${oldSize}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${checkpoint}`
}

/** @throws {TlogError} */
export function parseAddCheckpoint(body: string): AddCheckpoint {
  const split = body.indexOf('\n\n')
  if (split === -1) throw new TlogError('the request has no checkpoint')
  const [old = '', ...lines] = body.slice(0, split).split('\n')
  if (!old.startsWith('old ')) throw new TlogError('the request does not say the old size')
  if (lines.length > MAX_HASHES) throw new TlogError(`a proof has ${MAX_HASHES} hashes at most`)
  const proof = lines.map((line) => {
    const hash = fromBase64(line)
    if (hash.length !== HASH_BYTES) throw new TlogError('a hash of the proof is not 32 bytes long')
    return hash
  })
  return { oldSize: readDecimal(old.slice(4), 'the old size'), proof, checkpoint: body.slice(split + 2) }
}
