import { type Ask, textOfPart } from '#contract/ask.ts'
import type { LimitUnit } from '#contract/limit.ts'
import type { Target } from '#contract/target.ts'
import type { Need } from './limiter.ts'

/** Characters that a token stands for; the audit entry counts likewise where a target says nothing. */
const CHARS_PER_TOKEN = 4
/** An image of 1,092 x 1,092 pixels, by Anthropic's rule of width x height / 750. */
const TOKENS_PER_IMAGE = 1590
/** Tokens of an answer while nothing is known of those of its alias. */
const UNKNOWN_OUTPUT = 1024
/** How fast what is learnt follows what is seen. */
const LEARNING = 0.1

/** Millionths of a USD for a token, of the dearest target. */
export interface DearestPrice {
  readonly input: number
  readonly output: number
}

/** What a request is likely to need, by unit. */
export type Estimate = Readonly<Record<LimitUnit, Need>>

/** How long the answers of each alias are, learnt from those that were given. */
export class OutputLengths {
  readonly #average = new Map<string, number>()

  /** Twice the average, in tokens. */
  of(alias: string): number {
    const average = this.#average.get(alias)
    return average === undefined ? UNKNOWN_OUTPUT : Math.ceil(average * 2)
  }

  learn(alias: string, tokens: number): void {
    const average = this.#average.get(alias) ?? tokens
    this.#average.set(alias, average + (tokens - average) * LEARNING)
  }
}

export function estimate(ask: Ask, price: DearestPrice, learntOutput: number): Estimate {
  const isFree = ask.operation === 'count-tokens'
  const input = isFree ? 0 : inputTokens(ask)
  const output = isFree || ask.operation === 'embed' ? 0 : outputTokens(ask, learntOutput)
  return {
    requests: { sure: 1, guess: 0 },
    tokens: { sure: input, guess: output },
    microUsd: { sure: Math.ceil(input * price.input), guess: Math.ceil(output * price.output) },
  }
}

/** What a prompt comes to at least: its text, tools and images. */
export function inputTokens({ messages, tools }: Ask): number {
  let chars = tools.length === 0 ? 0 : JSON.stringify(tools).length
  let images = 0
  for (const { parts } of messages) {
    for (const part of parts) {
      chars += textOfPart(part).length
      if (part.type === 'image') images += 1
      else if (part.type === 'tool-result') images += part.images?.length ?? 0
    }
  }
  return Math.ceil(chars / CHARS_PER_TOKEN) + images * TOKENS_PER_IMAGE
}

function outputTokens({ sampling }: Ask, learnt: number): number {
  const each = Math.min(sampling.maxTokens ?? Number.POSITIVE_INFINITY, learnt)
  return Math.ceil(Math.max(0, each) * Math.max(1, sampling.n ?? 1))
}

/** Prices are in USD a million tokens, which is millionths of a USD a token. */
export function dearestPrice(targets: readonly Target[]): DearestPrice {
  let input = 0
  let output = 0
  for (const { price } of targets) {
    input = Math.max(input, price.usdPerMillionInput, price.usdPerMillionCachedInput)
    output = Math.max(output, price.usdPerMillionOutput)
  }
  return { input, output }
}
