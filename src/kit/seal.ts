import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** Hides and protects a short text that somebody else keeps for us (AES-256-GCM). */
export interface Sealer {
  readonly seal: (text: string) => string
  /** The text, or undefined when it was changed, or sealed by another key. */
  readonly open: (sealed: string) => string | undefined
}

const NONCE_BYTES = 12
const TAG_BYTES = 16

/** `key`: 32 bytes. */
export function createSealer(key: Uint8Array): Sealer {
  return {
    seal: (text) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const hidden = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), hidden]).toString('base64url')
    },
    open: (sealed) => {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      try {
        const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES))
        return Buffer.concat([text, decipher.final()]).toString('utf8')
      } catch {
        return undefined
      }
    },
  }
}
