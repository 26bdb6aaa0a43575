import type { Finding } from '#contract/screened.ts'
import { ALPHANUMERIC, BASE64, DIGIT, DOT, HYPHEN, LOWER, UNDERSCORE, UPPER, WORD, isOf, runEnd } from './charset.ts'
import { assignment } from './assignment.ts'

/**
 * One kind of credential: a literal that gives it away, and what must follow.
 * Matching is prefix, then a run of characters, then length, then a check: linear by construction.
 */
interface SecretRule {
  readonly name: string
  /** The literal; found without regard to case, then compared exactly unless `anyCase`. */
  readonly literal: string
  readonly anyCase?: boolean
  /** Returns the end of the credential that starts with the literal at `at`, or -1. */
  readonly end: (text: string, at: number) => number
  readonly score: number
}

/** Literal, then `min` to `max` characters of `classes`, then none of them. */
function token(name: string, literal: string, classes: number, min: number, max: number, score = 1): SecretRule {
  return {
    name,
    literal,
    score,
    end: (text, at) => {
      if (isOf(text, at - 1, WORD)) return -1
      const bodyAt = at + literal.length
      const end = runEnd(text, bodyAt, classes, max + 1)
      const length = end - bodyAt
      return length >= min && length <= max ? end : -1
    },
  }
}

const BASE64URL = WORD | HYPHEN
/** A private key in PEM form is at most this long; beyond it the rest of the text is taken. */
const MAX_PEM_CHARS = 16_384
const MAX_JWT_SEGMENT_CHARS = 8192

// Lengths and alphabets are the issuers' own, as published in their secret-scanning documentation.
const RULES: readonly SecretRule[] = [
  token('aws-access-key-id', 'AKIA', UPPER | DIGIT, 16, 16),
  token('aws-access-key-id', 'ASIA', UPPER | DIGIT, 16, 16),
  token('aws-bedrock-api-key', 'ABSK', ALPHANUMERIC | BASE64, 100, 300),
  token('github-token', 'ghp_', ALPHANUMERIC, 36, 255),
  token('github-token', 'gho_', ALPHANUMERIC, 36, 255),
  token('github-token', 'ghu_', ALPHANUMERIC, 36, 255),
  token('github-token', 'ghs_', ALPHANUMERIC, 36, 255),
  token('github-token', 'ghr_', ALPHANUMERIC, 36, 255),
  token('github-fine-grained-token', 'github_pat_', WORD, 60, 255),
  token('gitlab-token', 'glpat-', BASE64URL, 20, 64),
  token('slack-token', 'xoxb-', ALPHANUMERIC | HYPHEN, 20, 255),
  token('slack-token', 'xoxp-', ALPHANUMERIC | HYPHEN, 20, 255),
  token('slack-token', 'xoxa-', ALPHANUMERIC | HYPHEN, 20, 255),
  token('slack-token', 'xapp-', ALPHANUMERIC | HYPHEN, 20, 255),
  token('openai-key', 'sk-proj-', BASE64URL, 40, 255),
  token('openai-key', 'sk-svcacct-', BASE64URL, 40, 255),
  token('anthropic-key', 'sk-ant-', BASE64URL, 40, 255),
  token('openai-key', 'sk-', ALPHANUMERIC, 40, 64),
  token('google-api-key', 'AIza', BASE64URL, 35, 35),
  token('google-oauth-secret', 'GOCSPX-', BASE64URL, 28, 28),
  token('stripe-key', 'sk_live_', ALPHANUMERIC, 24, 255),
  token('stripe-key', 'rk_live_', ALPHANUMERIC, 24, 255),
  token('stripe-key', 'sk_test_', ALPHANUMERIC, 24, 255),
  token('npm-token', 'npm_', ALPHANUMERIC, 36, 36),
  token('huggingface-token', 'hf_', ALPHANUMERIC, 34, 40),
  token('pypi-token', 'pypi-AgEIcHlwaS5vcmc', BASE64URL, 50, 255),
  token('sendgrid-key', 'SG.', BASE64URL | DOT, 66, 66),
  token('digitalocean-token', 'dop_v1_', LOWER | DIGIT, 64, 64),
  token('thinplane-key', 'tp-', ALPHANUMERIC | HYPHEN, 40, 64),
  { name: 'private-key', literal: '-----BEGIN ', end: privateKeyEnd, score: 1 },
  { name: 'jwt', literal: 'eyJ', end: jwtEnd, score: 0.95 },
  { name: 'azure-storage-key', literal: 'AccountKey=', anyCase: true, end: accountKeyEnd, score: 1 },
  { name: 'azure-shared-access-key', literal: 'SharedAccessKey=', anyCase: true, end: accountKeyEnd, score: 1 },
]

/** Words after which an assignment may hold a credential: `password = ...`, `"api_key": "..."`. */
const ASSIGNMENT_WORDS = [
  'password',
  'passwd',
  'passphrase',
  'secret',
  'api_key',
  'api-key',
  'apikey',
  'access_key',
  'accesskey',
  'access-key',
  'auth_token',
  'authtoken',
  'access_token',
  'client_secret',
  'private_key',
  'bearer',
]

/** A password inside a URL: `postgres://user:password@host`. */
const URL_LITERAL = '://'

/** All literals that the one pass over the text looks for, in the order that `secretAt` expects. */
export const SECRET_LITERALS: readonly string[] = [
  ...RULES.map((rule) => rule.literal),
  ...ASSIGNMENT_WORDS,
  URL_LITERAL,
]

/**
 * What stands at a literal that was found: literal number `index` of `SECRET_LITERALS` ends before `literalEnd`.
 * Undefined when it is nothing.
 */
export function secretAt(text: string, index: number, literalEnd: number): Finding | undefined {
  const rule = RULES[index]
  if (rule === undefined)
    return index < SECRET_LITERALS.length - 1 ? assignment(text, literalEnd) : urlPassword(text, literalEnd)
  const start = literalEnd - rule.literal.length
  if (rule.anyCase !== true && !text.startsWith(rule.literal, start)) return undefined
  const end = rule.end(text, start)
  if (end === -1) return undefined
  return { type: 'SECRET', start, end, score: rule.score, detector: rule.name }
}

function privateKeyEnd(text: string, at: number): number {
  const headEnd = text.slice(at, at + 64).indexOf('-----', 11) + at
  if (headEnd < at || !text.slice(at, headEnd).endsWith('PRIVATE KEY')) return -1
  const block = text.slice(at, at + MAX_PEM_CHARS)
  const foot = block.indexOf('-----END ')
  const footEnd = foot === -1 ? -1 : block.indexOf('-----', foot + 9)
  return footEnd === -1 ? at + block.length : at + footEnd + 5
}

/** Three Base64url segments whose first one decodes to a JSON object with `alg`. */
function jwtEnd(text: string, at: number): number {
  if (isOf(text, at - 1, BASE64URL)) return -1
  const headerEnd = runEnd(text, at, BASE64URL, MAX_JWT_SEGMENT_CHARS)
  if (text[headerEnd] !== '.' || headerEnd - at < 16) return -1
  const payloadEnd = runEnd(text, headerEnd + 1, BASE64URL, MAX_JWT_SEGMENT_CHARS)
  if (text[payloadEnd] !== '.' || payloadEnd - headerEnd < 8) return -1
  const end = runEnd(text, payloadEnd + 1, BASE64URL, MAX_JWT_SEGMENT_CHARS)
  const header = Buffer.from(text.slice(at, headerEnd), 'base64url').toString('latin1')
  return header.startsWith('{"') && header.includes('"alg"') ? end : -1
}

/** The literal and the Base64 of a 64-byte key (88 characters) or of a 32-byte one (44). */
function accountKeyEnd(text: string, at: number): number {
  const valueAt = text.indexOf('=', at) + 1
  const end = runEnd(text, valueAt, ALPHANUMERIC | BASE64, 90)
  return end - valueAt === 88 || end - valueAt === 44 ? end : -1
}

function urlPassword(text: string, literalEnd: number): Finding | undefined {
  const userEnd = runEnd(text, literalEnd, WORD | HYPHEN | DOT, 64)
  if (text[userEnd] !== ':') return undefined
  const limit = Math.min(text.length, userEnd + 1 + 128)
  let at = userEnd + 1
  while (at < limit && !' \t\r\n/"\'<>@'.includes(text[at] ?? ' ')) at += 1
  if (text[at] !== '@' || at - userEnd < 4) return undefined
  if (isOf(text, userEnd + 1, UNDERSCORE) && text[userEnd + 1] === '$') return undefined
  return { type: 'SECRET', start: userEnd + 1, end: at, score: 0.9, detector: 'url-password' }
}
