import { dateText } from './flatten.ts'
import { relationshipsOf, titleOf } from './ooxml.ts'
import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'
import { PartBuilder } from './part-builder.ts'
import { headerNames, isHeader, oneLine, renderRow } from './row.ts'
import { readXml } from './xml.ts'
import { readCellFormats } from './xlsx-formats.ts'
import type { CellFormat } from './xlsx-formats.ts'
import type { Zip } from './zip.ts'

/**
 * A workbook: a section for each sheet under its name, the page is the number of the sheet, the record the number of
 * the row as the program shows it. The first row whose cells are all names is the header; what stands above it is
 * text. Values are those that the program computed last.
 *
 * @throws {ParseError} `corrupt`, `encrypted` or `too-large`.
 */
export async function* parseXlsx(zip: Zip): AsyncGenerator<ParsedDocument> {
  const { sheets, is1904 } = await readWorkbook(zip)
  const strings = readSharedStrings(await zip.read('xl/sharedStrings.xml'))
  const formats = readCellFormats(await zip.read('xl/styles.xml'))
  const builder = new PartBuilder(await titleOf(zip))
  for (const [index, { name, path }] of sheets.entries()) {
    const bytes = await zip.read(path)
    // A chart or a macro sheet has a path of its own kind and no rows; one that is missing breaks the workbook.
    if (bytes === undefined) throw new ParseError('corrupt', `sheet ${index + 1} is missing in the file`)
    builder.page(index + 1)
    builder.heading(1, oneLine(name))
    const table = new SheetText(builder)
    for (const row of readRows(bytes, { strings, formats, is1904 })) {
      table.add(row)
      if (builder.isFull) yield builder.take()
    }
    table.end()
  }
  yield builder.take()
}

interface Sheet {
  readonly name: string
  readonly path: string
}

async function readWorkbook(zip: Zip): Promise<{ readonly sheets: readonly Sheet[]; readonly is1904: boolean }> {
  const root = 'xl/workbook.xml'
  const bytes = await zip.read(root)
  if (bytes === undefined) throw new ParseError('corrupt', 'the workbook has no list of sheets')
  const related = await relationshipsOf(zip, root)
  const sheets: Sheet[] = []
  let is1904 = false
  for (const event of readXml(bytes)) {
    if (event.kind !== 'open') continue
    if (event.name === 'workbookPr') is1904 = isTrue(event.attributes.get('date1904'))
    if (event.name !== 'sheet') continue
    const path = related.get(event.attributes.get('r:id') ?? '')?.path
    if (path !== undefined) sheets.push({ name: event.attributes.get('name') ?? '', path })
  }
  return { sheets, is1904 }
}

function isTrue(value: string | undefined): boolean {
  return value === '1' || value === 'true'
}

function readSharedStrings(bytes: Uint8Array | undefined): string[] {
  const strings: string[] = []
  let text = ''
  let isText = false
  let isPhonetic = false
  for (const event of bytes === undefined ? [] : readXml(bytes)) {
    if (event.kind === 'text') {
      if (isText && !isPhonetic) text += event.text
    } else if (event.name === 't') {
      isText = event.kind === 'open'
    } else if (event.name === 'rPh') {
      isPhonetic = event.kind === 'open'
    } else if (event.name === 'si') {
      if (event.kind === 'close') strings.push(text)
      text = ''
    }
  }
  return strings
}

interface Row {
  /** As the program numbers it, from 1. */
  readonly number: number
  readonly cells: readonly string[]
}

interface Cells {
  readonly strings: readonly string[]
  readonly formats: readonly CellFormat[]
  readonly is1904: boolean
}

/** Excel has no more columns (XFD). */
const MAX_COLUMNS = 16_384

function* readRows(bytes: Uint8Array, known: Cells): Generator<Row> {
  let number = 0
  let cells: string[] = []
  let cell = { type: '', style: 0, column: 0 }
  let value = ''
  let isValue = false
  for (const event of readXml(bytes)) {
    if (event.kind === 'text') {
      if (isValue) value += event.text
      continue
    }
    const isOpen = event.kind === 'open'
    if (event.name === 'row') {
      if (isOpen) number = rowNumber(event.attributes.get('r'), number + 1)
      else if (cells.some((text) => text !== '')) yield { number, cells }
      if (isOpen) cells = []
    } else if (event.name === 'c') {
      if (isOpen) {
        cell = cellOf(event.attributes, cells.length)
        value = ''
      } else if (cell.column < MAX_COLUMNS) {
        while (cells.length < cell.column) cells.push('')
        cells[cell.column] = textOf(value, cell, known)
      }
    } else if (event.name === 'v' || event.name === 't') {
      isValue = isOpen
    }
  }
}

function rowNumber(written: string | undefined, next: number): number {
  const number = Number(written)
  return Number.isSafeInteger(number) && number > 0 ? number : next
}

function cellOf(attributes: ReadonlyMap<string, string>, next: number) {
  const letters = /^[A-Z]{1,3}/.exec(attributes.get('r') ?? '')?.[0]
  return {
    type: attributes.get('t') ?? 'n',
    style: Number(attributes.get('s') ?? 0),
    column: letters === undefined ? next : columnIndex(letters),
  }
}

function columnIndex(letters: string): number {
  let index = 0
  for (const letter of letters) index = index * 26 + (letter.codePointAt(0) ?? 64) - 64
  return index - 1
}

function columnLetters(index: number): string {
  const rest = String.fromCodePoint(65 + (index % 26))
  return index < 26 ? rest : columnLetters(Math.floor(index / 26) - 1) + rest
}

function textOf(value: string, cell: { readonly type: string; readonly style: number }, known: Cells): string {
  switch (cell.type) {
    case 's':
      return oneLine(known.strings[Number(value)] ?? '')
    case 'b':
      return value === '1' ? 'true' : 'false'
    case 'n':
      return numberText(value, known.formats[cell.style] ?? 'number', known.is1904)
    default:
      return oneLine(value)
  }
}

const DAY_MS = 24 * 60 * 60 * 1000
/** Days from the start of the calendar that a workbook counts in to 1970: of 1900 (with its day too many), of 1904. */
const DAYS_1900 = 25_569
const DAYS_1904 = 24_107

function numberText(value: string, format: CellFormat, is1904: boolean): string {
  const number = Number(value)
  if (value.trim() === '' || !Number.isFinite(number)) return oneLine(value)
  if (format === 'percent') return `${Number((number * 100).toPrecision(12))}%`
  if (format === 'date') {
    // Less than a day is a time of day.
    if (number >= 0 && number < 1) return new Date(Math.round(number * DAY_MS)).toISOString().slice(11, 19)
    return dateText(new Date(Math.round((number - (is1904 ? DAYS_1904 : DAYS_1900)) * DAY_MS))) || String(number)
  }
  return String(number)
}

/** Titles and remarks above a table are at most this many rows. */
const MAX_ROWS_ABOVE = 10

class SheetText {
  readonly #builder: PartBuilder
  #names: readonly string[] | undefined
  /** Until a row follows it. */
  #header: Row | undefined
  #above: Row[] = []

  constructor(builder: PartBuilder) {
    this.#builder = builder
  }

  add(row: Row): void {
    if (this.#names !== undefined) {
      this.#write(row, this.#names)
    } else if (row.cells.length > 1 && isHeader(row.cells)) {
      for (const above of this.#above.splice(0)) this.#builder.line(textLine(above))
      this.#names = headerNames(row.cells)
      this.#header = row
    } else {
      this.#above.push(row)
      if (this.#above.length > MAX_ROWS_ABOVE) this.#withoutHeader()
    }
  }

  end(): void {
    if (this.#names === undefined) this.#withoutHeader()
    // A table of names only is still a text.
    if (this.#header !== undefined) this.#builder.record(this.#header.number, textLine(this.#header))
  }

  #withoutHeader(): void {
    const rows = this.#above.splice(0)
    const width = rows.reduce((most, { cells }) => Math.max(most, cells.length), 0)
    this.#names = Array.from({ length: width }, (_, index) => columnLetters(index))
    for (const row of rows) this.#write(row, this.#names)
  }

  #write({ number, cells }: Row, names: readonly string[]): void {
    this.#header = undefined
    const line = renderRow(names, cells)
    if (line !== '') this.#builder.record(number, line)
  }
}

function textLine({ cells }: Row): string {
  return cells.filter((cell) => cell !== '').join('; ')
}
