import type { SharedHome } from './shared-home.ts'

/** A passage as it is stored, but for its vector. */
export interface StoredPassage {
  readonly document: string
  readonly title: string
  readonly heading: string
  /** From 1; 0 for documents without pages. */
  readonly page: number
  /** First record (row, line of JSON) of the passage, from 1; 0 for documents that are not made of records. */
  readonly record: number
  /** Last record of the passage, from 1; 0 likewise. */
  readonly lastRecord: number
  /** UTF-16 offsets in the document's extracted text. */
  readonly start: number
  readonly end: number
  readonly text: string
  /** Access id: which rules guard the document. */
  readonly access: string
  /** JSON of the findings of the screening at ingest. */
  readonly findings: string
  /** Version of the screening rules. */
  readonly rules: string
  /** State of the document that the passage was made from: what a later state leaves behind is told by it. */
  readonly generation: string
}

export interface PassageWithVector extends StoredPassage {
  readonly vector: Float32Array
}

/** A passage that a search found; `score` is the cosine of a vector search, and of a text search whatever its engine ranks by. */
export interface Hit {
  readonly passage: PassageWithVector
  readonly score: number
}

/** All passages of a document. */
export interface DocumentPassages {
  readonly document: string
  readonly passages: readonly PassageWithVector[]
}

/**
 * Passages of one collection, wherever they are kept. A passage is the same one when document and start are the same:
 * writing it twice leaves one. Searches see only passages with one of the access ids given; the filter applies before
 * ranking. What was written is found by the next search of this process.
 */
export interface IndexStore {
  /**
   * Puts the passages in place of all that these documents had. With `areNew` the caller knows that the index holds
   * nothing of them, which may be faster.
   */
  replace(documents: readonly DocumentPassages[], areNew: boolean): Promise<void>
  /** Adds passages of a document that is written in several steps; `prune` ends it. */
  append(passages: readonly PassageWithVector[]): Promise<void>
  /** Removes what a document has of other generations than this one. */
  prune(document: string, generation: string): Promise<void>
  remove(documents: readonly string[]): Promise<void>
  setAccess(document: string, access: string): Promise<void>
  /** Passages of a document, in order of their start, a few hundred at a time. */
  read(document: string): AsyncIterable<readonly PassageWithVector[]>
  searchVector(vector: Float32Array, accessIds: readonly string[], limit: number): Promise<Hit[]>
  /** Empty when the engine has no search by words; see `searchesText`. */
  searchText(query: string, accessIds: readonly string[], limit: number): Promise<Hit[]>
  /** Whether the engine finds by words. */
  readonly searchesText: boolean
  countPassages(): Promise<number>
  /** Merges what many small writes left behind and brings the indexes up to date. */
  compact(): Promise<void>
  close(): Promise<void>
}

/** Opens the store of one collection. `drop` throws away what is there. */
export interface IndexEngine {
  /** What an index of this engine is told from others by, such as `lance`. */
  readonly name: string
  /** Where manifests lie when several agents share the index. Absent: only this machine has it, as it has the manifest. */
  home?(collection: string, scratch: string): SharedHome
  open(collection: string, dimensions: number): Promise<IndexStore>
  drop(collection: string): Promise<void>
  close(): Promise<void>
}
