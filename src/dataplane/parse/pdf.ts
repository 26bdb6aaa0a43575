import { loadPackage } from '#dataplane/heavy.ts'
import { ParseError } from './parsed.ts'
import type { Heading, PageStart, ParsedDocument } from './parsed.ts'

/** A line this much larger than the body is a heading. */
const HEADING_SIZE_RATIO = 1.15
/** Headings are short; a large-print page is not one heading. */
const MAX_HEADING_CHARS = 120
/** A gap above a line larger than this many of its font sizes starts a paragraph. */
const PARAGRAPH_GAP_RATIO = 1.75

/**
 * Text of a PDF, page by page, with headings told from their font size.
 *
 * @throws {ParseError} `encrypted` when a password is needed, `corrupt` for everything else that fails.
 */
export async function parsePdf(bytes: Uint8Array): Promise<ParsedDocument> {
  const unpdf = await loadPackage('unpdf', () => import('unpdf'))
  try {
    const document = await unpdf.getDocumentProxy(bytes, { verbosity: 0 })
    try {
      const { items } = await unpdf.extractTextItems(document)
      const { info } = await unpdf.getMeta(document)
      const title: unknown = info['Title']
      return layOut(items.map(linesOf), typeof title === 'string' ? title.trim() : '')
    } finally {
      await document.loadingTask.destroy()
    }
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    if (name === 'PasswordException') throw new ParseError('encrypted', 'the PDF needs a password', error)
    throw new ParseError('corrupt', 'the PDF can not be read', error)
  }
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

function layOut(pages: readonly Line[][], metaTitle: string): ParsedDocument {
  const body = bodySize(pages.flat())
  const headings: Heading[] = []
  const starts: PageStart[] = []
  let text = ''
  for (const [index, lines] of pages.entries()) {
    if (text !== '') text += '\n\n'
    starts.push({ page: index + 1, start: text.length })
    let previous: Line | undefined
    for (const line of lines) {
      const isHeading = line.fontSize > body * HEADING_SIZE_RATIO && line.text.length <= MAX_HEADING_CHARS
      if (previous !== undefined) text += startsParagraph(previous, line, isHeading) ? '\n\n' : '\n'
      const start = text.length
      text += line.text.trimEnd()
      if (isHeading) addHeading(headings, { level: levelOf(line.fontSize / body), line, start, end: text.length })
      previous = line
    }
  }
  return { title: metaTitle || (headings[0]?.title ?? ''), text, headings, pages: starts }
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
function bodySize(lines: readonly Line[]): number {
  const charsBySize = new Map<number, number>()
  for (const line of lines) {
    const size = Math.round(line.fontSize * 2) / 2
    charsBySize.set(size, (charsBySize.get(size) ?? 0) + line.text.length)
  }
  let best = { size: 10, chars: 0 }
  for (const [size, chars] of charsBySize) if (chars > best.chars) best = { size, chars }
  return best.size
}

function levelOf(ratio: number): number {
  if (ratio >= 1.8) return 1
  return ratio >= 1.35 ? 2 : 3
}
