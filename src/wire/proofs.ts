import type { Family } from '#contract/ask.ts'

/*
 * Vendors' proofs travel with the history that clients send back. Clients keep what their dialect has a field for and
 * drop the rest, so a proof without a field goes inside one that every client keeps.
 */

/** Between the id of a tool call and Gemini's proof for it, in Base64 for URLs: letters that every dialect takes. */
const MARK = '__tp_proof__'

/** The id of a tool call as the client sees it. */
export function carriedId(id: string, signature: string | undefined): string {
  if (signature === undefined || signature === '') return id
  return `${id}${MARK}${Buffer.from(signature, 'utf8').toString('base64url')}`
}

/** The id as the model gave it, and the proof that came with it. */
export function splitId(carried: string): { readonly id: string; readonly signature?: string } {
  const at = carried.indexOf(MARK)
  if (at === -1) return { id: carried }
  const signature = Buffer.from(carried.slice(at + MARK.length), 'base64url').toString('utf8')
  return signature === '' ? { id: carried.slice(0, at) } : { id: carried.slice(0, at), signature }
}

/** In Anthropic's dialect a proof that is not Anthropic's says whose it is. */
export function carriedProof(proof: string, family: Family): string {
  return family === 'anthropic' ? proof : `tp-${family}.${proof}`
}

export function splitProof(carried: string): { readonly proof: string; readonly family: Family } {
  if (carried.startsWith('tp-gemini.')) return { proof: carried.slice('tp-gemini.'.length), family: 'gemini' }
  if (carried.startsWith('tp-.')) return { proof: carried.slice('tp-.'.length), family: '' }
  return { proof: carried, family: 'anthropic' }
}
