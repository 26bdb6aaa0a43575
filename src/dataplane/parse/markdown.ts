import type { Heading, ParsedDocument } from './parsed.ts'
import { textParts } from './plain.ts'

/**
 * Markdown stays as written (a model reads it well, and offsets then point into the file itself);
 * only the front matter is left out. Headings: ATX and setext, none inside fenced code.
 */
export function parseMarkdown(source: string): ParsedDocument {
  const { text, title } = withoutFrontMatter(source)
  return document(text, title, findHeadings(text, '').headings)
}

/** As `parseMarkdown`, in parts: a fence that one part opens the next one closes. */
export async function* parseMarkdownParts(source: AsyncIterable<string>): AsyncGenerator<ParsedDocument> {
  let fence: string | undefined
  for await (const part of textParts(source)) {
    const { text, title } = fence === undefined ? withoutFrontMatter(part) : { text: part, title: '' }
    const found = findHeadings(text, fence ?? '')
    fence = found.fence
    yield document(text, title, found.headings)
  }
}

function document(text: string, title: string, headings: readonly Heading[]): ParsedDocument {
  const first = headings.find((heading) => heading.level === 1)
  return { title: title === '' ? (first?.title ?? '') : title, text, headings, pages: [], records: [] }
}

const FRONT_MATTER = /^---[ \t]*\r?\n([\s\S]*?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/
const FRONT_MATTER_TITLE = /^title:[ \t]*(["']?)(.*?)\1[ \t]*$/m
/** A file that only begins with a rule must not be searched to its end. */
const MAX_FRONT_MATTER_CHARS = 20_000

function withoutFrontMatter(source: string): { text: string; title: string } {
  const match = FRONT_MATTER.exec(source.slice(0, MAX_FRONT_MATTER_CHARS))
  if (match === null) return { text: source, title: '' }
  return { text: source.slice(match[0].length), title: FRONT_MATTER_TITLE.exec(match[1] ?? '')?.[2]?.trim() ?? '' }
}

const ATX = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/
const SETEXT = /^ {0,3}(=+|-+)[ \t]*$/
const FENCE = /^ {0,3}(`{3,}|~{3,})/

/** `fence` is the mark of the code that is open at the start, and then at the end. */
function findHeadings(text: string, openFence: string): { readonly headings: Heading[]; readonly fence: string } {
  const headings: Heading[] = []
  let fence = openFence
  let previous = { line: '', start: 0 }
  for (const { line, start } of lines(text)) {
    const marker = FENCE.exec(line)?.[1] ?? ''
    if (fence !== '') {
      if (marker.startsWith(fence)) fence = ''
    } else if (marker !== '') {
      fence = marker
    } else {
      const heading = headingAt(line, start, previous)
      if (heading !== undefined) headings.push(heading)
    }
    previous = { line: fence === '' && marker === '' ? line : '', start }
  }
  return { headings, fence }
}

function headingAt(line: string, start: number, previous: { line: string; start: number }): Heading | undefined {
  const atx = ATX.exec(line)
  if (atx !== null) {
    return { level: atx[1]?.length ?? 1, title: plainTitle(atx[2] ?? ''), start, end: start + line.length }
  }
  const underline = SETEXT.exec(line)?.[1]
  // A list item, a table row, a quote or a heading above a rule is no setext heading.
  if (underline === undefined || previous.line.trim() === '' || /^\s*(?:[-*+>|#]|\d+\.)/.test(previous.line)) {
    return undefined
  }
  return {
    level: underline.startsWith('=') ? 1 : 2,
    title: plainTitle(previous.line),
    start: previous.start,
    end: start + line.length,
  }
}

/** A longer line is no title, and looking for links in it takes a time that grows with its square. */
const MAX_TITLE_CHARS = 1000

/** A heading without the marks that only a renderer needs. */
function plainTitle(raw: string): string {
  return raw
    .slice(0, MAX_TITLE_CHARS)
    .trim()
    .replace(/(?:^|[ \t])#+$/, '')
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/\*\*|`/g, '')
    .trim()
}

/** Lines without their ends. */
function* lines(text: string): Generator<{ line: string; start: number }> {
  let start = 0
  while (start < text.length) {
    const feed = text.indexOf('\n', start)
    const end = feed === -1 ? text.length : feed
    yield { line: text.slice(start, end > start && text[end - 1] === '\r' ? end - 1 : end), start }
    start = end + 1
  }
}
