/**
 * What every parser makes of a file, or of one part of it: the texts of the parts, one after the other, are the
 * text of the document. Offsets are UTF-16 code units in `text`.
 */
export interface ParsedDocument {
  /** The document's own title, or empty; that of the first part counts. */
  readonly title: string
  readonly text: string
  /** In order; `start` to `end` is the heading's whole line in `text`. */
  readonly headings: readonly Heading[]
  /** Where each page starts, in order; empty for documents without pages, and where the last part's page goes on. */
  readonly pages: readonly PageStart[]
  /** Where each record starts, in order; empty for documents without records. */
  readonly records: readonly RecordStart[]
}

export interface Heading {
  /** 1 to 6. */
  readonly level: number
  readonly title: string
  readonly start: number
  readonly end: number
}

export interface PageStart {
  /** From 1: the page, the slide of a presentation, the sheet of a workbook. */
  readonly page: number
  readonly start: number
}

export interface RecordStart {
  /** From 1: the data row of a table without its header, the element of an array, the line of JSON Lines; in a workbook the row as the program numbers it. */
  readonly record: number
  readonly start: number
}

/** Why a file gave no text. */
export type ParseFailure = 'corrupt' | 'encrypted' | 'unsupported' | 'too-large' | 'empty' | 'unreadable'

/** A file that can not be read as what it is. The message never carries its contents. */
export class ParseError extends Error {
  readonly fate: ParseFailure

  constructor(fate: ParseFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ParseError'
    this.fate = fate
  }
}
