/** Writes real PDF files for tests and benchmarks. */
import { deflateSync } from 'node:zlib'

/** A line of text at a place of its own; the origin is the lower left corner, in points. */
export interface PdfLine {
  readonly text: string
  readonly x: number
  readonly y: number
  readonly size: number
  /** `sans` and `bold` are standard fonts; `mapped` has codes of its own, which only its ToUnicode map explains. */
  readonly font?: 'sans' | 'bold' | 'mapped'
}

export interface PdfFile {
  readonly pages: readonly (readonly PdfLine[])[]
  readonly title?: string
  /** Contents of one more page, deflated already: for what only an attacker writes. */
  readonly deflatedPage?: Buffer
  /** Entries of the trailer beside Root, Size and Info, such as an Encrypt dictionary. */
  readonly trailer?: string
}

/** Code of a character in the mapped font: nothing that a reader could guess. */
const MAPPED_SHIFT = 0x1000

/** A PDF 1.7 with compressed page contents and a plain cross-reference table. */
export function makePdf({ pages, title, deflatedPage, trailer = '' }: PdfFile): Uint8Array<ArrayBuffer> {
  const objects: Buffer[] = []
  const add = (body: string | Buffer): number =>
    objects.push(Buffer.isBuffer(body) ? body : Buffer.from(body, 'latin1'))
  const fonts = addFonts(add)
  const treeId = objects.length + 1
  add('')
  const deflated = [...pages.map((lines) => deflateSync(contentsOf(lines))), deflatedPage ?? []].flat()
  const pageIds = deflated.map((bytes) => {
    const contents = add(stream(bytes, '/Filter /FlateDecode'))
    return add(
      `<< /Type /Page /Parent ${treeId} 0 R /MediaBox [0 0 612 792] /Contents ${contents} 0 R /Resources << /Font << ${fonts} >> >> >>`,
    )
  })
  objects[treeId - 1] = Buffer.from(
    `<< /Type /Pages /Count ${pageIds.length} /Kids [${pageIds.map((id) => `${id} 0 R`).join(' ')}] >>`,
  )
  const root = add(`<< /Type /Catalog /Pages ${treeId} 0 R >>`)
  const info = title === undefined ? '' : `/Info ${add(`<< /Title ${utf16(title)} >>`)} 0 R`
  return assemble(objects, `/Root ${root} 0 R ${info} ${trailer}`)
}

function addFonts(add: (body: string | Buffer) => number): string {
  const sans = add('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>')
  const bold = add('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>')
  const unicode = add(stream(deflateSync(toUnicode()), '/Filter /FlateDecode'))
  const descriptor = add(
    '<< /Type /FontDescriptor /FontName /AAAAAA+Body /Flags 4 /FontBBox [0 -200 1000 800] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>',
  )
  const descendant = add(
    `<< /Type /Font /Subtype /CIDFontType2 /BaseFont /AAAAAA+Body /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor ${descriptor} 0 R /DW 500 >>`,
  )
  const mapped = add(
    `<< /Type /Font /Subtype /Type0 /BaseFont /AAAAAA+Body /Encoding /Identity-H /DescendantFonts [${descendant} 0 R] /ToUnicode ${unicode} 0 R >>`,
  )
  return `/sans ${sans} 0 R /bold ${bold} 0 R /mapped ${mapped} 0 R`
}

function toUnicode(): string {
  const ranges = [
    [0x20, 0x7e],
    [0xa0, 0xff],
    [0x2010, 0x2022],
  ] as const
  const rows = ranges.map(([from, to]) => `<${hex(from + MAPPED_SHIFT)}> <${hex(to + MAPPED_SHIFT)}> <${hex(from)}>`)
  return `/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
${rows.length} beginbfrange\n${rows.join('\n')}\nendbfrange endcmap end end`
}

function contentsOf(lines: readonly PdfLine[]): Buffer {
  const shown = lines.map(({ text, x, y, size, font = 'sans' }) => {
    const string =
      font === 'mapped'
        ? `[${text
            .split(/(?<= )/)
            .map(mappedHex)
            .join(' -20 ')}] TJ`
        : `${literal(text)} Tj`
    return `BT /${font} ${size} Tf 1 0 0 1 ${x} ${y} Tm ${string} ET`
  })
  return Buffer.from(shown.join('\n'), 'latin1')
}

function mappedHex(text: string): string {
  return `<${Array.from(text, (char) => hex((char.codePointAt(0) ?? 0) + MAPPED_SHIFT)).join('')}>`
}

function literal(text: string): string {
  return `(${text.replaceAll(/[\\()]/g, String.raw`\$&`)})`
}

function utf16(text: string): string {
  return `<FEFF${Array.from({ length: text.length }, (_, at) => hex(text.charCodeAt(at))).join('')}>`
}

function hex(code: number): string {
  return code.toString(16).padStart(4, '0').toUpperCase()
}

function stream(bytes: Buffer, entries: string): Buffer {
  return Buffer.concat([
    Buffer.from(`<< /Length ${bytes.length} ${entries} >>\nstream\n`),
    bytes,
    Buffer.from('\nendstream'),
  ])
}

function assemble(objects: readonly Buffer[], trailer: string): Uint8Array<ArrayBuffer> {
  const pieces: Buffer[] = [Buffer.from('%PDF-1.7\n%\xE2\xE3\xCF\xD3\n', 'latin1')]
  let at = pieces[0]?.length ?? 0
  const offsets: number[] = []
  for (const [index, object] of objects.entries()) {
    offsets.push(at)
    const piece = Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), object, Buffer.from('\nendobj\n')])
    pieces.push(piece)
    at += piece.length
  }
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`)
  pieces.push(
    Buffer.from(
      `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows.join('')}trailer\n<< /Size ${objects.length + 1} ${trailer} >>\nstartxref\n${at}\n%%EOF\n`,
      'latin1',
    ),
  )
  return new Uint8Array(Buffer.concat(pieces))
}
