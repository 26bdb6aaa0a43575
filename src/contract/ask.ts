/** What a caller wants, free of any dialect. Decoders in wire/ make it, encoders in infer/ read it. */
export interface Ask {
  readonly dialect: Dialect
  /** What is to be done with the messages. Default `generate`. */
  readonly operation?: Operation
  /** The model alias that the client named. */
  readonly alias: string
  readonly stream: boolean
  readonly messages: readonly Message[]
  readonly tools: readonly Tool[]
  readonly toolChoice: ToolChoice | undefined
  /** False: the model may call one tool at a time only. Undefined: as the target likes. */
  readonly parallelTools?: boolean
  readonly sampling: Sampling
  /** The form of the answer's text. Undefined: prose. */
  readonly format?: OutputFormat
  /** How much the model is to think before it answers. Undefined: as the target likes. */
  readonly reasoning?: ReasoningAsk
  /** Log-probabilities of the answer's tokens, with so many alternatives each. Undefined: none. */
  readonly logprobs?: number
  /** Length of each vector, for `embed`. Undefined: the model's own. */
  readonly dimensions?: number
  /** How the caller wants vectors: numbers, or 32-bit floats in Base64. Default `float`. */
  readonly vectorFormat?: 'float' | 'base64'
  /** The answer that this request goes on from; what was said up to it is known here. */
  readonly previous?: string
  /** Whether the caller wants the answer kept, so that a later request can go on from it. */
  readonly store?: boolean
  /** Flags of Anthropic's `anthropic-beta` header. */
  readonly betas?: readonly string[]
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

export type Dialect = 'openai-chat' | 'openai-responses' | 'openai-embeddings' | 'anthropic-messages'

/** `embed`: each message is one text to be embedded. `count-tokens`: how long the messages are for the model. */
export type Operation = 'generate' | 'embed' | 'count-tokens'

export type OutputFormat =
  | { readonly type: 'json' }
  | {
      readonly type: 'schema'
      readonly name: string
      /** JSON Schema of the answer. */
      readonly schema: Readonly<Record<string, unknown>>
      readonly strict: boolean | undefined
      readonly description?: string
    }

export type Effort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max'

/** One of the two is given at least; vendors know one or the other. */
export interface ReasoningAsk {
  readonly effort?: Effort
  /** Tokens to think with; 0 forbids it. */
  readonly budget?: number
  /** The model decides how long it thinks. */
  readonly adaptive?: boolean
  /** The caller wants no summary of what was thought. */
  readonly hidden?: boolean
}

export interface GroundAsk {
  /** Everything that is asked, by name: collections, `sql:NAME` for each query, `items:NAME` for each table. */
  readonly collections: readonly string[]
  readonly topK: number | undefined
  readonly sql: readonly SqlAsk[]
  readonly items: readonly ItemAsk[]
}

/** A query of the data plane, with the values of its parameters. */
export interface SqlAsk {
  readonly name: string
  readonly params: Readonly<Record<string, unknown>>
}

/** An item of a table of the data plane. */
export interface ItemAsk {
  readonly table: string
  readonly key: Readonly<Record<string, unknown>>
}

export type Role = 'system' | 'user' | 'assistant' | 'tool'

export interface Message {
  readonly role: Role
  readonly parts: readonly Part[]
  /** Unknown fields of the message (`name`, `cache_control`, ...), for a target of the same dialect. */
  readonly rest?: Readonly<Record<string, unknown>>
}

export type Part = PartContent & {
  /** The caller marked the prompt up to here as worth caching, for so long. */
  readonly cache?: CacheTtl
  /** Unknown fields of the part, for a target of the same dialect. */
  readonly rest?: Readonly<Record<string, unknown>>
}

export type CacheTtl = '5m' | '1h'

export type PartOf<Type extends Part['type']> = Extract<Part, { readonly type: Type }>

export type PartContent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly source: ImageSource; readonly detail?: string }
  /**
   * What a model thought in an earlier turn. `signature` is its vendor's proof and `data` its sealed form; empty when
   * there is none. Only targets of the same family can read them.
   */
  | {
      readonly type: 'reasoning'
      readonly text: string
      readonly signature: string
      readonly data: string
      readonly family: Family
    }
  /**
   * `arguments` is JSON text as the model wrote it. `signature` is the proof that Gemini gives for a call and wants back
   * with it.
   */
  | {
      readonly type: 'tool-call'
      readonly id: string
      readonly name: string
      readonly arguments: string
      readonly signature?: string
    }
  | {
      readonly type: 'tool-result'
      readonly id: string
      readonly text: string
      readonly isError: boolean
      readonly images?: readonly ImageSource[]
    }

/** The text of a part that detectors read: what was said, called, or answered. Empty for images. */
export function textOfPart(part: Part): string {
  switch (part.type) {
    case 'text':
    case 'tool-result':
    case 'reasoning':
      return part.text
    case 'tool-call':
      return part.arguments
    case 'image':
      return part.source.kind === 'url' ? part.source.url : ''
  }
}

export type ImageSource =
  | { readonly kind: 'data'; readonly mediaType: string; readonly base64: string }
  /** For targets that fetch it themselves: nothing here does. */
  | { readonly kind: 'url'; readonly url: string }

/** Whose proofs a signature belongs to; empty: nobody's. */
export type Family = 'anthropic' | 'gemini' | ''

export interface Tool {
  readonly name: string
  readonly description: string | undefined
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>
  readonly strict?: boolean
  readonly cache?: CacheTtl
  readonly rest?: Readonly<Record<string, unknown>>
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

export interface Sampling {
  /** Upper bound of generated tokens. */
  readonly maxTokens?: number
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly frequencyPenalty?: number
  readonly presencePenalty?: number
  readonly stop?: readonly string[]
  readonly seed?: number
  /** Answers wanted to one prompt. Undefined: one. */
  readonly n?: number
}
