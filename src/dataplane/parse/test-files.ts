/** Real files of each format, and what the tests of the parsers share. */
import { crc32, deflateRawSync } from 'node:zlib'
import { parse } from './parse.ts'
import type { ParsedDocument } from './parsed.ts'
import type { DocumentInput } from './source.ts'

/** Why tests that need the data plane's packages are skipped, or false. */
export const skipWithoutParsers: string | false = await Promise.all([
  import('csv-parse'),
  import('hyparquet'),
  import('unpdf'),
]).then(
  () => false,
  () => 'the data plane’s packages are not installed',
)

/** All parts of a document. */
export async function partsOf(
  name: string,
  contents: string | Uint8Array,
  contentType?: string,
): Promise<ParsedDocument[]> {
  const bytes = typeof contents === 'string' ? new TextEncoder().encode(contents) : contents
  return await Array.fromAsync(parse({ name, contentType, bytes }))
}

/** A document whose parts are put together again. */
export async function parsedWhole(name: string, contents: string | Uint8Array, contentType?: string) {
  return joined(await partsOf(name, contents, contentType))
}

/** As `parsedWhole`, of any input. */
export async function parsedInput(input: DocumentInput) {
  return joined(await Array.fromAsync(parse(input)))
}

function joined(parts: readonly ParsedDocument[]) {
  let offset = 0
  const whole = {
    title: parts[0]?.title ?? '',
    text: '',
    headings: new Array<string>(),
    pages: new Array<string>(),
    records: new Array<string>(),
  }
  for (const { text, headings, pages, records } of parts) {
    const moved = (start: number) => start + offset
    whole.headings.push(...headings.map(({ level, start, end }) => `${level} ${text.slice(start, end)}`))
    whole.pages.push(...pages.map(({ page, start }) => `${page} ${text.slice(start, start + 12).split('\n')[0] ?? ''}`))
    whole.records.push(...records.map(({ record, start }) => `${record} @${moved(start)}`))
    whole.text += text
    offset += text.length
  }
  return whole
}

/** A ZIP archive of texts and bytes. `declared` gives entries a size that is not theirs. */
export function makeZip(
  files: Readonly<Record<string, string | Uint8Array>>,
  declared: Readonly<Record<string, number>> = {},
): Uint8Array {
  const pieces: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, contents] of Object.entries(files)) {
    const { packed, checksum } = pack(contents)
    const bytes = declared[name] ?? Buffer.byteLength(contents)
    // Version, flags, method, time, checksum and sizes: the same in both headers.
    const facts = Buffer.alloc(26)
    facts.writeUInt16LE(20, 0)
    facts.writeUInt16LE(8, 4)
    facts.writeUInt32LE(checksum, 10)
    facts.writeUInt32LE(packed.length, 14)
    facts.writeUInt32LE(bytes, 18)
    facts.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), facts, Buffer.from(name), packed])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(at, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), facts, rest, Buffer.from(name)]))
    pieces.push(local)
    at += local.length
  }
  const entries = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(entries.length, 12)
  end.writeUInt32LE(at, 16)
  return new Uint8Array(Buffer.concat([...pieces, entries, end]))
}

interface Packed {
  readonly packed: Buffer
  readonly checksum: number
}

/** Some tests put the same hundred megabytes into several archives. */
const packedOnce = new WeakMap<Uint8Array, Packed>()

function pack(contents: string | Uint8Array): Packed {
  const known = typeof contents === 'string' ? undefined : packedOnce.get(contents)
  const made = known ?? { packed: deflateRawSync(contents, { level: 1 }), checksum: crc32(contents) }
  if (typeof contents !== 'string') packedOnce.set(contents, made)
  return made
}

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const RELATIONSHIPS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'

function relationships(rows: readonly (readonly [id: string, type: string, target: string])[]): string {
  const shown = rows.map(
    ([id, type, target]) => `<Relationship Id="${id}" Type="${RELATIONSHIPS}/${type}" Target="${target}"/>`,
  )
  return `${XML}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${shown.join('')}</Relationships>`
}

const WORD =
  'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'

/** A Word document with the usual headings and two lists, 1 with bullets and 2 with numbers. */
export function makeDocx(
  body: string,
  more: Readonly<Record<string, string | Uint8Array>> = {},
  declared: Readonly<Record<string, number>> = {},
): Uint8Array {
  const style = (id: string, name: string, inside = '') =>
    `<w:style w:type="paragraph" w:styleId="${id}"><w:name w:val="${name}"/>${inside}</w:style>`
  const level = (kind: string, at: number) => `<w:lvl w:ilvl="${at}"><w:numFmt w:val="${kind}"/></w:lvl>`
  return makeZip(
    {
      '[Content_Types].xml': `${XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
      '_rels/.rels': relationships([['rId1', 'officeDocument', 'word/document.xml']]),
      'word/_rels/document.xml.rels': relationships([
        ['rId1', 'styles', 'styles.xml'],
        ['rId2', 'numbering', 'numbering.xml'],
        ['rId3', 'footnotes', 'footnotes.xml'],
      ]),
      'word/document.xml': `${XML}<w:document ${WORD}><w:body>${body}</w:body></w:document>`,
      'word/styles.xml': `${XML}<w:styles ${WORD}>${style('Title', 'Title')}${style('Heading1', 'heading 1')}${style('berschrift2', 'heading 2', '<w:basedOn w:val="Heading1"/>')}${style('Mine', 'My heading', '<w:basedOn w:val="berschrift2"/>')}</w:styles>`,
      'word/numbering.xml': `${XML}<w:numbering ${WORD}><w:abstractNum w:abstractNumId="10">${level('bullet', 0)}${level('bullet', 1)}</w:abstractNum><w:abstractNum w:abstractNumId="20">${level('decimal', 0)}${level('decimal', 1)}</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="10"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="20"/></w:num></w:numbering>`,
      'docProps/core.xml': `${XML}<cp:coreProperties xmlns:cp="x" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Handbook &amp; more</dc:title></cp:coreProperties>`,
      ...more,
    },
    declared,
  )
}

/** A paragraph of Word: `style` of `makeDocx`, `list` as its number. */
export function paragraph(text: string, { style = '', list = 0, indent = 0 } = {}): string {
  const properties = `${style === '' ? '' : `<w:pStyle w:val="${style}"/>`}${list === 0 ? '' : `<w:numPr><w:ilvl w:val="${indent}"/><w:numId w:val="${list}"/></w:numPr>`}`
  return `<w:p>${properties === '' ? '' : `<w:pPr>${properties}</w:pPr>`}<w:r><w:t xml:space="preserve">${text}</w:t></w:r></w:p>`
}

const SLIDE =
  'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'

/** A shape of a slide that fills a place of its layout. */
export function shape(role: string, ...lines: readonly string[]): string {
  const texts = lines.map((line) => `<a:p><a:r><a:t>${line}</a:t></a:r></a:p>`)
  return `<p:sp><p:nvSpPr><p:nvPr>${role === '' ? '' : `<p:ph type="${role}"/>`}</p:nvPr></p:nvSpPr><p:txBody>${texts.join('')}</p:txBody></p:sp>`
}

/** A presentation; the files of its slides are numbered against their order. */
export function makePptx(slides: readonly { readonly shapes: string; readonly notes?: string }[]): Uint8Array {
  const file = (index: number) => `slide${slides.length - index}.xml`
  const files: Record<string, string> = {
    'ppt/presentation.xml': `${XML}<p:presentation ${SLIDE} xmlns:r="${RELATIONSHIPS}"><p:sldIdLst>${slides.map((_, index) => `<p:sldId id="${256 + index}" r:id="rId${index + 1}"/>`).join('')}</p:sldIdLst></p:presentation>`,
    'ppt/_rels/presentation.xml.rels': relationships(
      slides.map((_, index) => [`rId${index + 1}`, 'slide', `slides/${file(index)}`]),
    ),
  }
  for (const [index, { shapes, notes }] of slides.entries()) {
    files[`ppt/slides/${file(index)}`] = `${XML}<p:sld ${SLIDE}><p:cSld><p:spTree>${shapes}</p:spTree></p:cSld></p:sld>`
    if (notes === undefined) continue
    files[`ppt/slides/_rels/${file(index)}.rels`] = relationships([
      ['rId1', 'notesSlide', `../notesSlides/notes${index}.xml`],
    ])
    files[`ppt/notesSlides/notes${index}.xml`] =
      `${XML}<p:notes ${SLIDE}><p:cSld><p:spTree>${shape('sldImg')}${shape('body', notes)}${shape('sldNum', '7')}</p:spTree></p:cSld></p:notes>`
  }
  return makeZip(files)
}

/** What stands in a cell: a text, a number, or a number with one of the styles 1 (day), 2 (percent), 3 (own date format). */
export type Cell = string | number | boolean | undefined | { readonly value: number; readonly style: 1 | 2 | 3 }

/** A workbook; texts are shared strings, and rows and cells that hold nothing are left out as Excel does. */
export function makeXlsx(
  sheets: Readonly<Record<string, readonly (readonly Cell[])[]>>,
  more: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array {
  const strings: string[] = []
  const names = Object.keys(sheets)
  const files: Record<string, string> = {
    'xl/workbook.xml': `${XML}<workbook xmlns:r="${RELATIONSHIPS}"><sheets>${names.map((name, index) => `<sheet name="${name}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`).join('')}</sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': relationships(
      names.map((_, index) => [`rId${index + 1}`, 'worksheet', `/xl/worksheets/sheet${index + 1}.xml`]),
    ),
    'xl/styles.xml': `${XML}<styleSheet><numFmts count="1"><numFmt numFmtId="164" formatCode="[$-407]d\\. mmmm yyyy&quot; at &quot;h:mm"/></numFmts><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="10"/><xf numFmtId="164"/></cellXfs></styleSheet>`,
  }
  for (const [index, rows] of Object.values(sheets).entries()) {
    const body = rows.map((cells, row) => rowXml(cells, row + 1, strings)).join('')
    files[`xl/worksheets/sheet${index + 1}.xml`] = `${XML}<worksheet><sheetData>${body}</sheetData></worksheet>`
  }
  files['xl/sharedStrings.xml'] =
    `${XML}<sst>${strings.map((text) => `<si><r><t>${text.slice(0, 2)}</t></r><r><t xml:space="preserve">${text.slice(2)}</t></r><rPh><t>spoken</t></rPh></si>`).join('')}</sst>`
  return makeZip({ ...files, ...more })
}

function rowXml(cells: readonly Cell[], row: number, strings: string[]): string {
  if (cells.every((cell) => cell === undefined)) return ''
  const shown = cells.map((cell, column) => cellXml(cell, `${String.fromCodePoint(65 + column)}${row}`, strings))
  return `<row r="${row}">${shown.join('')}</row>`
}

function cellXml(cell: Cell, place: string, strings: string[]): string {
  if (cell === undefined) return ''
  if (typeof cell === 'string') return `<c r="${place}" t="s"><v>${strings.push(cell) - 1}</v></c>`
  if (typeof cell === 'boolean') return `<c r="${place}" t="b"><v>${cell ? 1 : 0}</v></c>`
  if (typeof cell === 'number') return `<c r="${place}"><f>A1*2</f><v>${cell}</v></c>`
  return `<c r="${place}" s="${cell.style}"><v>${cell.value}</v></c>`
}
