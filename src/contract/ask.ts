/** What a caller wants, free of any dialect. Decoders in wire/ make it, encoders in infer/ read it. */
export interface Ask {
  readonly dialect: Dialect
  /** The model alias that the client named. */
  readonly alias: string
  readonly stream: boolean
  readonly messages: readonly Message[]
  readonly tools: readonly Tool[]
  readonly toolChoice: ToolChoice | undefined
  readonly sampling: Sampling
  /** Whether the caller asked for a usage block at the end of a stream (OpenAI's `stream_options`). */
  readonly includeUsage: boolean
  /** What the client asks to be grounded on, beside what the alias carries. */
  readonly ground: GroundAsk | undefined
  /** A conversation id that the client chose; placeholders stay the same within one conversation. */
  readonly conversation: string | undefined
  /** What the caller says that the request is for; policies can read it. */
  readonly purpose: string | undefined
  /** Fields of the caller's dialect that have no place above; a target of the same dialect gets them unchanged. */
  readonly rest: Readonly<Record<string, unknown>>
}

export type Dialect = 'openai-chat' | 'anthropic-messages'

export interface GroundAsk {
  readonly collections: readonly string[]
  readonly topK: number | undefined
}

export type Role = 'system' | 'user' | 'assistant' | 'tool'

export interface Message {
  readonly role: Role
  readonly parts: readonly Part[]
  /** Unknown fields of the message (`name`, `cache_control`, ...), for a target of the same dialect. */
  readonly rest?: Readonly<Record<string, unknown>>
}

export type Part =
  | { readonly type: 'text'; readonly text: string }
  /** `arguments` is JSON text as the model wrote it. */
  | { readonly type: 'tool-call'; readonly id: string; readonly name: string; readonly arguments: string }
  | { readonly type: 'tool-result'; readonly id: string; readonly text: string; readonly isError: boolean }

export interface Tool {
  readonly name: string
  readonly description: string | undefined
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>
  readonly rest?: Readonly<Record<string, unknown>>
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

export interface Sampling {
  /** Upper bound of generated tokens. */
  readonly maxTokens?: number
  readonly temperature?: number
  readonly topP?: number
  readonly stop?: readonly string[]
  readonly seed?: number
}
