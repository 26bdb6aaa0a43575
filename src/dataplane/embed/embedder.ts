/** Turns text into unit vectors whose dot product says how close two texts are in meaning. */
export interface Embedder {
  /** Stable id of the model: vectors of another model can not be compared. */
  readonly model: string
  readonly dimensions: number
  /**
   * Relevance (cosine, and up to 0.2 for words) that the best passage must have for a question to be about the collection
   * at all. A property of the model: 0 where nobody has measured it, then every question gets its nearest passages.
   */
  readonly floor: number
  /** Passages, in order; a waiting query goes before them. */
  embed(texts: readonly string[]): Promise<Float32Array[]>
  /** One query; cached. */
  embedQuery(text: string): Promise<Float32Array>
  close(): Promise<void>
}

/** The vectors could not be made. */
export class EmbedError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'EmbedError'
  }
}
