import type { Generated } from './engine.ts'

/** What every piece of one answer carries. */
export interface AnswerHead {
  readonly id: string
  readonly model: string
  readonly createdEpochS: number
}

/** One server-sent event with a piece of the answer. */
export function chunkEvent(
  head: AnswerHead,
  delta: { readonly role?: string; readonly content?: string },
  finish: string | null = null,
): string {
  return event(head, { choices: [{ index: 0, delta, finish_reason: finish }] })
}

/** The event with token counts, which has no choices. */
export function usageEvent(head: AnswerHead, generated: Generated): string {
  return event(head, { choices: [], usage: usageOf(generated) })
}

/** An error after the stream has begun: there is no status to say it with any more. */
export function errorEvent(message: string): string {
  return `data: ${JSON.stringify(errorBody(500, message))}\n\n`
}

export const DONE_EVENT = 'data: [DONE]\n\n'

/** The whole answer as one document. */
export function wholeAnswer({ id, model, createdEpochS }: AnswerHead, text: string, generated: Generated): object {
  return {
    id,
    object: 'chat.completion',
    created: createdEpochS,
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text },
        logprobs: null,
        finish_reason: finishReason(generated),
      },
    ],
    usage: usageOf(generated),
  }
}

/** OpenAI's word for how an answer ended. */
export function finishReason({ finish }: Generated): 'stop' | 'length' {
  return finish === 'length' ? 'length' : 'stop'
}

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  404: 'not_found_error',
  405: 'invalid_request_error',
  413: 'invalid_request_error',
  429: 'rate_limit_error',
}

/** OpenAI's body of an error. `code` is the status, as other servers of this kind write it. */
export function errorBody(status: number, message: string): object {
  return { error: { message, type: ERROR_TYPES[status] ?? 'server_error', param: null, code: status } }
}

function event({ id, model, createdEpochS }: AnswerHead, fields: object): string {
  return `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created: createdEpochS, model, ...fields })}\n\n`
}

function usageOf({ promptTokens, completionTokens }: Generated): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  }
}
