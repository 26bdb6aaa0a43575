import { DIGIT, LOWER, UNDERSCORE, UPPER, distinctIn, isOf, runEnd } from '#detect/charset.ts'
import { wordLikeness } from './letters.ts'

/** What stands where a value will be put, or where it was taken out. */
const MARKERS = [
  'example',
  'placeholder',
  'change_me',
  'changeme',
  'change-me',
  'replace',
  'your',
  'insert',
  'redacted',
  'dummy',
  'sample',
  'xxxx',
  '****',
  '....',
  '####',
  '----',
  '____',
  '0000000',
  'todo',
  'fixme',
  'goes_here',
  'goeshere',
  'goes-here',
  'somesecret',
  'not-a-real',
  'notreal',
  '${',
  '$(',
  '#{',
  '{{',
  '}}',
  '{%',
  '<%',
  '%(',
  '%s',
  '%d',
  '%v',
  '{0}',
  '[%',
  '@{',
  '$[',
  'process.',
  'environ',
  'getenv',
  'os.',
  'env.',
  'env[',
  'secrets.',
  'vars.',
  'var.',
  'config.',
  'settings.',
  'self.',
  'this.',
  'params.',
  'options.',
  'opts.',
  'args.',
  'data.',
  'request.',
  'req.',
  'props.',
  'state.',
  'user.',
  'import ',
]

/** Values that name a kind, a state or nothing. */
const WORDS = new Set(
  (
    'true false null nil none undefined empty string str text char int integer number bool boolean object array list any ' +
    'bytes byte void required optional default unset unknown missing invalid valid hidden secret password passwd pass token ' +
    'key apikey api_key value test testing enabled disabled yes no on off admin user username name type function return ' +
    'bearer basic digest oauth oauth2 jwt header query cookie private public foobar foo bar baz qux asdf qwerty abc abcd abcdef ' +
    'abc123 123456 12345678 password1 hunter2 nopassword no-password prompt stdin env file vault keychain manual inherit ' +
    'base64 hex utf8 utf-8 ascii sha256 sha1 md5 rsa dsa ecdsa ed25519 hmac plain raw random auto always never'
  ).split(' '),
)

/** Whether `value` only holds a place: a template, a reference to where the value is kept, a mask, a name of a kind. */
export function isPlaceholder(value: string): boolean {
  const lower = value.toLowerCase()
  if (WORDS.has(lower)) return true
  const first = lower.charCodeAt(0)
  const last = lower.charCodeAt(lower.length - 1)
  if (first === 36 /* $ */ && !lower.includes(' ') && isName(lower, 1)) return true
  if (
    first === 60 /* < */ ||
    (first === 123 && last === 125) ||
    (first === 37 && last === 37) ||
    (first === 91 && last === 93)
  )
    return true
  if (isOneCharacter(lower) || isVariable(value) || isHash(value) || lower.startsWith('123456789')) return true
  for (const marker of MARKERS) if (lower.includes(marker)) return true
  return false
}

function isName(value: string, from: number): boolean {
  for (let at = from; at < value.length; at += 1) {
    const code = value.charCodeAt(at)
    if (!((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 95 || code === 58)) return false
  }
  return true
}

/** `aaaaaaaa`, `********`: at most two different characters. */
function isOneCharacter(value: string): boolean {
  return value.length >= 3 && distinctIn(value, 0, value.length) <= (value.length > 6 ? 2 : 1)
}

/** `POSTGRES_PASSWORD`: words in capitals, joined by `_`. */
function isVariable(value: string): boolean {
  if (!value.includes('_') || runEnd(value, 0, UPPER | UNDERSCORE, value.length) < value.length) return false
  return wordLikeness(value) >= 5
}

/** The modular crypt format (`$2b$10$...`, `$argon2id$...`): the hash of a password is not the password. */
function isHash(value: string): boolean {
  if (!value.startsWith('$')) return false
  const end = runEnd(value, 1, LOWER | DIGIT, 12)
  return end > 1 && value[end] === '$' && isOf(value, 1, LOWER | DIGIT)
}
