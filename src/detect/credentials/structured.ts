import type { Finding } from '#contract/screened.ts'
import {
  ALPHANUMERIC,
  BASE64,
  BASE64URL,
  DOT,
  EQUALS,
  HEX_LOWER,
  HYPHEN,
  LOWER,
  QUOTE,
  UPPER,
  DIGIT,
  WORD,
  distinctIn,
  isOf,
  runEnd,
  runStart,
} from '#detect/charset.ts'
import { isPlaceholder } from '#detect/assignment/placeholder.ts'
import { type Rule, secret } from './rule.ts'

/** A private key in PEM form is at most this long; beyond it the rest of the text is taken. */
const MAX_PEM_CHARS = 16_384
const MAX_JWT_SEGMENT_CHARS = 8192
const MAX_BASIC_CHARS = 512
const MAX_URL_PASSWORD_CHARS = 128

/** Credentials whose shape is more than a prefix and a run. */
export const STRUCTURED: readonly Rule[] = [
  { literal: '-----BEGIN ', find: privateKey },
  { literal: 'LS0tLS1CRUdJTi', find: encodedPrivateKey },
  { literal: 'eyJ', find: jsonWebToken },
  { literal: '://', find: urlPassword },
  { literal: 'basic ', find: basicHeader },
  { literal: 'ntlm ', find: ntlmHeader },
  { literal: ' -u ', find: curlUser },
  { literal: '--user ', find: curlUser },
  { literal: '--user=', find: curlUser },
  { literal: '.atlasv1.', find: terraformToken },
  { literal: 'BUNDLE_', find: bundleCredential },
  { literal: 'accountkey=', find: storageKey },
  { literal: 'sharedaccesskey=', find: storageKey },
  { literal: 'Q~', find: entraSecret },
  ...['SU', 'SA', 'SO', 'SN', 'SC'].map((literal): Rule => ({ literal, find: nkeySeed })),
  { literal: '-us', find: mailchimpKey },
]

const PEM_HEAD = '-----BEGIN '

/** From the head to the foot; a key that was cut off, or whose line breaks are escaped, counts as well. */
function privateKey(text: string, at: number): Finding | undefined {
  const head = text.slice(at, at + 64)
  const labelEnd = head.indexOf('-----', PEM_HEAD.length)
  const label = head.slice(PEM_HEAD.length, Math.max(labelEnd, PEM_HEAD.length))
  if (!label.endsWith('PRIVATE KEY') && label !== 'PGP PRIVATE KEY BLOCK') return undefined
  const bodyAt = at + labelEnd + 5
  if (!hasKeyBody(text.slice(bodyAt, bodyAt + 300))) return undefined
  const block = text.slice(at, at + MAX_PEM_CHARS)
  const foot = block.indexOf('-----END ')
  const footEnd = foot === -1 ? -1 : block.indexOf('-----', foot + 9)
  return secret('private-key', at, footEnd === -1 ? at + block.length : at + footEnd + 5)
}

/** Whether a line of Base64 follows: documentation writes the head alone, or dots behind it. */
function hasKeyBody(after: string): boolean {
  let at = 0
  while (at < after.length) {
    const end = runEnd(after, at, ALPHANUMERIC | BASE64, 400)
    if (end - at >= 20) return true
    at = end + 1
  }
  return false
}

/** A private key whose PEM form was encoded in Base64 once more. */
function encodedPrivateKey(text: string, at: number): Finding | undefined {
  // Only where a run begins: inside a long one it would be read again and again.
  if (isOf(text, at - 1, ALPHANUMERIC)) return undefined
  const end = runEnd(text, at, ALPHANUMERIC | BASE64, MAX_PEM_CHARS)
  if (end - at < 100) return undefined
  const head = Buffer.from(text.slice(at, at + 80), 'base64').toString('latin1')
  return head.includes('PRIV') && head.includes('KEY') ? secret('private-key', at, end) : undefined
}

/** Two or more Base64url segments of which the first decodes to a JSON object with `alg` (RFC 7515, RFC 7516). */
function jsonWebToken(text: string, at: number): Finding | undefined {
  if (!text.startsWith('eyJ', at) || isOf(text, at - 1, ALPHANUMERIC)) return undefined
  const headerEnd = runEnd(text, at, BASE64URL, MAX_JWT_SEGMENT_CHARS)
  if (text[headerEnd] !== '.' || headerEnd - at < 16) return undefined
  const payloadEnd = runEnd(text, headerEnd + 1, BASE64URL, MAX_JWT_SEGMENT_CHARS)
  const end = runEnd(text, payloadEnd, BASE64URL | DOT, 2 * MAX_JWT_SEGMENT_CHARS)
  if (end - headerEnd < 16) return undefined
  const header = Buffer.from(text.slice(at, Math.min(headerEnd, at + 400)), 'base64url').toString('latin1')
  return header.startsWith('{"') && header.includes('"alg"') ? secret('jwt', at, end) : undefined
}

/** `scheme://user:password@host`. */
function urlPassword(text: string, at: number): Finding | undefined {
  const userAt = at + 3
  let userEnd = userAt
  const userLimit = Math.min(text.length, userAt + 96)
  while (userEnd < userLimit && !' \t\r\n/"\'<>@:`'.includes(text[userEnd] ?? ' ')) userEnd += 1
  if (text[userEnd] !== ':') return undefined
  const limit = Math.min(text.length, userEnd + 1 + MAX_URL_PASSWORD_CHARS)
  let end = userEnd + 1
  while (end < limit && !' \t\r\n/"\'<>@`'.includes(text[end] ?? ' ')) end += 1
  if (text[end] !== '@') return undefined
  const value = text.slice(userEnd + 1, end)
  if (value.length < 3 || isPlaceholder(value) || isFormat(value)) return undefined
  return secret('url-password', userEnd + 1, end)
}

function isFormat(value: string): boolean {
  return (
    value.startsWith('%s') ||
    value.startsWith(':') ||
    ['password', 'passwd', 'pass', 'pwd', 'secret'].includes(value.toLowerCase())
  )
}

/** `Basic` and the Base64 of `user:password` (RFC 7617). */
function basicHeader(text: string, at: number): Finding | undefined {
  if (isOf(text, at - 1, WORD)) return undefined
  const start = at + 6
  const end = runEnd(text, start, ALPHANUMERIC | BASE64, MAX_BASIC_CHARS)
  if (end - start < 8) return undefined
  const decoded = Buffer.from(text.slice(start, end), 'base64').toString('latin1')
  const colon = decoded.indexOf(':')
  if (colon === -1 || colon === decoded.length - 1) return undefined
  for (let index = 0; index < decoded.length; index += 1) {
    const code = decoded.charCodeAt(index)
    if (code < 32 || code === 127) return undefined
  }
  return secret('basic-authorization', start, end, 0.95)
}

function ntlmHeader(text: string, at: number): Finding | undefined {
  const start = at + 5
  if (isOf(text, at - 1, WORD) || !text.startsWith('TlRMTVNTUA', start)) return undefined
  return secret('ntlm-authorization', start, runEnd(text, start, ALPHANUMERIC | BASE64, 4096))
}

const CURL_WINDOW_CHARS = 300

/**
 * `curl -u user:password`, or a token in the place of the user with nothing behind the colon. Only behind `curl`:
 * other commands mean other things by it.
 */
function curlUser(text: string, at: number): Finding | undefined {
  if (
    !text
      .slice(Math.max(0, at - CURL_WINDOW_CHARS), at)
      .toLowerCase()
      .includes('curl')
  )
    return undefined
  let userAt = at + (text[at] === ' ' ? 4 : 7)
  if (isOf(text, userAt, QUOTE)) userAt += 1
  const end = valueStop(text, userAt, 256)
  const colon = userAt + text.slice(userAt, end).indexOf(':')
  if (colon < userAt) return undefined
  const [from, to] = colon === end - 1 ? [userAt, colon] : [colon + 1, end]
  const value = text.slice(from, to)
  const isShort = value.length < (colon === end - 1 ? 12 : 3)
  if (isShort || isPlaceholder(value) || isFormat(value) || isNumber(value)) return undefined
  return secret('curl-user', from, to, 0.85)
}

/** `1000:1000`: the number of a user and of a group. */
function isNumber(value: string): boolean {
  return runEnd(value, 0, DIGIT, value.length) === value.length
}

/** `abcdefghijklmn.atlasv1.` and at least 60 characters (HCP Terraform). */
function terraformToken(text: string, at: number): Finding | undefined {
  const start = runStart(text, at, ALPHANUMERIC, 15)
  const end = runEnd(text, at + 9, BASE64URL | EQUALS, 80)
  const isToken = at - start === 14 && end - at - 9 >= 60 && !isOf(text, start - 1, WORD)
  return isToken ? secret('terraform-token', start, end) : undefined
}

function valueStop(text: string, from: number, max: number): number {
  const limit = Math.min(text.length, from + max)
  let at = from
  while (at < limit && !' \t\r\n"\'`'.includes(text[at] ?? ' ')) at += 1
  return at
}

/** `BUNDLE_GEMS__EXAMPLE__COM: user:password` (bundler.io, credentials for gem sources). */
function bundleCredential(text: string, at: number): Finding | undefined {
  if (!text.startsWith('BUNDLE_', at) || isOf(text, at - 1, WORD)) return undefined
  const nameEnd = runEnd(text, at, WORD, 96)
  const from = nameEnd + (text.startsWith(': ', nameEnd) ? 2 : 1)
  if (text[nameEnd] !== ':' && text[nameEnd] !== '=') return undefined
  const start = isOf(text, from, QUOTE) ? from + 1 : from
  const userEnd = runEnd(text, start, WORD | HYPHEN, 64)
  if (text[userEnd] !== ':' || userEnd - start < 4) return undefined
  const end = runEnd(text, userEnd + 1, WORD | HYPHEN, 128)
  return end - userEnd > 4 ? secret('bundler-credential', start, end, 0.85) : undefined
}

/** The Base64 of a key of 64 bytes (88 characters) or of 32 (44). */
function storageKey(text: string, at: number): Finding | undefined {
  const valueAt = text.indexOf('=', at) + 1
  const end = runEnd(text, valueAt, ALPHANUMERIC | BASE64, 90)
  const isKey = (end - valueAt === 88 || end - valueAt === 44) && distinctIn(text, valueAt, end) > 8
  return isKey ? secret('azure-shared-key', valueAt, end) : undefined
}

/** A secret of an Entra application: three characters and a digit, `Q~`, 31 to 34 characters more. */
function entraSecret(text: string, at: number): Finding | undefined {
  const start = at - 4
  if (start < 0 || !text.startsWith('Q~', at) || !isOf(text, at - 1, DIGIT)) return undefined
  const end = runEnd(text, at + 2, BASE64URL | DOT | 2048, 36)
  const length = end - at - 2
  if (
    length < 31 ||
    length > 34 ||
    isOf(text, start - 1, WORD) ||
    runEnd(text, start, BASE64URL | DOT | 2048, 3) !== start + 3
  )
    return undefined
  return distinctIn(text, at + 2, end) >= 10 ? secret('azure-client-secret', start, end) : undefined
}

/** 32 hexadecimal digits and the data centre, `-us1` to `-us99` (mailchimp.com/developer). */
function mailchimpKey(text: string, at: number): Finding | undefined {
  const start = runStart(text, at, HEX_LOWER, 33)
  const end = runEnd(text, at + 3, DIGIT, 3)
  const isKey =
    at - start === 32 && end > at + 3 && end < at + 6 && !isOf(text, end, WORD) && !isOf(text, start - 1, WORD)
  return isKey && distinctIn(text, start, at) >= 8 ? secret('mailchimp-key', start, end) : undefined
}

/** A seed of NATS: `S`, what it is for, and 56 characters of Base32 (docs.nats.io, NKeys). */
function nkeySeed(text: string, at: number): Finding | undefined {
  if (!isOf(text, at, UPPER) || !isOf(text, at + 1, UPPER) || isOf(text, at - 1, WORD)) return undefined
  const end = runEnd(text, at, UPPER | DIGIT, 60)
  if (end - at !== 58 || isOf(text, end, LOWER | 8)) return undefined
  return distinctIn(text, at, end) >= 12 ? secret('nkey-seed', at, end) : undefined
}
