import { decodeEntities } from './entities.ts'
import type { Heading, ParsedDocument } from './parsed.ts'

/** Elements whose contents are no text of the document. */
const DROPPED = new Set(['script', 'style', 'nav', 'noscript', 'template', 'svg', 'head', 'iframe', 'object', 'select'])
/** Elements that start and end on a line of their own. */
const BLOCK = new Set(
  'address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure footer form header hr html li main ol p pre section summary table tbody tfoot thead tr ul'.split(
    ' ',
  ),
)
/** Blocks that a blank line sets apart, so that the splitter sees a paragraph. */
const PARAGRAPH = new Set(['p', 'blockquote', 'table', 'ul', 'ol', 'dl', 'pre', 'section', 'article', 'figure'])
const HEADING = /^h([1-6])$/

/**
 * Text of an HTML page: tolerant of anything, linear in the length of the input. Block elements become
 * lines, `h1` to `h6` headings; scripts, styles and navigation are left out.
 */
export function parseHtml(source: string): ParsedDocument {
  const out = new TextBuilder()
  let title: string | undefined
  let dropped = ''
  let droppedDepth = 0
  for (const token of tokens(source)) {
    if (token.kind === 'text') {
      if (dropped === '') out.text(decodeEntities(token.text))
      continue
    }
    const { name, closing } = token
    if (name === 'title' && !closing && dropped !== 'svg') title ??= titleAt(source, token.end)
    // A page may forget `</head>`.
    if (dropped === 'head' && (BLOCK.has(name) || HEADING.test(name) || name === 'nav')) dropped = ''
    if (dropped !== '') {
      if (name === dropped) droppedDepth += closing ? -1 : 1
      if (droppedDepth <= 0) dropped = ''
      continue
    }
    if (DROPPED.has(name)) {
      if (!closing && !token.selfClosing) [dropped, droppedDepth] = [name, 1]
      continue
    }
    out.tag(name, closing)
  }
  const { text, headings } = out.finish()
  const first = headings.find((heading) => heading.level === 1)
  return { title: title || (first?.title ?? ''), text, headings, pages: [], records: [] }
}

/** Collects text with its white space collapsed, and the headings in it. */
class TextBuilder {
  #text = ''
  #pendingSpace = false
  #heading: { level: number; start: number } | undefined
  readonly #headings: Heading[] = []

  text(raw: string): void {
    const collapsed = raw.replaceAll(/\s+/g, ' ')
    if (collapsed === '' || collapsed === ' ') {
      this.#pendingSpace ||= collapsed === ' '
      return
    }
    const spaced = this.#pendingSpace || collapsed.startsWith(' ')
    if (spaced && this.#text !== '' && !this.#text.endsWith('\n') && !this.#text.endsWith(' ')) this.#text += ' '
    this.#text += collapsed.trim()
    this.#pendingSpace = collapsed.endsWith(' ')
  }

  tag(name: string, closing: boolean): void {
    const level = HEADING.exec(name)?.[1]
    if (level !== undefined) {
      this.#endHeading()
      this.#breakLine(2)
      if (!closing) this.#heading = { level: Number(level), start: this.#text.length }
    } else if (name === 'br') {
      this.#breakLine(1)
    } else if (name === 'td' || name === 'th') {
      if (!closing && this.#text !== '' && !this.#text.endsWith('\n')) this.#text += ' | '
    } else if (BLOCK.has(name)) {
      this.#breakLine(PARAGRAPH.has(name) ? 2 : 1)
      if (name === 'li' && !closing) this.#text += '- '
    }
  }

  finish(): { text: string; headings: readonly Heading[] } {
    this.#endHeading()
    return { text: this.#text, headings: this.#headings }
  }

  #endHeading(): void {
    if (this.#heading === undefined) return
    const { level, start } = this.#heading
    this.#heading = undefined
    const end = this.#text.trimEnd().length
    if (end <= start) return
    this.#headings.push({ level, title: collapse(this.#text.slice(start, end)), start, end })
  }

  #breakLine(feeds: 1 | 2): void {
    this.#pendingSpace = false
    if (this.#text === '') return
    const have = this.#text.endsWith('\n\n') ? 2 : this.#text.endsWith('\n') ? 1 : 0
    this.#text += '\n'.repeat(Math.max(0, feeds - have))
  }
}

type Token =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'tag'
      readonly name: string
      readonly closing: boolean
      readonly selfClosing: boolean
      readonly end: number
    }

const TAG_START = /^<(\/?)([A-Za-z][A-Za-z0-9-]*)/
/** Contents of these are not markup up to their own end tag. */
const RAW = new Set(['script', 'style'])

function* tokens(source: string): Generator<Token> {
  let at = 0
  while (at < source.length) {
    const open = source.indexOf('<', at)
    if (open === -1) {
      yield { kind: 'text', text: source.slice(at) }
      return
    }
    if (open > at) yield { kind: 'text', text: source.slice(at, open) }
    if (source.startsWith('<!--', open)) {
      at = after(source, '-->', open + 4)
      continue
    }
    if (source[open + 1] === '!' || source[open + 1] === '?') {
      at = after(source, '>', open + 2)
      continue
    }
    const match = TAG_START.exec(source.slice(open, open + 40))
    if (match === null) {
      yield { kind: 'text', text: '<' }
      at = open + 1
      continue
    }
    const name = (match[2] ?? '').toLowerCase()
    const closing = match[1] === '/'
    const end = tagEnd(source, open + match[0].length)
    yield { kind: 'tag', name, closing, selfClosing: source[end - 2] === '/', end }
    at = RAW.has(name) && !closing ? rawEnd(source, name, end) : end
  }
}

/** Past the tag's `>`, ignoring those inside quoted attributes; past the end of the source when there is none. */
function tagEnd(source: string, from: number): number {
  let quote = ''
  for (let at = from; at < source.length; at += 1) {
    const char = source[at] ?? ''
    if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '>') {
      return at + 1
    } else if ((char === '"' || char === "'") && source[at - 1] === '=') {
      quote = char
    }
  }
  return source.length
}

function rawEnd(source: string, name: string, from: number): number {
  const end = new RegExp(`</${name}`, 'gi')
  end.lastIndex = from
  return end.exec(source)?.index ?? source.length
}

function after(source: string, mark: string, from: number): number {
  const at = source.indexOf(mark, from)
  return at === -1 ? source.length : at + mark.length
}

function titleAt(source: string, from: number): string {
  return collapse(decodeEntities(source.slice(from, rawEnd(source, 'title', from))))
}

function collapse(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
