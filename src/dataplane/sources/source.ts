import type { DocumentInput } from '#dataplane/parse/source.ts'

/** An object that may become a document, as a listing or an event names it. */
export interface SourceObject {
  /** Its name inside the collection: a path, or a key without the prefix. */
  readonly document: string
  /** Opaque: another one when the contents may be others. */
  readonly version: string
  readonly bytes: number
  readonly modifiedEpochMs: number
}

/**
 * What happened to one document. `changed`: the source is looked at for what it is now, so events may come twice and in
 * any order. `arrived` and `deleted` carry all there is to know; `sequence`, a decimal number, orders them.
 */
export type SourceChange =
  | { readonly kind: 'changed'; readonly document: string }
  | {
      readonly kind: 'arrived'
      readonly document: string
      readonly object: SourceObject
      readonly open: () => Promise<OpenedObject>
      readonly sequence: string
    }
  | { readonly kind: 'deleted'; readonly document: string; readonly sequence: string }

/** The contents of an object, in memory when they are small and in a file when not. */
export interface OpenedObject {
  readonly input: DocumentInput
  /** Version of what was read: the object may have been written again since it was listed. */
  readonly version: string
  /** SHA-256, hex. */
  readonly digest: string
  /** Removes the file, where one was made. */
  close(): Promise<void>
}

/** The object can not be read; the ingest goes on with the next. `gone`: it is not there any more. */
export class SourceError extends Error {
  readonly reason: 'gone' | 'too-large' | 'unreadable'

  constructor(reason: 'gone' | 'too-large' | 'unreadable', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'SourceError'
    this.reason = reason
  }
}

/** Where the documents of a collection come from. */
export type Source = ObjectSource | StreamSource

/** Events that pass by: nobody can ask what there is, so what once arrived stays until an event says that it is deleted. */
export interface StreamSource {
  /** For people: `kinesis stream`. Names no secret. */
  readonly name: string
  /** As that of `ObjectSource`; hands on `arrived` and `deleted` only. */
  watch(take: (changes: readonly SourceChange[]) => Promise<void>, signal: AbortSignal): Promise<void>
}

/** Objects that can be listed and read again. */
export interface ObjectSource {
  /** For people: `folder /srv/docs`, `s3://bucket/prefix`. Names no secret. */
  readonly name: string
  /**
   * Every object, each once, read as far as it is wanted.
   *
   * @throws when the listing can not be had: then nothing is taken for deleted.
   */
  list(signal: AbortSignal): AsyncIterable<SourceObject>
  /** @throws {SourceError} for this object; anything else when the source as a whole fails. */
  open(object: SourceObject, signal: AbortSignal): Promise<OpenedObject>
  /** The object of this name as it is now; undefined when there is none. Absent: the source has no events to look after. */
  find?(document: string, signal: AbortSignal): Promise<SourceObject | undefined>
  /**
   * Hands on what changes, until the signal fires. `take` resolves when the changes are in the index; only then they
   * are acknowledged, so that what a kill interrupts comes again. Absent: the source only lists.
   */
  watch?(take: (changes: readonly SourceChange[]) => Promise<void>, signal: AbortSignal): Promise<void>
}
