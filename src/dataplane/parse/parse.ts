import { parseHtml } from './html.ts'
import { parseMarkdown } from './markdown.ts'
import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'
import { parsePdf } from './pdf.ts'
import { decodeText, parsePlain } from './plain.ts'

/** Changes with every change of a parser or of the splitter: documents parsed by another version are parsed again. */
export const PARSER_VERSION = '1'

/** File name endings that can be parsed, lower case, with the dot. */
export const EXTENSIONS = new Set(['.md', '.markdown', '.html', '.htm', '.txt', '.pdf'])

/** @throws {ParseError} when the bytes are not what the extension says. */
export async function parse(extension: string, bytes: Uint8Array): Promise<ParsedDocument> {
  switch (extension) {
    case '.md':
    case '.markdown':
      return parseMarkdown(decodeText(bytes))
    case '.html':
    case '.htm':
      return parseHtml(decodeText(bytes))
    case '.txt':
      return parsePlain(decodeText(bytes))
    case '.pdf':
      return await parsePdf(bytes)
    default:
      throw new ParseError('unsupported', `no parser for \`${extension}\` files`)
  }
}
