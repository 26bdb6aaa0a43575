import { createRequire } from 'node:module'
import type * as Sax from 'sax'
import { ParseError } from './parsed.ts'

/** One step through an XML text. Names are without their namespace prefix. */
export type XmlEvent =
  | { readonly kind: 'open'; readonly name: string; readonly attributes: ReadonlyMap<string, string> }
  | { readonly kind: 'close'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string }

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map()
/** Characters that the parser is given at once: what it finds in them is in memory, and no more. */
const STEP_CHARS = 64 * 1024
/** Elements inside each other: office files have dozens. */
const MAX_DEPTH = 500

/** No entities but those of XML itself. */
const OPTIONS: Sax.SAXOptions & { readonly strictEntities: boolean } = { strictEntities: true }

/** A package of the data plane: loaded when the first office file comes, and in one step. */
const require = createRequire(import.meta.url)
let loaded: typeof Sax | undefined

/**
 * Steps through the XML of a part of an office file (sax, strict), without a tree. An element without contents gives
 * `open` and `close`.
 *
 * @throws {ParseError} `corrupt` for what is not well formed, and for a document type.
 */
export function* readXml(bytes: Uint8Array): Generator<XmlEvent> {
  const sax = (loaded ??= require('sax') as typeof Sax)
  const parser = sax.parser(true, OPTIONS)
  let events: XmlEvent[] = []
  let failure: ParseError | undefined
  let depth = 0
  const fail = (message: string): void => {
    failure ??= new ParseError('corrupt', message)
  }
  parser.onerror = () => {
    fail('the XML inside is broken')
    // The parser goes on only when it is told that nothing happened; what follows is not used.
    parser.resume()
  }
  // The way to entities that grow without end, and not allowed in these formats.
  parser.ondoctype = () => fail('the XML inside declares a document type, which office files never do')
  parser.onopentag = ({ name, attributes }) => {
    depth += 1
    if (depth > MAX_DEPTH) fail('the XML inside is nested too deeply')
    events.push({ kind: 'open', name: localName(name), attributes: attributesOf(attributes) })
  }
  parser.onclosetag = (name) => {
    depth -= 1
    events.push({ kind: 'close', name: localName(name) })
  }
  parser.ontext = (text) => void events.push({ kind: 'text', text })
  parser.oncdata = (text) => void events.push({ kind: 'text', text })
  const source = decodeXml(bytes)
  for (let at = 0; at < source.length; at += STEP_CHARS) {
    parser.write(source.slice(at, at + STEP_CHARS))
    const found = events
    events = []
    yield* found
    if (failure !== undefined) throw failure
  }
  parser.close()
  yield* events
  if (failure !== undefined) throw failure
}

function decodeXml(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  return new TextDecoder().decode(bytes)
}

function attributesOf(
  given: Readonly<Record<string, string | { readonly value: string }>>,
): ReadonlyMap<string, string> {
  const entries = Object.entries(given)
  if (entries.length === 0) return NO_ATTRIBUTES
  const found = new Map<string, string>()
  for (const [key, given] of entries) {
    const value = typeof given === 'string' ? given : given.value
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
