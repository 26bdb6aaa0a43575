import { createNumbering, readNumbering, readStyles } from './docx-styles.ts'
import type { Numbering, ParagraphStyle } from './docx-styles.ts'
import { markdownTable, titleOf } from './ooxml.ts'
import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'
import { PartBuilder } from './part-builder.ts'
import { oneLine } from './row.ts'
import { readXml } from './xml.ts'
import type { XmlEvent } from './xml.ts'
import type { Zip } from './zip.ts'

/**
 * A Word document: headings by their style or outline level, lists, tables as Markdown tables, foot- and endnotes at
 * the end. What a tracked change deleted is no text; headers, footers and comments are left out.
 *
 * @throws {ParseError} `corrupt`, `encrypted` or `too-large`.
 */
export async function* parseDocx(zip: Zip): AsyncGenerator<ParsedDocument> {
  const body = await zip.read('word/document.xml')
  if (body === undefined) throw new ParseError('corrupt', 'the Word document has no body')
  const styles = readStyles(await zip.read('word/styles.xml'))
  const levels = readNumbering(await zip.read('word/numbering.xml'))
  const builder = new PartBuilder(await titleOf(zip))
  for (const part of [body, await zip.read('word/footnotes.xml'), await zip.read('word/endnotes.xml')]) {
    if (part === undefined) continue
    const reader = new BodyReader(builder, styles, createNumbering(levels))
    for (const event of readXml(part)) {
      reader.take(event)
      if (builder.isFull) yield builder.take()
    }
  }
  yield builder.take()
}

interface Paragraph {
  text: string
  styleId: string
  outlineLevel: number | undefined
  numberId: string | undefined
  indent: number | undefined
}

interface Table {
  readonly rows: string[][]
  cell: string[]
}

/** Their text is no text of the document: deleted, moved away, a second version of what stands there already, a marker. */
const DROPPED = new Set(['del', 'moveFrom', 'Fallback', 'instrText', 'delInstrText', 'pPrChange', 'rPrChange'])
/** Notes that only draw the line above the others. */
const SEPARATORS = new Set(['separator', 'continuationSeparator', 'continuationNotice'])
/** Headings above this are paragraphs that somebody gave a heading's style. */
const MAX_HEADING_CHARS = 300

class BodyReader {
  readonly #builder: PartBuilder
  readonly #styles: ReadonlyMap<string, ParagraphStyle>
  readonly #numbering: Numbering
  /** A text box stands inside a paragraph and has paragraphs of its own; tables nest. */
  readonly #paragraphs: Paragraph[] = []
  readonly #tables: Table[] = []
  #dropped = ''
  #droppedDepth = 0
  #isText = false

  constructor(builder: PartBuilder, styles: ReadonlyMap<string, ParagraphStyle>, numbering: Numbering) {
    this.#builder = builder
    this.#styles = styles
    this.#numbering = numbering
  }

  take(event: XmlEvent): void {
    if (event.kind === 'text') {
      const paragraph = this.#paragraphs.at(-1)
      if (this.#isText && this.#dropped === '' && paragraph !== undefined) paragraph.text += event.text
    } else if (this.#dropped !== '') {
      if (event.name !== this.#dropped) return
      this.#droppedDepth += event.kind === 'open' ? 1 : -1
      if (this.#droppedDepth === 0) this.#dropped = ''
    } else if (event.kind === 'open') {
      this.#open(event.name, event.attributes)
    } else {
      this.#close(event.name)
    }
  }

  #open(name: string, attributes: ReadonlyMap<string, string>): void {
    const isNoNote = (name === 'footnote' || name === 'endnote') && SEPARATORS.has(attributes.get('type') ?? '')
    if (DROPPED.has(name) || isNoNote) {
      this.#dropped = name
      this.#droppedDepth = 1
    } else if (name === 'p') {
      this.#paragraphs.push({ text: '', styleId: '', outlineLevel: undefined, numberId: undefined, indent: undefined })
    } else if (name === 'tbl') {
      this.#tables.push({ rows: [], cell: [] })
    } else if (name === 'tr') {
      this.#tables.at(-1)?.rows.push([])
    } else {
      this.#inParagraph(name, attributes)
    }
  }

  #inParagraph(name: string, attributes: ReadonlyMap<string, string>): void {
    const paragraph = this.#paragraphs.at(-1)
    if (paragraph === undefined) return
    const value = attributes.get('val')
    switch (name) {
      case 't':
        this.#isText = true
        break
      case 'tab':
        paragraph.text += ' '
        break
      case 'br':
      case 'cr':
        paragraph.text += '\n'
        break
      case 'noBreakHyphen':
        paragraph.text += '-'
        break
      case 'pStyle':
        paragraph.styleId = value ?? ''
        break
      case 'outlineLvl':
        paragraph.outlineLevel = Number(value)
        break
      case 'numId':
        paragraph.numberId = value
        break
      case 'ilvl':
        paragraph.indent = Number(value)
        break
      default:
    }
  }

  #close(name: string): void {
    if (name === 't') {
      this.#isText = false
    } else if (name === 'p') {
      const paragraph = this.#paragraphs.pop()
      if (paragraph !== undefined) this.#end(paragraph)
    } else if (name === 'tc') {
      const table = this.#tables.at(-1)
      table?.rows.at(-1)?.push(table.cell.join(' '))
      if (table !== undefined) table.cell = []
    } else if (name === 'tbl') {
      this.#endTable()
    }
  }

  #end(paragraph: Paragraph): void {
    const text = paragraph.text.trim()
    if (text === '') return
    const style = this.#styles.get(paragraph.styleId)
    const table = this.#tables.at(-1)
    if (table !== undefined) {
      table.cell.push(text)
      return
    }
    const level = paragraph.outlineLevel ?? style?.outlineLevel
    if (level !== undefined && level >= 0 && level < 9 && text.length <= MAX_HEADING_CHARS) {
      this.#builder.heading(level + 1, oneLine(text))
      return
    }
    const numberId = paragraph.numberId ?? style?.numberId
    const marker = numberId === undefined ? '' : this.#numbering.next(numberId, paragraph.indent ?? style?.indent ?? 0)
    if (marker === '') this.#builder.block(text)
    else this.#builder.line(marker + oneLine(text))
  }

  #endTable(): void {
    const table = this.#tables.pop()
    if (table === undefined) return
    const rows = table.rows.filter((row) => row.some((cell) => cell.trim() !== ''))
    if (rows.length === 0) return
    const outer = this.#tables.at(-1)
    if (outer === undefined) this.#builder.block(`\n${markdownTable(rows)}`)
    else outer.cell.push(rows.map((row) => row.filter((cell) => cell !== '').join(', ')).join('; '))
  }
}
