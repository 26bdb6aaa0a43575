/** One turn of a conversation, as the model's own template knows it. */
export interface ChatTurn {
  readonly role: 'system' | 'user' | 'assistant'
  readonly text: string
}

/** What one answer is generated from. */
export interface GenerateRequest {
  readonly turns: readonly ChatTurn[]
  /** Upper bound of generated tokens; undefined for as many as a short answer needs. */
  readonly maxTokens: number | undefined
  /** 0 takes the likeliest token each time: the same answer on every run. */
  readonly temperature: number
  readonly topP: number | undefined
  readonly seed: number | undefined
  /** Texts that end the answer; they are not part of it. */
  readonly stop: readonly string[]
}

/** How an answer ended, with real token counts. */
export interface Generated {
  readonly finish: 'stop' | 'length' | 'left'
  readonly promptTokens: number
  readonly completionTokens: number
}

/** A model in this process. It generates one answer at a time; whoever calls it keeps the order. */
export interface Engine {
  /** Name under which it is served. */
  readonly model: string
  /** Tokens of prompt and answer together. */
  readonly contextTokens: number
  /**
   * Generates one answer, piece by piece, until it ends or `signal` aborts.
   * @throws {PromptTooLong} before anything is generated.
   */
  generate(request: GenerateRequest, onText: (text: string) => void, signal: AbortSignal): Promise<Generated>
  close(): Promise<void>
}

/** The prompt leaves no room for an answer. */
export class PromptTooLong extends Error {
  constructor(promptTokens: number, contextTokens: number, leastAnswerTokens: number) {
    super(
      `the prompt has ${promptTokens} tokens and this model reads ${contextTokens} with its answer: send at most ${contextTokens - leastAnswerTokens}, or fetch fewer passages`,
    )
    this.name = 'PromptTooLong'
  }
}
