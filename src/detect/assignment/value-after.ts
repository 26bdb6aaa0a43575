import { BLANK, DIGIT, LOWER, QUOTE, UPPER, WORD, isOf, runEnd } from '#detect/charset.ts'

/** A value that is given to a name. */
export interface Value {
  readonly start: number
  readonly end: number
  /** In quotes, as a literal of a language; without them it may as well be the name of something. */
  readonly isQuoted: boolean
  /** How it was given: by `=` or `:`, as an argument, after a blank, inside an element. */
  readonly by: 'assigned' | 'argument' | 'blank' | 'element'
  /** Whether it stands first in a list in brackets. */
  readonly isListed?: boolean
}

const MAX_VALUE_CHARS = 256
const MAX_BLANKS = 32
const SPACE = 32
const TAB = 9

/**
 * The value behind the name that ends at `from`: `name = "value"`, `"name": "value"`, `NAME=value`, `name: str = 'value'`,
 * `setName("value")`, `("NAME", "value")`, `config["name"] = "value"`, `--name value`, `name is value`, `<name>value</name>`,
 * `key="name" value="value"`. Looks at a bounded stretch of text; undefined when there is none.
 */
export function valueAfter(text: string, from: number, isFlag: boolean): Value | undefined {
  let at = closersEnd(text, from)
  const wasClosed = at > from
  const blanks = at
  at = blanksEnd(text, at)
  const char = text[at]
  if (char === '>' && !wasClosed && at === blanks) return elementValue(text, at + 1)
  if (char === '(' && at === blanks) return quotedOnly(text, at + 1, 'argument')
  if (char === ',' && wasClosed) return quotedOnly(text, at + 1, 'argument')
  if (wasClosed && at > blanks && text.startsWith('value=', at)) return valueAt(text, at + 6, 'assigned')
  const afterOperator = operatorEnd(text, at)
  if (afterOperator !== at) return valueAt(text, typeEnd(text, afterOperator), 'assigned')
  if (at > blanks && !wasClosed) return afterBlank(text, at, isFlag)
  if (text[at] === '\n' || text[at] === '\r') return namedThenValued(text, at)
  return undefined
}

/** Quotes, brackets and backslashes that close the name. */
function closersEnd(text: string, from: number): number {
  let at = from
  while (at < from + 5 && (isOf(text, at, QUOTE) || text[at] === ']' || text[at] === '\\')) at += 1
  return at
}

function blanksEnd(text: string, from: number): number {
  const limit = Math.min(text.length, from + MAX_BLANKS)
  let at = from
  while (at < limit && (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB)) at += 1
  return at
}

/** `=`, `:`, `:=`, `::=`, `=>`, `==`, `===`, `!=`, `?=`, `.=`, `+=`, `||=`, `->`: index behind it, or `at`. */
function operatorEnd(text: string, at: number): number {
  let end = at
  let assigns = false
  while (end < at + 3) {
    const char = text[end] ?? ''
    if (char === '=' || char === ':') assigns = true
    else if (!'?.+|!>-'.includes(char) || char === '' || (char === '>' && !assigns)) break
    end += 1
  }
  return assigns ? end : at
}

/** Skips a type between the operator and `=`: `password: str = "x"`. Without one, only the blanks. */
function typeEnd(text: string, from: number): number {
  const at = blanksEnd(text, from)
  if (!isOf(text, at, LOWER | UPPER)) return from
  const end = runEnd(text, at, WORD, 24)
  const equals = blanksEnd(text, end)
  return text[equals] === '=' && text[equals + 1] !== '=' && equals > end ? equals + 1 : from
}

function afterBlank(text: string, at: number, isFlag: boolean): Value | undefined {
  if (isOf(text, at, QUOTE)) return valueAt(text, at, 'blank')
  if (text.startsWith('is ', at)) return valueAt(text, at + 3, 'assigned')
  // `token string = "x"`: a type stands between.
  const wordEnd = runEnd(text, at, WORD | 32, 24)
  const equals = blanksEnd(text, wordEnd)
  if (wordEnd > at && equals > wordEnd && text[equals] === '=' && text[equals + 1] !== '=')
    return valueAt(text, equals + 1, 'assigned')
  if (isFlag && text[at] !== '-') return valueAt(text, at, 'assigned')
  return valueAt(text, at, 'blank')
}

/** YAML lists of variables: `name: FOO_TOKEN`, and on the next line `value: ...`. */
function namedThenValued(text: string, lineEnd: number): Value | undefined {
  const at = runEnd(text, lineEnd, BLANK, MAX_BLANKS)
  return text.startsWith('value:', at) ? valueAt(text, at + 6, 'assigned') : undefined
}

function elementValue(text: string, from: number): Value | undefined {
  const at = runEnd(text, from, BLANK, MAX_BLANKS)
  const limit = Math.min(text.length, at + MAX_VALUE_CHARS)
  let end = at
  while (end < limit && text[end] !== '<' && !isOf(text, end, BLANK)) end += 1
  const close = runEnd(text, end, BLANK, MAX_BLANKS)
  return text.startsWith('</', close) && end > at ? { start: at, end, isQuoted: true, by: 'element' } : undefined
}

function quotedOnly(text: string, from: number, by: Value['by']): Value | undefined {
  const value = valueAt(text, from, by)
  return value?.isQuoted === true ? value : undefined
}

/** The value that stands at `from`, blanks and the prefixes of literals skipped. */
function valueAt(text: string, from: number, by: Value['by']): Value | undefined {
  let at = blanksEnd(text, from)
  // A list of texts, bytes of a text, and literals with a letter in front.
  if (text.startsWith('[]byte(', at)) at += 7
  const isListed = text[at] === '['
  if (isListed) at = blanksEnd(text, at + 1)
  if (text[at] === '@' || (isOf(text, at, LOWER | UPPER) && isOf(text, at + 1, QUOTE)))
    at += isOf(text, at + 1, QUOTE) ? 1 : 0
  while (text[at] === '\\' && at < from + MAX_BLANKS) at += 1
  if (isOf(text, at, QUOTE)) {
    const value = quoted(text, at, by)
    return isListed && value !== undefined ? { ...value, isListed } : value
  }
  const end = bareEnd(text, at)
  return end > at ? { start: at, end, isQuoted: false, by } : undefined
}

/** Further texts of a list whose first one is `value`: `["a", "b"]`. At most `max`. */
export function listedAfter(text: string, value: Value, max: number): Value[] {
  const values: Value[] = []
  let last = value
  while (values.length < max && value.isQuoted) {
    let at = last.end
    while (text[at] === '\\') at += 1
    at = runEnd(text, at + 1, BLANK, 2)
    if (text[at] !== ',') break
    at = runEnd(text, at + 1, BLANK, MAX_BLANKS)
    while (text[at] === '\\') at += 1
    const next = isOf(text, at, QUOTE) ? quoted(text, at, value.by) : undefined
    if (next === undefined) break
    values.push(next)
    last = next
  }
  return values
}

function quoted(text: string, at: number, by: Value['by']): Value | undefined {
  const quote = text[at]
  const start = at + 1
  const limit = Math.min(text.length, start + MAX_VALUE_CHARS)
  const isEscaped = text[at - 1] === '\\'
  for (let end = start; end < limit; end += 1) {
    const char = text[end]
    if (char === '\n' || char === '\r') return undefined
    if (char !== quote || (!isEscaped && text[end - 1] === '\\')) continue
    let last = end
    while (last > start && text[last - 1] === '\\') last -= 1
    return last > start ? { start, end: last, isQuoted: true, by } : undefined
  }
  return undefined
}

const MAX_EQUALS = 4
const BARE_STOPS = ' \t\r\n"\'`,;<>|()[]{}'

/** Without quotes a value ends at a blank, a quote, a bracket or a separator; a full stop at its end is not part of it. */
function bareEnd(text: string, from: number): number {
  const limit = Math.min(text.length, from + MAX_VALUE_CHARS)
  let end = from
  let equals = 0
  while (end < limit && !BARE_STOPS.includes(text[end] ?? ' ')) {
    // In a query the next field follows; a password may hold the sign.
    if (text[end] === '&' && !isOf(text, end + 1, DIGIT)) break
    // More of them than Base64 has are assignments in a row.
    if (text[end] === '=' && ++equals > MAX_EQUALS) break
    if (text[end] === '\\' && (text[end + 1] === 'n' || text[end + 1] === 'r' || isOf(text, end + 1, QUOTE))) break
    end += 1
  }
  // `call(` and `list[` are code, not values.
  if (text[end] === '(' || text[end] === '[' || text[end] === '{') return from
  while (end > from && (text[end - 1] === '.' || text[end - 1] === ':')) end -= 1
  return end
}
