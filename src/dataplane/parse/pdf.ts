import type { getDocumentProxy } from 'unpdf'
import { loadPackage } from '#dataplane/heavy.ts'
import { ParseError } from './parsed.ts'
import type { Heading, PageStart, ParsedDocument } from './parsed.ts'

/** A line this much larger than the body is a heading. */
const HEADING_SIZE_RATIO = 1.15
/** Headings are short; a large-print page is not one heading. */
const MAX_HEADING_CHARS = 120
/** A gap above a line larger than this many of its font sizes starts a paragraph. */
const PARAGRAPH_GAP_RATIO = 1.75

/** Pages of one part. The size of the body text is told from all pages up to the part's last. */
const PAGES_AT_ONCE = 16

/**
 * Text of a PDF, some pages at a time, with headings told from their font size.
 *
 * @throws {ParseError} `encrypted` when a password is needed, `empty` when no page has text, `corrupt` for everything
 * else that fails.
 */
export async function* parsePdf(bytes: Uint8Array): AsyncGenerator<ParsedDocument> {
  const unpdf = await loadPackage('unpdf', () => import('unpdf'))
  const document = await opened(unpdf.getDocumentProxy(bytes, { verbosity: 0 }))
  try {
    const layout = new Layout(await metaTitle(document))
    for (let first = 1; first <= document.numPages; first += PAGES_AT_ONCE) {
      const last = Math.min(document.numPages, first + PAGES_AT_ONCE - 1)
      const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index)
      const pages = await Promise.all(numbers.map(async (number) => linesOf(await itemsOf(document, number))))
      yield layout.part(first, pages)
    }
    if (layout.isEmpty) throw new ParseError('empty', 'its pages hold no text: perhaps they are scanned images')
  } finally {
    await document.loadingTask.destroy()
  }
}

type PdfDocument = Awaited<ReturnType<typeof getDocumentProxy>>

async function opened(document: Promise<PdfDocument>): Promise<PdfDocument> {
  try {
    return await document
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    if (name === 'PasswordException') throw new ParseError('encrypted', 'the PDF needs a password', error)
    throw new ParseError('corrupt', 'the PDF can not be read', error)
  }
}

async function metaTitle(document: PdfDocument): Promise<string> {
  try {
    const { info } = await document.getMetadata()
    const title: unknown = 'Title' in info ? info.Title : undefined
    return typeof title === 'string' ? title.trim() : ''
  } catch {
    // A broken dictionary of properties is no reason to lose the pages.
    return ''
  }
}

async function itemsOf(document: PdfDocument, number: number): Promise<Item[]> {
  try {
    const page = await document.getPage(number)
    const { items } = await page.getTextContent()
    page.cleanup()
    return items.flatMap((item) => ('str' in item ? [itemOf(item)] : []))
  } catch (error) {
    throw new ParseError('corrupt', `page ${number} of the PDF can not be read`, error)
  }
}

function itemOf(item: { readonly str: string; readonly width: number; readonly transform: readonly unknown[] }): Item {
  const [, , c, d, x, y] = item.transform.map(Number)
  return { str: item.str, x: x ?? 0, y: y ?? 0, width: item.width, fontSize: Math.hypot(c ?? 0, d ?? 0) }
}

interface Item {
  readonly str: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly fontSize: number
}

interface Line {
  text: string
  y: number
  fontSize: number
  /** Where the last item ended, in points. */
  right: number
}

function linesOf(items: readonly Item[]): Line[] {
  const lines: Line[] = []
  for (const item of items) {
    if (item.str.trim() === '') continue
    const line = lines.at(-1)
    if (line !== undefined && Math.abs(line.y - item.y) < item.fontSize * 0.4) {
      const isApart = item.x - line.right > item.fontSize * 0.12 && !line.text.endsWith(' ')
      line.text += isApart && !item.str.startsWith(' ') ? ` ${item.str}` : item.str
      line.right = item.x + item.width
    } else {
      lines.push({ text: item.str, y: item.y, fontSize: item.fontSize, right: item.x + item.width })
    }
  }
  return lines
}

/** Puts pages together; what it knows of the fonts grows with the pages. */
class Layout {
  isEmpty = true
  readonly #metaTitle: string
  readonly #charsBySize = new Map<number, number>()

  constructor(title: string) {
    this.#metaTitle = title
  }

  part(firstPage: number, pages: readonly (readonly Line[])[]): ParsedDocument {
    for (const lines of pages) this.#count(lines)
    const body = bodySize(this.#charsBySize)
    const headings: Heading[] = []
    const starts: PageStart[] = []
    let text = ''
    for (const [index, lines] of pages.entries()) {
      starts.push({ page: firstPage + index, start: text.length })
      text += addLines(text.length, lines, body, headings)
    }
    this.isEmpty &&= text === ''
    return { title: this.#metaTitle || (headings[0]?.title ?? ''), text, headings, pages: starts, records: [] }
  }

  #count(lines: readonly Line[]): void {
    for (const line of lines) {
      const size = Math.round(line.fontSize * 2) / 2
      this.#charsBySize.set(size, (this.#charsBySize.get(size) ?? 0) + line.text.length)
    }
  }
}

/** Text of a page, with a blank line at its end; `offset` is where it starts in the part. */
function addLines(offset: number, lines: readonly Line[], body: number, headings: Heading[]): string {
  let text = ''
  let previous: Line | undefined
  for (const line of lines) {
    const isHeading = line.fontSize > body * HEADING_SIZE_RATIO && line.text.length <= MAX_HEADING_CHARS
    if (previous !== undefined) text += startsParagraph(previous, line, isHeading) ? '\n\n' : '\n'
    const start = offset + text.length
    text += line.text.trimEnd()
    if (isHeading)
      addHeading(headings, { level: levelOf(line.fontSize / body), line, start, end: offset + text.length })
    previous = line
  }
  return text === '' ? '' : `${text}\n\n`
}

function startsParagraph(previous: Line, line: Line, isHeading: boolean): boolean {
  const isSameSize = Math.abs(previous.fontSize - line.fontSize) < 0.5
  if (!isSameSize) return true
  return !isHeading && Math.abs(previous.y - line.y) > line.fontSize * PARAGRAPH_GAP_RATIO
}

function addHeading(headings: Heading[], found: { level: number; line: Line; start: number; end: number }): void {
  const last = headings.at(-1)
  // A heading that wraps is one heading.
  if (last !== undefined && last.level === found.level && found.start - last.end === 1) {
    headings[headings.length - 1] = {
      ...last,
      title: `${last.title} ${found.line.text.trim()}`,
      end: found.end,
    }
    return
  }
  headings.push({ level: found.level, title: found.line.text.trim(), start: found.start, end: found.end })
}

/** Font size that most characters have. */
function bodySize(charsBySize: ReadonlyMap<number, number>): number {
  let best = { size: 10, chars: 0 }
  for (const [size, chars] of charsBySize) if (chars > best.chars) best = { size, chars }
  return best.size
}

function levelOf(ratio: number): number {
  if (ratio >= 1.8) return 1
  return ratio >= 1.35 ? 2 : 3
}
