import { decodeEntities } from './entities.ts'
import { ParseError } from './parsed.ts'

/** One step through an XML text. Names are without their namespace prefix. */
export type XmlEvent =
  | { readonly kind: 'open'; readonly name: string; readonly attributes: ReadonlyMap<string, string> }
  | { readonly kind: 'close'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string }

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map()
/** A tag of an office file has a few hundred characters; one without end must not be searched from each `<`. */
const MAX_TAG_CHARS = 1_000_000
/** Starts at the start of a word only, so that a long one is not tried from each of its letters. */
const ATTRIBUTE = /(?<=[\s"'])([^\s=/"']+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g

/**
 * Steps through the XML of an office file, in linear time and with no tree. An element without contents gives
 * `open` and `close`.
 *
 * @throws {ParseError} `corrupt` for a document type (the way to entity bombs, and not allowed in these formats) and
 * for a tag without end.
 */
export function* readXml(bytes: Uint8Array): Generator<XmlEvent> {
  const source = decodeXml(bytes)
  let at = 0
  while (at < source.length) {
    const open = source.indexOf('<', at)
    const textEnd = open === -1 ? source.length : open
    if (textEnd > at) yield { kind: 'text', text: decodeEntities(source.slice(at, textEnd)) }
    if (open === -1) return
    const second = source.charCodeAt(open + 1)
    if (second === EXCLAMATION) {
      const section = declarationAt(source, open)
      if (section.text !== '') yield { kind: 'text', text: section.text }
      at = section.end
    } else if (second === QUESTION) {
      at = endOf(source, '?>', open) + 2
    } else {
      const close = tagEnd(source, open)
      if (second === SLASH) yield { kind: 'close', name: localName(source.slice(open + 2, close).trimEnd()) }
      else yield* openTag(source.slice(open + 1, close))
      at = close + 1
    }
  }
}

const EXCLAMATION = 0x21
const SLASH = 0x2f
const QUESTION = 0x3f

function decodeXml(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  return new TextDecoder().decode(bytes)
}

function declarationAt(source: string, open: number): { readonly text: string; readonly end: number } {
  if (source.startsWith('<!--', open)) return { text: '', end: endOf(source, '-->', open + 4) + 3 }
  if (source.startsWith('<![CDATA[', open)) {
    const end = endOf(source, ']]>', open)
    return { text: source.slice(open + 9, end), end: end + 3 }
  }
  throw new ParseError('corrupt', 'the XML inside declares a document type, which office files never do')
}

function endOf(source: string, mark: string, from: number): number {
  const at = source.indexOf(mark, from)
  if (at === -1) throw new ParseError('corrupt', 'the XML inside ends in the middle')
  return at
}

const TAG_MARK = /["'>]/g

/** The `>` of a tag: one inside quotes is part of a value. */
function tagEnd(source: string, open: number): number {
  TAG_MARK.lastIndex = open
  for (let mark = TAG_MARK.exec(source); mark !== null; mark = TAG_MARK.exec(source)) {
    if (mark[0] === '>') return mark.index
    TAG_MARK.lastIndex = endOf(source, mark[0], mark.index + 1) + 1
  }
  throw new ParseError('corrupt', 'the XML inside ends in the middle')
}

function* openTag(tag: string): Generator<XmlEvent> {
  if (tag.length > MAX_TAG_CHARS) throw new ParseError('corrupt', 'the XML inside has a tag that is too long')
  const isEmpty = tag.endsWith('/')
  const blank = tag.search(/\s/)
  const name = localName(blank === -1 ? (isEmpty ? tag.slice(0, -1) : tag) : tag.slice(0, blank))
  yield { kind: 'open', name, attributes: blank === -1 ? NO_ATTRIBUTES : attributesOf(tag.slice(blank)) }
  if (isEmpty) yield { kind: 'close', name }
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const match of text.matchAll(ATTRIBUTE)) {
    const key = match[1] ?? ''
    const value = decodeEntities(match[2] ?? match[3] ?? '')
    // Both `id` and `r:id` may be there: the qualified one keeps its prefix.
    found.set(key, value)
    const local = localName(key)
    if (local !== key && !found.has(local)) found.set(local, value)
  }
  return found
}

function localName(name: string): string {
  const colon = name.indexOf(':')
  return colon === -1 ? name : name.slice(colon + 1)
}
