/** A model that reads question and passage together: slower than the searches and a better judge. */
export interface Reranker {
  readonly model: string
  /** Candidates that it is given at most; the others fall behind. */
  readonly candidates: number
  /**
   * How well each text answers the query, higher is better, in the order of the texts.
   *
   * @throws {RerankError} when it can not be had.
   */
  score(query: string, texts: readonly string[], signal: AbortSignal): Promise<readonly number[]>
}

/** The order can not be had: the fused ranks stand. */
export class RerankError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'RerankError'
  }
}
