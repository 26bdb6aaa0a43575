import { posix } from 'node:path'
import { binaryKind } from './magic.ts'
import { ParseError } from './parsed.ts'
import { decodeText } from './plain.ts'
import type { ByteSource } from './source.ts'
import { openZip } from './zip.ts'
import type { Zip } from './zip.ts'

/** What a parser is there for. */
export type Format =
  | 'pdf'
  | 'docx'
  | 'pptx'
  | 'xlsx'
  | 'parquet'
  | 'html'
  | 'markdown'
  | 'csv'
  | 'json'
  | 'json-lines'
  | 'text'

/** The archive is opened already where there is one. */
export interface Sniffed {
  readonly format: Format
  readonly zip?: Zip
}

/** Formats by the ending of the name, lower case, with the dot. */
const BY_EXTENSION: Readonly<Record<string, Format>> = {
  '.pdf': 'pdf',
  '.docx': 'docx',
  '.docm': 'docx',
  '.pptx': 'pptx',
  '.pptm': 'pptx',
  '.xlsx': 'xlsx',
  '.xlsm': 'xlsx',
  '.parquet': 'parquet',
  '.html': 'html',
  '.htm': 'html',
  '.xhtml': 'html',
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.csv': 'csv',
  '.tsv': 'csv',
  '.tab': 'csv',
  '.json': 'json',
  '.geojson': 'json',
  '.jsonl': 'json-lines',
  '.ndjson': 'json-lines',
  '.txt': 'text',
  '.text': 'text',
  '.log': 'text',
  '.xml': 'text',
  '.yaml': 'text',
  '.yml': 'text',
  '.rst': 'text',
  '.sql': 'text',
}

/** The format that a name promises; what the contents say counts more. */
export function formatOfName(name: string): Format | undefined {
  return BY_EXTENSION[posix.extname(name).toLowerCase()]
}

const BY_CONTENT_TYPE: Readonly<Record<string, Format>> = {
  'text/html': 'html',
  'application/xhtml+xml': 'html',
  'text/markdown': 'markdown',
  'text/csv': 'csv',
  'text/tab-separated-values': 'csv',
  'application/json': 'json',
  'application/geo+json': 'json',
  'application/jsonl': 'json-lines',
  'application/x-ndjson': 'json-lines',
  'application/jsonlines': 'json-lines',
  'text/plain': 'text',
}

/** Enough for every magic number, and for the start of a text. */
const HEAD_BYTES = 8192
/** Formats that are never text: a text of that name is something else. */
const BINARY: ReadonlySet<Format> = new Set(['pdf', 'docx', 'pptx', 'xlsx', 'parquet'])

/**
 * The format of a document: what it begins with decides, then its name, then the type that its source gives.
 *
 * @throws {ParseError} `empty`, `unsupported` (saying what it looks like), `encrypted`, or `corrupt` when the name
 * promises what the contents are not.
 */
export async function sniff(source: ByteSource, name: string, contentType: string | undefined): Promise<Sniffed> {
  if (source.size === 0) throw new ParseError('empty', 'it holds no text')
  const head = await source.read(0, HEAD_BYTES)
  const binary = binaryKind(head)
  if (binary === 'zip') return await officeFormat(source)
  if (binary === 'cfb') throw await olderOffice(source)
  if (binary === 'pdf' || binary === 'parquet') return { format: binary }
  if (binary !== undefined) throw new ParseError('unsupported', `it is ${binary}, which holds no text to read`)
  if (!isText(head)) throw new ParseError('unsupported', 'it is binary data of an unknown kind')
  return { format: textFormat(textOf(head), name, contentType) }
}

/** The part that only one kind of office file has. */
const OFFICE_BODY: readonly (readonly [path: string, format: Format])[] = [
  ['word/document.xml', 'docx'],
  ['ppt/presentation.xml', 'pptx'],
  ['xl/workbook.xml', 'xlsx'],
]

async function officeFormat(source: ByteSource): Promise<Sniffed> {
  const zip = await openZip(source)
  for (const [path, format] of OFFICE_BODY) if (zip.names.has(path)) return { format, zip }
  const kind = zip.names.has('xl/workbook.bin')
    ? 'a binary Excel workbook (.xlsb): save it as .xlsx'
    : zip.names.has('content.xml')
      ? 'an OpenDocument file: save it as .docx, .xlsx, .pptx or PDF'
      : zip.names.has('META-INF/container.xml')
        ? 'an EPUB book: save it as HTML or PDF'
        : 'a ZIP archive: unpack it and bring in what it holds'
  throw new ParseError('unsupported', `it is ${kind}`)
}

/** Directory entries of a compound file carry their names in UTF-16 (MS-CFB 2.6.1). */
const ENCRYPTED_PACKAGE = Buffer.from('EncryptedPackage', 'utf16le')
const OLDER_KINDS: readonly (readonly [stream: string, mend: string])[] = [
  ['WordDocument', 'an older Word document (.doc): save it as .docx'],
  ['PowerPoint Document', 'an older PowerPoint presentation (.ppt): save it as .pptx'],
  ['Workbook', 'an older Excel workbook (.xls): save it as .xlsx'],
]
/** The directory may stand at the end; a small file is looked through, of a large one both ends. */
const CFB_LOOK_BYTES = 4 * 1024 * 1024

async function olderOffice(source: ByteSource): Promise<ParseError> {
  const start = Buffer.from(await source.read(0, CFB_LOOK_BYTES))
  const end = Buffer.from(await source.read(Math.max(CFB_LOOK_BYTES, source.size - CFB_LOOK_BYTES), source.size))
  const holds = (name: Buffer) => start.includes(name) || end.includes(name)
  if (holds(ENCRYPTED_PACKAGE)) return new ParseError('encrypted', 'the office file needs a password')
  const kind = OLDER_KINDS.find(([stream]) => holds(Buffer.from(stream, 'utf16le')))
  return new ParseError(
    'unsupported',
    `it is ${kind?.[1] ?? 'an older office file: save it as .docx, .xlsx, .pptx or PDF'}`,
  )
}

/** Of the bytes at the start, this share may be control characters: some logs colour their lines. */
const MAX_CONTROL_SHARE = 0.05

function isText(head: Uint8Array): boolean {
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) return true
  let control = 0
  for (const byte of head) {
    if (byte === 0) return false
    const isControl = (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0c && byte !== 0x0d) || byte === 0x7f
    if (isControl) control += 1
  }
  return control <= head.length * MAX_CONTROL_SHARE
}

function textOf(head: Uint8Array): string {
  return decodeText(head.length % 2 === 1 ? head.subarray(0, -1) : head).replace(/^\uFEFF/, '')
}

const HTML_START = /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]{0,2000}?-->\s*)?<(?:!doctype\s+html|html|head|body)\b/i
const SVG_START = /^\s*(?:<\?xml[^>]*>\s*)?(?:<!(?:--|doctype)[^>]*>\s*)*<svg\b/i

function textFormat(start: string, name: string, contentType: string | undefined): Format {
  if (SVG_START.test(start)) throw new ParseError('unsupported', 'it is an SVG image, which holds no text to read')
  if (HTML_START.test(start)) return 'html'
  const extension = posix.extname(name).toLowerCase()
  const named = BY_EXTENSION[extension]
  if (named !== undefined && BINARY.has(named)) {
    throw new ParseError('corrupt', `its name says \`${extension}\`, but it is a plain text`)
  }
  // Programs export tables of text under Excel's name.
  if (extension === '.xls') return 'csv'
  const declared = BY_CONTENT_TYPE[(contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '']
  const format = named ?? declared ?? (looksLikeJson(start) ? 'json' : 'text')
  return format === 'json' && isJsonLines(start) ? 'json-lines' : format
}

function looksLikeJson(start: string): boolean {
  return /^\s*(?:\{\s*"|\[\s*[[{"\d])/.test(start)
}

/** The first line is a whole object, and another one follows. */
function isJsonLines(start: string): boolean {
  const feed = start.indexOf('\n')
  if (!start.trimStart().startsWith('{') || feed === -1 || !start.slice(feed).trimStart().startsWith('{')) return false
  try {
    JSON.parse(start.slice(0, feed))
    return true
  } catch {
    return false
  }
}
