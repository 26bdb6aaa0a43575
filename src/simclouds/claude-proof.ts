import { createHmac } from 'node:crypto'

/** The key of all stand-ins: what it signs is no secret. */
const KEY = 'simulated-thoughts'

/** The proof of a thought, or of a call: only the very same text has it. */
export function proofOf(text: string): string {
  return createHmac('sha256', KEY).update(text).digest('base64')
}

/** A thought that only the model can read. */
export function sealed(text: string): string {
  return Buffer.from(JSON.stringify({ text, proof: proofOf(text) })).toString('base64')
}

/** Whether it was sealed here and not changed since. */
export function isSealed(data: string): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(data, 'base64').toString('utf8'))
    const { text, proof } = value as { readonly text?: unknown; readonly proof?: unknown }
    return typeof text === 'string' && proof === proofOf(text)
  } catch {
    return false
  }
}
