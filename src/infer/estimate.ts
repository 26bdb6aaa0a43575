import { type Ask, textOfPart } from '#contract/ask.ts'
import type { Batch } from '#contract/event.ts'

/** Characters of English that a token of today's vocabularies stands for: OpenAI's rule of thumb. */
const CHARS_PER_TOKEN = 4
/** What a vendor adds around each message: role and separators. */
const TOKENS_PER_MESSAGE = 4
/** An image of 1,092 x 1,092 pixels, by Anthropic's rule of width x height / 750. */
const TOKENS_PER_IMAGE = 1590

/** How long a request is, where its target can not be asked: counted from characters, and said to be an estimate. */
export function estimatedCount(ask: Ask): Batch {
  return [{ type: 'token-count', tokens: estimatedTokens(ask), estimated: true }, { type: 'end' }]
}

/** Tokens of the prompt, images included. */
export function estimatedTokens({ messages, tools }: Ask): number {
  let chars = tools.reduce((sum, tool) => sum + JSON.stringify(tool).length, 0)
  let images = 0
  for (const { parts } of messages) {
    for (const part of parts) {
      chars += textOfPart(part).length
      if (part.type === 'image') images += 1
    }
  }
  return Math.ceil(chars / CHARS_PER_TOKEN) + TOKENS_PER_MESSAGE * messages.length + TOKENS_PER_IMAGE * images
}
