import type { Heading, PageStart, ParsedDocument, RecordStart } from './parsed.ts'

/** Text of one part: some 80 passages, prepared in tens of milliseconds and small beside any heap. */
export const PART_CHARS = 65_536

/** Collects the blocks of a document and gives them out in parts that end between two blocks. */
export class PartBuilder {
  readonly #title: string
  #pieces: string[] = []
  #chars = 0
  #headings: Heading[] = []
  #pages: PageStart[] = []
  #records: RecordStart[] = []

  constructor(title = '') {
    this.#title = title
  }

  /** Whether a part is full. */
  get isFull(): boolean {
    return this.#chars >= PART_CHARS
  }

  get isEmpty(): boolean {
    return this.#chars === 0 && this.#pages.length === 0
  }

  page(page: number): void {
    this.#pages.push({ page, start: this.#chars })
  }

  heading(level: number, title: string): void {
    const start = this.#chars
    this.#headings.push({ level: Math.min(6, Math.max(1, level)), title, start, end: start + title.length })
    this.#add(`${title}\n\n`)
  }

  /** A paragraph, a table, a list item: followed by a blank line. */
  block(text: string): void {
    this.#add(`${text}\n\n`)
  }

  /** One line of a list: followed by a line end only. */
  line(text: string): void {
    this.#add(`${text}\n`)
  }

  /** A record of one line. */
  record(record: number, text: string): void {
    this.#records.push({ record, start: this.#chars })
    this.#add(`${text}\n`)
  }

  /** A record of several lines: followed by a blank line. */
  recordBlock(record: number, text: string): void {
    this.#records.push({ record, start: this.#chars })
    this.#add(`${text}\n\n`)
  }

  /** What was collected; the next part starts. */
  take(): ParsedDocument {
    const part = {
      title: this.#title,
      text: this.#pieces.join(''),
      headings: this.#headings,
      pages: this.#pages,
      records: this.#records,
    }
    this.#pieces = []
    this.#chars = 0
    this.#headings = []
    this.#pages = []
    this.#records = []
    return part
  }

  #add(text: string): void {
    this.#pieces.push(text)
    this.#chars += text.length
  }
}
