import { markdownTable, relationshipsOf, titleOf } from './ooxml.ts'
import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'
import { PartBuilder } from './part-builder.ts'
import { oneLine } from './row.ts'
import { readXml } from './xml.ts'
import type { Zip } from './zip.ts'

/**
 * A presentation in the order of its slides: title as heading, texts, tables as Markdown tables, speaker's notes. The
 * page is the number of the slide.
 *
 * @throws {ParseError} `corrupt`, `encrypted` or `too-large`.
 */
export async function* parsePptx(zip: Zip): AsyncGenerator<ParsedDocument> {
  const builder = new PartBuilder(await titleOf(zip))
  for (const [index, path] of (await slidePaths(zip)).entries()) {
    const slide = await zip.read(path)
    if (slide === undefined) throw new ParseError('corrupt', `slide ${index + 1} is missing in the file`)
    builder.page(index + 1)
    addSlide(builder, readShapes(slide))
    const related = await relationshipsOf(zip, path)
    const notesPath = related.values().find(({ type }) => type === 'notesSlide')?.path
    const notes = notesPath === undefined ? undefined : await zip.read(notesPath)
    if (notes !== undefined) addNotes(builder, readShapes(notes))
    if (builder.isFull) yield builder.take()
  }
  yield builder.take()
}

async function slidePaths(zip: Zip): Promise<string[]> {
  const root = 'ppt/presentation.xml'
  const bytes = await zip.read(root)
  if (bytes === undefined) throw new ParseError('corrupt', 'the presentation has no list of slides')
  const related = await relationshipsOf(zip, root)
  const paths: string[] = []
  for (const event of readXml(bytes)) {
    if (event.kind !== 'open' || event.name !== 'sldId') continue
    const path = related.get(event.attributes.get('r:id') ?? '')?.path
    if (path !== undefined) paths.push(path)
  }
  return paths
}

interface Shape {
  /** What of the layout it fills: `title`, `body`, `sldNum`, …; `table` for tables, empty for the rest. */
  readonly role: string
  readonly text: string
}

/** What every slide repeats is no text of one. */
const REPEATED = new Set(['sldNum', 'ftr', 'dt', 'hdr'])
const TITLES = new Set(['title', 'ctrTitle'])
const MAX_TITLE_CHARS = 300

function addSlide(builder: PartBuilder, shapes: readonly Shape[]): void {
  const title = shapes.find(({ role, text }) => TITLES.has(role) && text.length <= MAX_TITLE_CHARS)
  if (title !== undefined) builder.heading(1, oneLine(title.text))
  for (const shape of shapes) if (shape !== title && !REPEATED.has(shape.role)) builder.block(shape.text)
}

function addNotes(builder: PartBuilder, shapes: readonly Shape[]): void {
  const texts = shapes.filter(({ role }) => role === 'body').map(({ text }) => text)
  if (texts.length > 0) builder.block(`Notes: ${texts.join('\n')}`)
}

function readShapes(bytes: Uint8Array): Shape[] {
  const shapes: Shape[] = []
  let role = ''
  let lines: string[] = []
  let paragraph = ''
  let rows: string[][] = []
  let isText = false
  let fallbacks = 0
  for (const event of readXml(bytes)) {
    if (event.kind === 'text') {
      if (isText && fallbacks === 0) paragraph += event.text
      continue
    }
    const isOpen = event.kind === 'open'
    switch (event.name) {
      // A second version of the shape for programs that do not know the first.
      case 'Fallback':
        fallbacks += isOpen ? 1 : -1
        break
      case 'sp':
      case 'graphicFrame':
        if (!isOpen && lines.length > 0) shapes.push({ role, text: lines.join('\n') })
        role = ''
        lines = []
        break
      case 'ph':
        // A place without a type is one for text.
        if (isOpen) role = event.attributes.get('type') ?? 'body'
        break
      case 't':
        isText = isOpen
        break
      case 'br':
        if (isOpen) paragraph += '\n'
        break
      case 'p':
        if (!isOpen && paragraph.trim() !== '') lines.push(paragraph.trim())
        paragraph = ''
        break
      case 'tbl':
        if (!isOpen && rows.length > 0) shapes.push({ role: 'table', text: markdownTable(rows) })
        rows = []
        break
      case 'tr':
        if (isOpen) rows.push([])
        break
      case 'tc':
        if (!isOpen) rows.at(-1)?.push(lines.join(' '))
        lines = []
        break
      default:
    }
  }
  return shapes
}
