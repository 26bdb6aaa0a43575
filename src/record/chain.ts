import { hash } from 'node:crypto'

/**
 * Form of the trail on disk: one line an entry, `<leaf hash> <canonical JSON>\n`.
 * The leaf hash is SHA-256(0x00 ‖ JSON) as in RFC 6962, so that the same files can be made into a Merkle log;
 * the JSON holds `seq` and `prev` (the hash of the line before), so that a line can neither leave nor move unseen.
 */
export const GENESIS = '0'.repeat(64)
const LEAF_PREFIX = '\u0000'
const HASH_CHARS = 64

/** SHA-256(0x00 ‖ text), hex. */
export function leafHash(text: string): string {
  return hash('sha256', LEAF_PREFIX + text, 'hex')
}

/** One line, with its line feed. `body` is canonical JSON of an object whose keys come before `prev` and `seq`, or any. */
export function sealLine(text: string): { readonly line: string; readonly hash: string } {
  const digest = leafHash(text)
  return { line: `${digest} ${text}\n`, hash: digest }
}

export type LineCheck =
  | { readonly ok: true; readonly hash: string; readonly seq: number; readonly text: string }
  | { readonly ok: false; readonly reason: string }

/** Checks one line (without its line feed) against the hash before it and the place where it stands. */
export function checkLine(line: string, expectedSeq: number, expectedPrev: string): LineCheck {
  const digest = line.slice(0, HASH_CHARS)
  const text = line.slice(HASH_CHARS + 1)
  if (!/^[0-9a-f]{64}$/.test(digest) || line[HASH_CHARS] !== ' ')
    return { ok: false, reason: 'the line is not a hash and an entry' }
  if (leafHash(text) !== digest) return { ok: false, reason: 'the entry does not match its hash' }
  const head = headOf(text)
  if (head === undefined) return { ok: false, reason: 'the entry has no place in the chain' }
  if (head.seq !== expectedSeq)
    return { ok: false, reason: `the entry says it is number ${head.seq}, it stands at ${expectedSeq}` }
  if (head.prev !== expectedPrev) return { ok: false, reason: 'the entry does not follow from the one before it' }
  return { ok: true, hash: digest, seq: head.seq, text }
}

function headOf(text: string): { readonly seq: number; readonly prev: string } | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null || !('seq' in parsed) || !('prev' in parsed)) return undefined
  const { seq, prev } = parsed
  return typeof seq === 'number' && typeof prev === 'string' ? { seq, prev } : undefined
}
