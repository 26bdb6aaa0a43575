import { randomBytes } from 'node:crypto'

/** Bytes drawn at once: one call into the kernel's generator costs more than many ids. */
const POOL_BYTES = 8192
let pool = Buffer.alloc(0)
let at = 0

/** `bytes` random bytes as hex, from the kernel's generator. */
export function randomHex(bytes: number): string {
  if (at + bytes > pool.length) {
    pool = randomBytes(POOL_BYTES)
    at = 0
  }
  at += bytes
  return pool.toString('hex', at - bytes, at)
}
