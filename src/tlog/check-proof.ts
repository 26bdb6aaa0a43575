import { webSha256, leafData } from './hash.ts'
import { type Policy, type PolicyVerdict, checkPolicy } from './policy.ts'
import { parseProofFile } from './proof-file.ts'
import { verifyInclusion } from './verify-proof.ts'

export interface CheckedProof extends PolicyVerdict {
  readonly index: number
}

/**
 * Checks a proof file for an entry, from these three things alone: signature, quorum and the way to the root.
 * @throws {TlogError} with the first thing that is wrong.
 */
export async function checkProof(proofFile: string, entry: Uint8Array, policy: Policy): Promise<CheckedProof> {
  const { index, proof, checkpoint: note } = parseProofFile(proofFile)
  const verdict = await checkPolicy(policy, note)
  const { size, root } = verdict.checkpoint
  await verifyInclusion(webSha256, { index, size, root, proof, leafHash: await webSha256(leafData(entry)) })
  return { ...verdict, index }
}
