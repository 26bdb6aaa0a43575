import { flatten, leafText } from './flatten.ts'
import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'
import { PartBuilder } from './part-builder.ts'

/** One record of a stream, or a whole value that is no list: parsed it takes some ten times that in memory. */
const MAX_RECORD_CHARS = 16 * 1024 * 1024

/**
 * A JSON file: the elements of a list at the top one after the other, with memory for one; anything else whole.
 *
 * @throws {ParseError} `corrupt` for what is not JSON, `too-large` for one record above 16 million characters.
 */
export async function* parseJson(text: AsyncIterable<string>): AsyncGenerator<ParsedDocument> {
  const builder = new PartBuilder()
  for await (const { source, record } of topLevelValues(text)) {
    const value = parseValue(source, record)
    if (record === 0) {
      for (const leaf of flatten(value)) {
        builder.line(leafText(leaf))
        if (builder.isFull) yield builder.take()
      }
    } else {
      addRecord(builder, record, value)
      if (builder.isFull) yield builder.take()
    }
  }
  yield builder.take()
}

/**
 * JSON Lines. A line that is not JSON stays as it is: logs end in the middle of a line, and programs write between.
 *
 * @throws {ParseError} `too-large` for a line above 16 million characters.
 */
export async function* parseJsonLines(text: AsyncIterable<string>): AsyncGenerator<ParsedDocument> {
  const builder = new PartBuilder()
  let record = 0
  for await (const line of lines(text)) {
    record += 1
    const source = line.trim()
    if (source === '') continue
    addRecord(builder, record, valueOrText(source))
    if (builder.isFull) yield builder.take()
  }
  yield builder.take()
}

function addRecord(builder: PartBuilder, record: number, value: unknown): void {
  const text = flatten(value).map(leafText).join('\n')
  if (text !== '') builder.recordBlock(record, text)
}

function valueOrText(source: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    return source
  }
}

/** The engine's own message quotes the text. */
function parseValue(source: string, record: number): unknown {
  try {
    return JSON.parse(source)
  } catch {
    throw new ParseError('corrupt', record === 0 ? 'it is not valid JSON' : `record ${record} is not valid JSON`)
  }
}

async function* lines(text: AsyncIterable<string>): AsyncGenerator<string> {
  let pieces: string[] = []
  let chars = 0
  let line = 1
  for await (const block of text) {
    let at = 0
    for (let feed = block.indexOf('\n'); feed !== -1; feed = block.indexOf('\n', at)) {
      pieces.push(block.slice(at, feed))
      yield pieces.join('')
      pieces = []
      chars = 0
      line += 1
      at = feed + 1
    }
    pieces.push(block.slice(at))
    chars += block.length - at
    if (chars > MAX_RECORD_CHARS) throw tooLong(line)
  }
  yield pieces.join('')
}

interface TopLevelValue {
  readonly source: string
  /** From 1; 0 for a value that is no list. */
  readonly record: number
}

const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const COMMA = 0x2c
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Cuts at the commas of the outermost list; what is between them is left to the parser. */
async function* topLevelValues(text: AsyncIterable<string>): AsyncGenerator<TopLevelValue> {
  const cutter = new ListCutter()
  for await (const block of text) yield* cutter.take(block)
  yield* cutter.end()
}

class ListCutter {
  #pieces: string[] = []
  #chars = 0
  #record = 0
  #depth = 0
  #isInString = false
  #isEscaped = false
  /** Undefined until the first character that is no white space. */
  #isList: boolean | undefined
  #isClosed = false

  /** Returns where the contents start. */
  #begin(block: string): number {
    const at = block.search(/[^\s\uFEFF]/)
    if (at === -1) return block.length
    this.#isList = block.charCodeAt(at) === OPEN_LIST
    return this.#isList ? at + 1 : at
  }

  *take(block: string): Generator<TopLevelValue> {
    let from = this.#isList === undefined ? this.#begin(block) : 0
    if (this.#isList === true) {
      for (let at = from; at < block.length; at += 1) {
        if (!this.#isBorder(block.charCodeAt(at))) continue
        this.#keep(block.slice(from, at))
        yield* this.#element()
        from = at + 1
      }
    }
    this.#keep(block.slice(from))
  }

  *end(): Generator<TopLevelValue> {
    if (this.#isList !== true) {
      const source = this.#taken()
      if (source.trim() !== '') yield { source, record: 0 }
      return
    }
    if (!this.#isClosed) throw new ParseError('corrupt', `the list ends in the middle, after record ${this.#record}`)
    if (this.#taken().trim() !== '') throw new ParseError('corrupt', 'something follows the end of the list')
  }

  /** Whether the character ends an element of the outermost list. */
  #isBorder(code: number): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false
      else if (code === BACKSLASH) this.#isEscaped = true
      else if (code === QUOTE) this.#isInString = false
      return false
    }
    if (code === QUOTE) this.#isInString = true
    else if (code === OPEN_LIST || code === OPEN_OBJECT) this.#depth += 1
    else if (code === CLOSE_OBJECT) this.#depth -= 1
    else if (code === CLOSE_LIST) {
      this.#depth -= 1
      if (this.#depth < 0 && !this.#isClosed) {
        this.#isClosed = true
        return true
      }
    }
    return code === COMMA && this.#depth === 0
  }

  *#element(): Generator<TopLevelValue> {
    const source = this.#taken()
    // An empty list, or the comma of a list that ends with one.
    if (source.trim() === '' && this.#isClosed) return
    this.#record += 1
    yield { source, record: this.#record }
  }

  #keep(piece: string): void {
    this.#pieces.push(piece)
    this.#chars += piece.length
    if (this.#chars > MAX_RECORD_CHARS) throw tooLong(this.#isList === true ? this.#record + 1 : 0)
  }

  #taken(): string {
    const source = this.#pieces.join('')
    this.#pieces = []
    this.#chars = 0
    return source
  }
}

function tooLong(record: number): ParseError {
  const what = record === 0 ? 'it is one value' : `record ${record} is`
  return new ParseError('too-large', `${what} of more than ${MAX_RECORD_CHARS / 1024 / 1024} million characters`)
}
