import { HEX, isOf, runEnd } from '#detect/charset.ts'

/** Encoded runs shorter than this hide nothing that counts: a card of 13 digits has 18 characters in Base64. */
export const MIN_ENCODED_CHARS = 16
const MAX_ENCODED_CHARS = 65_536
/** Characters of a run that are decoded first, to see whether it is text at all. */
const PROBE_CHARS = 16

/** The text that a run from `start` to `end` encodes in hexadecimal or Base64 (either alphabet), or undefined. */
export function decodedRun(text: string, start: number, end: number): string | undefined {
  const run = text.slice(start, Math.min(end, start + MAX_ENCODED_CHARS))
  return hexadecimal(run) ?? base64(run)
}

function hexadecimal(run: string): string | undefined {
  if (run.length % 2 !== 0 || runEnd(run, 0, HEX, run.length) < run.length) return undefined
  return isPrintable(Buffer.from(run.slice(0, PROBE_CHARS), 'hex')) ? printed(Buffer.from(run, 'hex')) : undefined
}

function base64(run: string): string | undefined {
  if (!isPrintable(Buffer.from(run.slice(0, PROBE_CHARS), 'base64'))) return undefined
  return printed(Buffer.from(run, 'base64'))
}

function printed(bytes: Buffer): string | undefined {
  return isPrintable(bytes) ? bytes.toString('latin1') : undefined
}

/** All of it ASCII that can be seen, blanks and line breaks. */
function isPrintable(bytes: Uint8Array): boolean {
  if (bytes.length < 6) return false
  for (const byte of bytes) if ((byte < 32 && byte !== 9 && byte !== 10 && byte !== 13) || byte > 126) return false
  return true
}

/** Whether the run has the mixture of an encoding; words and identifiers are left out before anything is decoded. */
export function mayBeEncoded(text: string, start: number, end: number): boolean {
  let isLower = true
  for (let at = start; at < end && isLower; at += 1) if (!isOf(text, at, 2 | 8 | 16)) isLower = false
  return !isLower
}
