import type { SqlAsk } from './ask.ts'
import type { Credential } from './crossing.ts'
import type { Place } from './place.ts'
import type { Routing } from './route.ts'

/** Which wire format a target speaks. One folder of infer/ each. */
export type ProviderName =
  | 'openai-compatible'
  | 'openai'
  | 'azure-openai'
  | 'anthropic'
  | 'bedrock'
  | 'vertex-claude'
  | 'vertex-gemini'

/** One deployment of a model in one cloud and region. */
export interface Target {
  readonly name: string
  readonly provider: ProviderName
  readonly place: Place
  /**
   * Base URL. OpenAI-compatible, OpenAI and Anthropic: up to and without `/v1`. Azure: up to and without `/openai/v1`.
   * Bedrock: the regional endpoint. Vertex: up to and with `/projects/P/locations/L`.
   */
  readonly endpoint: string
  /** The model's name at the target. */
  readonly model: string
  readonly credential: Credential
  readonly price: Price
  readonly deadlines: Deadlines
  /** True when a stand-in answers: said in `/v1/models` and on the status page. */
  readonly simulated: boolean
  /** What the target was approved for, such as `hipaa-baa`: for policies. */
  readonly tags: readonly string[]
  /** Where the place lies, when the region table does not know it or it differs. */
  readonly jurisdiction: string | undefined
  /** Set where it sleeps when nobody asks. */
  readonly scaling?: Scaling | undefined
  /** Set where the server is vLLM. */
  readonly vllm?: Vllm | undefined
  /** Targets of one pool hold the same model, each with a cache of its own. */
  readonly pool?: string | undefined
}

/** A target that scales to zero. The figures are what is assumed until enough has been seen. */
export interface Scaling {
  /** Milliseconds without a request after which it sleeps. Default 900,000: Cloud Run keeps idle instances up to 15 min. */
  readonly idleMs: number
  /** Median cold start in milliseconds. Default 25,000: an 8B model streamed onto an L4. */
  readonly coldStartMs: number
  /** Asked to wake it, and held until it is ready. Default `/health`. */
  readonly wakePath: string
  /** Requests within `idleMs` that make waking it worthwhile. Default 1. */
  readonly wakeAtRequests: number
  /** When it is kept awake. */
  readonly calendar: readonly WarmWindow[]
}

/** A time of the week in which a target is kept awake. */
export interface WarmWindow {
  /** 0 is Sunday. */
  readonly days: readonly number[]
  /** Minutes of the day; a window that ends before it begins goes over midnight. */
  readonly fromMinute: number
  readonly toMinute: number
  readonly timeZone: string
}

export interface Vllm {
  /** Where its metrics are; empty: they are not read. Default `/metrics`. */
  readonly metricsPath: string
  /** Milliseconds between two readings while it is in use. Default 1,000. */
  readonly everyMs: number
  /** Whether each tenant's prefixes are cached apart. Default true. */
  readonly cacheSalt: boolean
  /** Requests at once above which another shard is better. Default 16. */
  readonly maxConcurrent: number
}

/** USD for a million tokens, with where the figure comes from and when it was read. */
export interface Price {
  readonly usdPerMillionInput: number
  readonly usdPerMillionCachedInput: number
  readonly usdPerMillionOutput: number
  readonly source: string
  /** False: nobody gave a price, and the zeros mean nothing. */
  readonly isKnown: boolean
}

/** Milliseconds, each counted separately. */
export interface Deadlines {
  /** Until the connection stands. Default 2,000. */
  readonly connectMs: number
  /** From the request to the first content. Default 60,000. */
  readonly firstTokenMs: number
  /** The longest gap between two pieces once content flows. Default 30,000. */
  readonly idleMs: number
  /** The whole call. Default 600,000. */
  readonly totalMs: number
}

/** A name that clients use, with the targets behind it in order of preference. */
export interface Alias {
  readonly name: string
  readonly targets: readonly string[]
  /** What grounds every request to this alias: collections, and `sql:NAME` for each query. */
  readonly collections: readonly string[]
  /** Queries whose rows ground every request. */
  readonly sql: readonly SqlAsk[]
  /** Passages to fetch when grounded. Default 6. */
  readonly topK: number
  /** Jurisdiction label that policies can read, such as `EU`; empty when none. */
  readonly residency: string
  /** What it is for, when the caller does not say; empty when nothing. */
  readonly purpose: string
  /** Free labels for policies. */
  readonly tags: readonly string[]
  /** USD that one caller may spend a day (UTC); policies read how near it is. Undefined: no budget. */
  readonly usdPerCallerAndDay: number | undefined
  readonly routing: Routing
  /** Answers are kept for whoever asks exactly the same; undefined: none is. */
  readonly cache: { readonly seconds: number } | undefined
}
