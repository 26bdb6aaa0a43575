import type { Target } from '#contract/target.ts'

/** What is asked of the service: an answer as one document, one as a stream, or the length of the prompt. */
export type Call = 'whole' | 'stream' | 'count'

/** In what those differ who serve Claude in Anthropic's format. */
export interface Flavour {
  readonly url: (target: Target, call: Call) => string
  readonly headers: Readonly<Record<string, string>>
  /** Fields of the body that name the model or the version of the format. */
  readonly head: (target: Target, call: Call) => object
  /** Flags of `anthropic-beta` that are known there; others are refused there, so they are left out. */
  readonly betas: ReadonlySet<string>
  /** Where the flags stand. */
  readonly betasIn: 'header' | 'body'
  /** Unknown fields of the request that it takes from callers of this format. Undefined: all. */
  readonly rest: ReadonlySet<string> | undefined
  /** Whether tools may have fields beyond name, description, schema and `strict`. */
  readonly toolRest: boolean
  /** Whether `thinking.display` is known there. */
  readonly display: boolean
  /** Whether it fetches images itself. */
  readonly imageUrls: boolean
}
