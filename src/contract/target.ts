import type { Credential } from './crossing.ts'
import type { Place } from './place.ts'

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
}

/** USD for a million tokens, with where the figure comes from and when it was read. */
export interface Price {
  readonly usdPerMillionInput: number
  readonly usdPerMillionCachedInput: number
  readonly usdPerMillionOutput: number
  readonly source: string
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
  /** Collections that ground every request to this alias. */
  readonly collections: readonly string[]
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
}
