import { digitOf, isOtherBlank, isUnseen, lookAlike } from './look-alikes.ts'
import { type View, ViewBuilder } from './view.ts'

const BEYOND_ASCII = /[^\0-\u007f]/
/** Tags (U+E0020 to U+E007E) stand for the ASCII characters below them. */
const TAG_BASE = 0xe0000

/** Whether there is anything that `fold` could change: about a microsecond for a KB of ASCII. */
export function isBeyondAscii(text: string): boolean {
  return BEYOND_ASCII.test(text)
}

/**
 * `text` as a reader sees it, in ASCII where that is possible: full-width and mathematical letters, look-alikes of
 * other alphabets, digits of other scripts, blanks and dashes of all kinds; what is not seen is left out. Undefined
 * when nothing changes.
 */
export function fold(text: string): View | undefined {
  let builder: ViewBuilder | undefined
  let from = 0
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) < 128) continue
    const code = text.codePointAt(at) ?? 0
    const width = code > 0xffff ? 2 : 1
    const folded = foldOne(code)
    if (folded !== undefined) {
      builder ??= new ViewBuilder(text)
      builder.copy(from, at)
      if (folded !== '') builder.put(folded, at)
      from = at + width
    }
    at += width - 1
  }
  builder?.copy(from, text.length)
  return builder?.view(text.length)
}

/** What stands for a character beyond ASCII; empty when it is not seen, undefined when it stays. */
function foldOne(code: number): string | undefined {
  if (isUnseen(code)) return ''
  if (isOtherBlank(code)) return ' '
  const alike = lookAlike(code) ?? digitOf(code)
  if (alike !== undefined) return alike
  // Full width, mathematical, circled, superscript: the compatibility forms of Unicode that come down to one of ASCII.
  if (!isCompatibility(code)) return undefined
  const normal = String.fromCodePoint(code).normalize('NFKC')
  return normal.length === 1 && normal.charCodeAt(0) < 128 ? normal : undefined
}

function isCompatibility(code: number): boolean {
  return (
    (code >= 0xff01 && code <= 0xff5e) ||
    (code >= 0x1d400 && code <= 0x1d7ff) ||
    (code >= 0x2070 && code <= 0x24ff) ||
    code === 0xb2 ||
    code === 0xb3 ||
    code === 0xb9 ||
    (code >= 0xfe50 && code <= 0xfe6b) ||
    (code >= 0x1f100 && code <= 0x1f1ff)
  )
}

/** What is written in tags, which no reader sees and a model does; undefined when fewer than `min` stand in a row. */
export function taggedText(text: string, min: number): View | undefined {
  const builder = new ViewBuilder(text)
  for (let at = text.indexOf('\u{db40}'); at !== -1; at = text.indexOf('\u{db40}', at + 2)) {
    const code = text.codePointAt(at) ?? 0
    if (code < TAG_BASE + 0x20 || code > TAG_BASE + 0x7e) continue
    builder.put(String.fromCharCode(code - TAG_BASE), at)
  }
  return builder.length >= min ? builder.view(text.length) : undefined
}
