import {
  ALPHANUMERIC,
  BASE64,
  CLASSES,
  DIGIT,
  HEX,
  HEX_LOWER,
  HEX_UPPER,
  HYPHEN,
  LOWER,
  UPPER,
  WORD,
  distinctIn,
  isOf,
  runEnd,
} from '#detect/charset.ts'
import { wordLikeness } from './letters.ts'
import { type NameKind, wordsOf } from './name.ts'
import { isPlaceholder } from './placeholder.ts'
import type { Value } from './value-after.ts'

/** Letters below this follow each other as by chance (see `wordLikeness`). */
const WORD_LIKE = 5

/** What `value` is made of. */
interface Made {
  readonly length: number
  readonly digits: number
  readonly uppers: number
  readonly lowers: number
  readonly others: number
  readonly distinct: number
  /** How often the kind of character changes: `aB3xQ9` changes much, `Word2024` little. */
  readonly changes: number
}

/** Whether a value given to a name of this kind is a credential rather than code, a word or a placeholder. */
export function isCredential(
  value: string,
  kind: NameKind,
  name: string,
  { isQuoted, by }: Pick<Value, 'isQuoted' | 'by'>,
): boolean {
  if (value.length < 4 || !isPrintable(value)) return false
  const made = madeOf(value)
  // The cheap tests first: those for words of placeholders look at the value once for each.
  return (
    isLikely(value, made, kind, { isQuoted, by }) &&
    !isPlaceholder(value) &&
    !isPathOrUrl(value) &&
    !(by !== 'blank' && by !== 'argument' && saysItsName(value, name))
  )
}

function isLikely(
  value: string,
  made: Made,
  kind: NameKind,
  { isQuoted, by }: Pick<Value, 'isQuoted' | 'by'>,
): boolean {
  if (by === 'blank' && !(isQuoted && kind === 'password')) return isRandom(value, made, kind === 'weak' ? 24 : 12)
  if (by === 'argument') return isRandom(value, made, kind === 'weak' ? 24 : 12)
  if (!isQuoted && isCodeLike(value, made)) return false
  switch (kind) {
    case 'password':
      return isPasswordLike(value, made, isQuoted)
    case 'secret':
      return isRandom(value, made, 8)
    case 'weak':
      return !isUuid(value) && isRandom(value, made, 16)
  }
}

/** Whether a text looks drawn by chance, whatever it is given to. */
export function isDrawn(value: string): boolean {
  return isRandom(value, madeOf(value), 16)
}

function isUuid({ length }: string): boolean {
  return length === 36
}

/** ASCII without blanks: labels in other languages and sentences are not values that a machine takes. */
function isPrintable(value: string): boolean {
  for (let at = 0; at < value.length; at += 1) {
    const code = value.charCodeAt(at)
    if (code <= 32 || code > 126) return false
  }
  return true
}

function madeOf(value: string): Made {
  let [digits, uppers, lowers, changes, last] = [0, 0, 0, 0, -1]
  for (let at = 0; at < value.length; at += 1) {
    const code = value.charCodeAt(at)
    const kind = (code < 128 ? (CLASSES[code] ?? 0) : 0) & (DIGIT | UPPER | LOWER)
    if (kind === DIGIT) digits += 1
    else if (kind === UPPER) uppers += 1
    else if (kind === LOWER) lowers += 1
    if (kind !== last) changes += 1
    last = kind
  }
  const { length } = value
  const others = length - digits - uppers - lowers
  return { length, digits, uppers, lowers, others, distinct: distinctIn(value, 0, length), changes }
}

/** Drawn rather than thought of: long enough, of many characters, and not words. */
function isRandom(value: string, made: Made, min: number): boolean {
  const { length, digits, uppers, lowers, others, distinct } = made
  if (length < min || distinct < Math.min(length >= 20 && digits < length ? 7 : 5, length / 2)) return false
  const letters = uppers + lowers
  if (digits === length) return length >= 12 && distinct >= 5
  if (others > length / 4 && letters > 0) return isStrong(value, made)
  if (isHexadecimal(value) && digits > 0) return length >= 12
  const likeness = wordLikeness(value)
  if (digits === 0) return length >= 10 && likeness < WORD_LIKE - 0.2
  if (letters < 3) return digits >= 6
  return likeness < WORD_LIKE || (digits >= length / 5 && made.changes >= length / 3)
}

/** Marks among letters of both cases and digits: what generators of passwords make. */
function isStrong(value: string, { digits, uppers, lowers, distinct }: Made): boolean {
  const kinds = Number(digits > 0) + Number(uppers > 0) + Number(lowers > 0)
  return kinds >= 2 && digits > 0 && distinct >= 8 && wordLikeness(value) < WORD_LIKE
}

function isHexadecimal(value: string): boolean {
  return (
    runEnd(value, 0, HEX_LOWER | HYPHEN, value.length) === value.length ||
    runEnd(value, 0, HEX_UPPER | HYPHEN, value.length) === value.length ||
    runEnd(value, 0, HEX, value.length) === value.length
  )
}

/** People think of passwords: words with a digit or a mark count in quotes, others when they are not words. */
function isPasswordLike(value: string, made: Made, isQuoted: boolean): boolean {
  const { length, digits, others, distinct, uppers, lowers } = made
  if (length > 128 || distinct < 3) return false
  if (digits === length) return length >= 4 && isQuoted
  if (uppers + lowers === 0) return false
  if (digits > 0 || others > 0) return isQuoted || digits > 0 || wordLikeness(value) < WORD_LIKE
  return isQuoted || wordLikeness(value) < WORD_LIKE
}

/** Without quotes: the name of a variable, a member of something, a call. */
function isCodeLike(value: string, { digits }: Made): boolean {
  const end = runEnd(value, 0, WORD, value.length)
  if (end === value.length && digits === 0 && wordLikeness(value) >= WORD_LIKE) return true
  if (runEnd(value, 0, WORD | 32, value.length) === value.length && value.includes('.') && digits === 0) return true
  if (value[end] === '.' && isOf(value, end + 1, LOWER | UPPER) && wordLikeness(value) >= WORD_LIKE) return true
  return value.includes('=') && !value.endsWith('=') && (digits === 0 || wordLikeness(value) >= WORD_LIKE)
}

/** `password: userPassword`, `"token": "my-token"`: the value only says again what it is. */
function saysItsName(value: string, name: string): boolean {
  const names = wordsOf(name)
  const words = wordsOf(value)
  if (words.length === 0) return false
  const lower = value.toLowerCase()
  if (lower.endsWith('passwd') || lower.endsWith('password')) return true
  return words.every(
    (word) =>
      names.includes(word) ||
      SPOKEN.has(word) ||
      (wordLikeness(word) >= WORD_LIKE + 0.7 && word.length > 3 && words.length > 1),
  )
}

const SPOKEN = new Set(
  'my the a an new old current user users db database test admin root default client server secret token password pass key keys api auth access refresh bearer id name value some fake mock bad good wrong right first second valid invalid foo bar baz this that is in of for to'.split(
    ' ',
  ),
)

function isPathOrUrl(value: string): boolean {
  if (value.includes('://')) return true
  if (value.startsWith('/') || value.startsWith('./') || value.startsWith('~/') || value.startsWith('../'))
    return wordLikeness(value) >= WORD_LIKE - 1
  if (
    /\.(?:pem|key|crt|cer|json|ya?ml|txt|conf|toml|js|ts|py|go|java|rb|sh|md|html|com|org|net|io|local|p12|jks|pub)$/i.test(
      value,
    )
  )
    return true
  return (
    value.includes('/') &&
    runEnd(value, 0, ALPHANUMERIC | BASE64, value.length) < value.length &&
    wordLikeness(value) >= WORD_LIKE
  )
}
