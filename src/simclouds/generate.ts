import { answer, piecesOf, promptTokenCount, tokenCount, type Answer, type Prompt } from './answer.ts'

/** What a simulated model generates, cut to the request's limits. */
export interface Generated {
  readonly answer: Answer
  /** Pieces of the text, or of the arguments' JSON. Joined they are the answer. */
  readonly pieces: readonly string[]
  /** Why it ended: by itself, by a stop sequence, or by the limit of tokens. */
  readonly end: 'stop' | 'stop-sequence' | 'length'
  /** The stop sequence that was met. */
  readonly stopSequence: string | undefined
  readonly inputTokens: number
  readonly outputTokens: number
}

/** Answers a prompt within its limits. One piece counts as one token for `maxTokens`. */
export function generate(prompt: Prompt, stop: readonly string[], maxTokens: number | undefined): Generated {
  const whole = answer(prompt)
  const inputTokens = promptTokenCount(prompt)
  const text = whole.kind === 'text' ? whole.text : whole.arguments
  const stopped = whole.kind === 'text' ? cutAtStop(text, stop) : { text, stopSequence: undefined }
  const all = piecesOf(stopped.text)
  const pieces = maxTokens === undefined ? all : all.slice(0, maxTokens)
  const isCut = pieces.length < all.length
  const kept = pieces.join('')
  return {
    answer: whole.kind === 'text' ? { kind: 'text', text: kept } : { ...whole, arguments: kept },
    pieces,
    end: isCut ? 'length' : stopped.stopSequence === undefined ? 'stop' : 'stop-sequence',
    stopSequence: isCut ? undefined : stopped.stopSequence,
    inputTokens,
    outputTokens: tokenCount(kept),
  }
}

function cutAtStop(text: string, stop: readonly string[]): { text: string; stopSequence: string | undefined } {
  const found = stop
    .map((sequence) => ({ sequence, at: sequence === '' ? -1 : text.indexOf(sequence) }))
    .filter(({ at }) => at !== -1)
    .toSorted((a, b) => a.at - b.at)[0]
  return found === undefined
    ? { text, stopSequence: undefined }
    : { text: text.slice(0, found.at), stopSequence: found.sequence }
}
