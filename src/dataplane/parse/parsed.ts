/** What every parser makes of a file. Offsets are UTF-16 code units in `text`. */
export interface ParsedDocument {
  /** The document's own title, or empty. */
  readonly title: string
  readonly text: string
  /** In order; `start` to `end` is the heading's whole line in `text`. */
  readonly headings: readonly Heading[]
  /** Where each page starts, in order; empty for documents without pages. */
  readonly pages: readonly PageStart[]
}

export interface Heading {
  /** 1 to 6. */
  readonly level: number
  readonly title: string
  readonly start: number
  readonly end: number
}

export interface PageStart {
  /** From 1. */
  readonly page: number
  readonly start: number
}

/** Why a file gave no text. */
export type ParseFailure = 'corrupt' | 'encrypted' | 'unsupported'

/** A file that can not be read as what its name says. The message never carries its contents. */
export class ParseError extends Error {
  readonly fate: ParseFailure

  constructor(fate: ParseFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ParseError'
    this.fate = fate
  }
}
