import { sameBytes } from './bytes.ts'
import { TlogError } from './error.ts'
import { type AnySha256, HASH_BYTES, emptyRoot, nodeData } from './hash.ts'
import { splitOf } from './tree.ts'

export interface InclusionClaim {
  readonly index: number
  readonly size: number
  readonly leafHash: Uint8Array
  readonly proof: readonly Uint8Array[]
  readonly root: Uint8Array
}

/** @throws {TlogError} when the proof does not lead from the leaf to the root. */
export async function verifyInclusion(sha256: AnySha256, claim: InclusionClaim): Promise<void> {
  const { index, size, leafHash, proof, root } = claim
  if (!isCount(index) || !isCount(size) || index >= size)
    throw new TlogError(`there is no entry ${index} in a tree of ${size}`)
  assertHashes([leafHash, root, ...proof])
  const steps = stepsTo(index, size)
  if (steps.length !== proof.length)
    throw new TlogError(`the proof has ${proof.length} hashes, entry ${index} of ${size} needs ${steps.length}`)
  let hash = leafHash
  for (const [at, side] of steps.entries()) {
    const sibling = proof[at] ?? hash
    hash = await sha256(side === 'left' ? nodeData(sibling, hash) : nodeData(hash, sibling))
  }
  if (!sameBytes(hash, root)) throw new TlogError('the proof does not lead to the root')
}

/** On which side the sibling stands at each step from the leaf up. */
function stepsTo(index: number, size: number): ('left' | 'right')[] {
  const steps: ('left' | 'right')[] = []
  let [from, to] = [0, size]
  while (to - from > 1) {
    const middle = from + splitOf(to - from)
    if (index < middle) {
      steps.push('right')
      to = middle
    } else {
      steps.push('left')
      from = middle
    }
  }
  return steps.toReversed()
}

export interface ConsistencyClaim {
  readonly oldSize: number
  readonly oldRoot: Uint8Array
  readonly size: number
  readonly root: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** @throws {TlogError} when the proof does not show that the new tree begins with the old one. */
export async function verifyConsistency(sha256: AnySha256, claim: ConsistencyClaim): Promise<void> {
  const { oldSize, oldRoot, size, root, proof } = claim
  if (!isCount(oldSize) || !isCount(size) || oldSize > size)
    throw new TlogError(`a tree of ${oldSize} is not the beginning of one of ${size}`)
  assertHashes([oldRoot, root, ...proof])
  if (oldSize === 0 || oldSize === size) {
    if (proof.length > 0) throw new TlogError('a proof between these sizes has to be empty')
    const expected = oldSize === 0 ? await emptyRoot(sha256) : root
    if (!sameBytes(expected, oldRoot)) throw new TlogError('the roots differ')
    if (size === 0 && !sameBytes(expected, root)) throw new TlogError('the roots differ')
    return
  }
  const { steps, isKnown } = stepsBetween(oldSize, size)
  const first = isKnown ? oldRoot : proof[0]
  const rest = isKnown ? proof : proof.slice(1)
  if (first === undefined || rest.length !== steps.length)
    throw new TlogError(`the proof has ${proof.length} hashes, ${steps.length + (isKnown ? 0 : 1)} are needed`)
  let [old, now] = [first, first]
  for (const [at, side] of steps.entries()) {
    const sibling = rest[at] ?? now
    if (side === 'left') old = await sha256(nodeData(sibling, old))
    now = await sha256(side === 'left' ? nodeData(sibling, now) : nodeData(now, sibling))
  }
  if (!sameBytes(old, oldRoot)) throw new TlogError('the proof does not lead to the old root')
  if (!sameBytes(now, root)) throw new TlogError('the proof does not lead to the new root')
}

/** Steps from the old tree's last part up, and whether that part is the whole old tree. */
function stepsBetween(oldSize: number, size: number): { steps: ('left' | 'right')[]; isKnown: boolean } {
  const steps: ('left' | 'right')[] = []
  let [from, to, isKnown] = [0, size, true]
  while (oldSize !== to) {
    const middle = from + splitOf(to - from)
    if (oldSize <= middle) {
      steps.push('right')
      to = middle
    } else {
      steps.push('left')
      from = middle
      isKnown = false
    }
  }
  return { steps: steps.toReversed(), isKnown }
}

function assertHashes(hashes: readonly Uint8Array[]): void {
  if (hashes.some((hash) => hash.length !== HASH_BYTES)) throw new TlogError('a hash is not 32 bytes long')
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
