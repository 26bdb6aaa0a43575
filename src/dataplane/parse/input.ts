/** A document before it is parsed: its name, and its contents in memory or in a file. */
export type DocumentInput = {
  readonly name: string
  /** What the source says it is; the contents are believed first. */
  readonly contentType?: string
} & ({ readonly bytes: Uint8Array<ArrayBuffer> } | { readonly path: string; readonly size: number })
