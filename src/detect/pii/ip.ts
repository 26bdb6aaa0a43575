import { isIPv6 } from 'node:net'
import type { Finding } from '#contract/screened.ts'
import { DIGIT, DOT, HEX, WORD, isOf, runEnd } from '#detect/charset.ts'
import type { Context } from './context.ts'

/** Words that make one likely. */
export const IP_CONTEXT: readonly string[] = [
  'ip',
  'ipv6',
  'ipv4',
  'host',
  'localhost',
  'address',
  'addresses',
  'listen',
  'bind',
  'subnet',
  'dns',
]
const COLON = 58
/** The longest address, with a dotted end, and a colon more. */
const MAX_CHARS = 46

/** The IPv4 address that starts at `start`, if there is one. */
export function ipv4At(text: string, start: number): Finding | undefined {
  if (isOf(text, start - 1, WORD) || text[start - 1] === '.' || text[start - 1] === ':') return undefined
  let at = start
  for (let octet = 0; octet < 4; octet += 1) {
    const end = runEnd(text, at, DIGIT, 4)
    if (end === at || end - at > 3 || Number(text.slice(at, end)) > 255) return undefined
    if (octet < 3 && text[end] !== '.') return undefined
    at = octet < 3 ? end + 1 : end
  }
  if (isOf(text, at, WORD) || (text[at] === '.' && isOf(text, at + 1, DIGIT))) return undefined
  // Loopback and "any" tell nothing about anybody.
  const isNobody = /^(?:127\.|0\.0\.0\.0$|255\.255\.255\.255$)/.test(text.slice(start, at))
  return { type: 'IP_ADDRESS', start, end: at, score: isNobody ? 0.4 : 0.95, detector: 'ipv4' }
}

/** Index after the run of hexadecimal digits, dots and colons around the colon at `colon`. */
export function colonRunEnd(text: string, colon: number): number {
  let end = colon + 1
  while (end < text.length && isPart(text, end)) end += 1
  return end
}

function isPart(text: string, at: number): boolean {
  return isOf(text, at, HEX | DOT) || text.charCodeAt(at) === COLON
}

/** The IPv6 address around the colon at `colon`, the first of its run, if there is one. */
export function ipv6At(text: string, colon: number, context: Context): Finding | undefined {
  let start = colon
  while (start > 0 && colon - start < 5 && isPart(text, start - 1)) start -= 1
  let end = colon
  while (end < text.length && end - start < MAX_CHARS && isPart(text, end)) end += 1
  while (end > start && (text[end - 1] === '.' || (text[end - 1] === ':' && text[end - 2] !== ':'))) end -= 1
  if (isOf(text, start - 1, WORD) || isOf(text, end, WORD)) return undefined
  const candidate = text.slice(start, end)
  if (!isIPv6(candidate)) return undefined
  // `[::2]` is a slice in some languages, `::` a separator in others.
  if (candidate === '::' && !context.isBare(start, end)) return undefined
  const isShort = candidate.length < 6
  const score = !isShort ? 0.95 : context.has(IP_CONTEXT, start, end) || context.isBare(start, end) ? 0.7 : 0
  return score === 0 ? undefined : { type: 'IP_ADDRESS', start, end, score, detector: 'ipv6' }
}
