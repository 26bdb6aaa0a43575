import type { Family } from './ask.ts'

/** The events that arrived together: one hop through the stages for all of them. */
export type Batch = readonly Event[]

/** One step of an answer, free of any dialect. `choice` counts from 0. */
export type Event =
  | { readonly type: 'start'; readonly id: string; readonly model: string }
  | { readonly type: 'text-delta'; readonly choice: number; readonly text: string }
  | { readonly type: 'reasoning-delta'; readonly choice: number; readonly text: string }
  /** Ends what was thought so far with its vendor's proof. */
  | {
      readonly type: 'reasoning-signature'
      readonly choice: number
      readonly signature: string
      readonly family: Family
    }
  /** What was thought, sealed by its vendor. */
  | { readonly type: 'reasoning-sealed'; readonly choice: number; readonly data: string; readonly family: Family }
  | {
      readonly type: 'tool-call-start'
      readonly choice: number
      /** Position among the tool calls of this choice, from 0. */
      readonly index: number
      readonly id: string
      readonly name: string
      /** Gemini's proof for the call, which it wants back with it. */
      readonly signature?: string
    }
  /** A piece of the JSON text of the arguments. */
  | { readonly type: 'tool-call-delta'; readonly choice: number; readonly index: number; readonly arguments: string }
  /** Log-probabilities of the tokens that the text so far was made of, in OpenAI's shape. */
  | { readonly type: 'logprobs'; readonly choice: number; readonly tokens: readonly TokenLogprob[] }
  | {
      readonly type: 'finish'
      readonly choice: number
      readonly reason: FinishReason
      /** The stop sequence that was met, where the target says. */
      readonly stopSequence?: string
    }
  /** The vector of the message at `index`: numbers, or 32-bit floats in Base64 (little endian). */
  | { readonly type: 'embedding'; readonly index: number; readonly vector: readonly number[] | string }
  /** How long the messages are. `estimated`: counted here from their characters. */
  | { readonly type: 'token-count'; readonly tokens: number; readonly estimated: boolean }
  | { readonly type: 'usage'; readonly usage: Usage }
  /** The upstream said that it is done. An answer without it was cut. */
  | { readonly type: 'end' }

export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'refusal'

export interface TokenLogprob {
  readonly token: string
  readonly logprob: number
  readonly bytes: readonly number[] | null
  readonly top_logprobs: readonly {
    readonly token: string
    readonly logprob: number
    readonly bytes: readonly number[] | null
  }[]
}

/** Tokens in disjoint buckets: a token is counted in one of them only. */
export interface Usage {
  readonly input: number
  readonly cachedRead: number
  readonly cachedWrite: number
  readonly output: number
  readonly reasoning: number
}

export const NO_USAGE: Usage = { cachedRead: 0, cachedWrite: 0, input: 0, output: 0, reasoning: 0 }

/** Whether the event carries something of the answer itself: the first such event is the commit point. */
export function isContent(event: Event): boolean {
  return (
    event.type === 'text-delta' ||
    event.type === 'reasoning-delta' ||
    event.type === 'tool-call-start' ||
    event.type === 'tool-call-delta' ||
    event.type === 'reasoning-sealed' ||
    event.type === 'embedding' ||
    event.type === 'token-count'
  )
}
