import { HEX, isOf } from '#detect/charset.ts'
import { type View, ViewBuilder } from './view.ts'

/** Entities of HTML that stand inside addresses and keys (html.spec.whatwg.org, named character references). */
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  commat: '@',
  period: '.',
  lowbar: '_',
  num: '#',
  sol: '/',
  colon: ':',
  equals: '=',
  plus: '+',
  dash: '-',
  hyphen: '-',
  percnt: '%',
  dollar: '$',
  excl: '!',
  lpar: '(',
  rpar: ')',
  comma: ',',
}
const MAX_ENTITY_CHARS = 10

/**
 * `text` with the escapes undone that stand for one ASCII character: `%40`, `&#64;`, `&#x40;`, `&commat;`, `\u0040`,
 * `\x40`. Undefined when there are none.
 */
export function unescaped(text: string): View | undefined {
  let builder: ViewBuilder | undefined
  let from = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code !== 37 && code !== 38 && code !== 92) continue
    const escape = escapeAt(text, at, code)
    if (escape === undefined) continue
    builder ??= new ViewBuilder(text)
    builder.copy(from, at)
    builder.put(escape.character, at)
    from = at + escape.width
    at = from - 1
  }
  builder?.copy(from, text.length)
  return builder?.view(text.length)
}

interface Escape {
  readonly character: string
  readonly width: number
}

function escapeAt(text: string, at: number, code: number): Escape | undefined {
  if (code === 37) return hexadecimal(text, at, 1, 2)
  if (code === 92) {
    if (text[at + 1] === 'u') return hexadecimal(text, at, 2, 4)
    return text[at + 1] === 'x' ? hexadecimal(text, at, 2, 2) : undefined
  }
  return entity(text, at)
}

function hexadecimal(text: string, at: number, prefix: number, digits: number): Escape | undefined {
  for (let index = at + prefix; index < at + prefix + digits; index += 1) if (!isOf(text, index, HEX)) return undefined
  return printable(Number.parseInt(text.slice(at + prefix, at + prefix + digits), 16), prefix + digits)
}

function entity(text: string, at: number): Escape | undefined {
  const limit = Math.min(text.length, at + MAX_ENTITY_CHARS)
  let end = at + 1
  while (end < limit && text[end] !== ';') end += 1
  if (text[end] !== ';') return undefined
  const name = text.slice(at + 1, end)
  const width = end + 1 - at
  if (name[0] !== '#') {
    const character = Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined
    return character === undefined ? undefined : { character, width }
  }
  const isHex = name[1] === 'x' || name[1] === 'X'
  const digits = name.slice(isHex ? 2 : 1)
  if (digits === '' || !/^[0-9a-fA-F]+$/.test(digits)) return undefined
  return printable(Number.parseInt(digits, isHex ? 16 : 10), width)
}

function printable(code: number, width: number): Escape | undefined {
  return code >= 32 && code < 127 ? { character: String.fromCharCode(code), width } : undefined
}
