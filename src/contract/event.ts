/** The events that arrived together: one hop through the stages for all of them. */
export type Batch = readonly Event[]

/** One step of an answer, free of any dialect. `choice` counts from 0. */
export type Event =
  | { readonly type: 'start'; readonly id: string; readonly model: string }
  | { readonly type: 'text-delta'; readonly choice: number; readonly text: string }
  | { readonly type: 'reasoning-delta'; readonly choice: number; readonly text: string }
  | {
      readonly type: 'tool-call-start'
      readonly choice: number
      /** Position among the tool calls of this choice, from 0. */
      readonly index: number
      readonly id: string
      readonly name: string
    }
  /** A piece of the JSON text of the arguments. */
  | { readonly type: 'tool-call-delta'; readonly choice: number; readonly index: number; readonly arguments: string }
  | { readonly type: 'finish'; readonly choice: number; readonly reason: FinishReason }
  | { readonly type: 'usage'; readonly usage: Usage }
  /** The upstream said that it is done. An answer without it was cut. */
  | { readonly type: 'end' }

export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter'

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
    event.type === 'tool-call-delta'
  )
}
