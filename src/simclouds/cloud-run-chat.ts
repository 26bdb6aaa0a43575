import { randomUUID } from 'node:crypto'
import type { ChatRequest } from './cloud-run-request.ts'
import { generate, type Generated } from './generate.ts'
import type { Speech } from './vllm-engine.ts'
import { json, type BodyReply, type Piece, type StreamReply } from './service.ts'

/** Counts what the server has done, for `/metrics`. */
export interface ChatMeter {
  running: number
  promptTokens: number
  generationTokens: number
  readonly finished: Map<string, number>
}

/** How an answer is spoken: at a steady pace, or as the engine gets to it. */
export type Speak = (request: ChatRequest, made: Generated, signal: AbortSignal) => Speech

const FINGERPRINT = 'simulated-thinplane-extractive-1'

/** Answers a chat request in vLLM's shapes, as one body. */
export async function chatBody(
  request: ChatRequest,
  speak: Speak,
  meter: ChatMeter,
  signal: AbortSignal,
): Promise<BodyReply> {
  const made = generate(request.prompt, request.stop, request.maxTokens)
  const speech = speak(request, made, signal)
  meter.running += 1
  try {
    for await (const _piece of speech.pieces);
  } finally {
    meter.running -= 1
  }
  if (!signal.aborted) count(meter, made, speech, request)
  return json(200, {
    ...head(request, 'chat.completion'),
    choices: range(request.choices).map((index) => ({
      index,
      message: messageOf(made),
      logprobs: logprobsOf(made, made.pieces, request),
      finish_reason: finishReason(made, request),
      stop_reason: made.stopSequence ?? null,
    })),
    system_fingerprint: FINGERPRINT,
    usage: usageOf(made, speech, request),
  })
}

/** Answers a chat request in vLLM's shapes, as server-sent events. */
export function chatStream(request: ChatRequest, speak: Speak, meter: ChatMeter, signal: AbortSignal): StreamReply {
  // What is refused is refused before the stream begins.
  const made = generate(request.prompt, request.stop, request.maxTokens)
  const speech = speak(request, made, signal)
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
    pieces: stream(request, made, speech, meter, signal),
  }
}

async function* stream(
  request: ChatRequest,
  made: Generated,
  speech: Speech,
  meter: ChatMeter,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const start = head(request, 'chat.completion.chunk')
  const choices = range(request.choices)
  const chunk = (index: number, delta: unknown, isContent: boolean) =>
    event({ ...start, choices: [{ index, delta, logprobs: null, finish_reason: null }] }, isContent)
  meter.running += 1
  try {
    let isBegun = false
    for await (const piece of speech.pieces) {
      if (!isBegun) for (const index of choices) yield* opening(made, index, chunk)
      isBegun = true
      for (const index of choices)
        yield event(
          {
            ...start,
            choices: [
              { index, delta: deltaOf(made, piece), logprobs: logprobsOf(made, [piece], request), finish_reason: null },
            ],
          },
          true,
        )
    }
    if (signal.aborted) return
    if (!isBegun) for (const index of choices) yield* opening(made, index, chunk)
    for (const index of choices) yield closing(start, index, made, request)
    count(meter, made, speech, request)
    if (request.includeUsage) yield event({ ...start, choices: [], usage: usageOf(made, speech, request) }, false)
    yield { bytes: Buffer.from('data: [DONE]\n\n'), isContent: false }
  } finally {
    meter.running -= 1
  }
}

function* opening(
  made: Generated,
  index: number,
  chunk: (index: number, delta: unknown, isContent: boolean) => Piece,
): Generator<Piece> {
  yield chunk(index, { role: 'assistant', content: '' }, false)
  if (made.answer.kind === 'text') return
  const call = { id: callId(), type: 'function', index: 0, function: { name: made.answer.name } }
  yield chunk(index, { tool_calls: [call] }, true)
}

function closing(start: object, index: number, made: Generated, request: ChatRequest): Piece {
  const choice = {
    index,
    delta: made.answer.kind === 'text' ? { content: '' } : {},
    logprobs: null,
    finish_reason: finishReason(made, request),
    stop_reason: made.stopSequence ?? null,
  }
  return event({ ...start, choices: [choice], system_fingerprint: FINGERPRINT }, false)
}

function deltaOf(made: Generated, piece: string): unknown {
  return made.answer.kind === 'text'
    ? { content: piece }
    : { tool_calls: [{ index: 0, function: { arguments: piece } }] }
}

/** A sure model: each piece has probability one, and every other about none. */
function logprobsOf(made: Generated, pieces: readonly string[], { logprobs }: ChatRequest): unknown {
  if (logprobs === undefined || made.answer.kind !== 'text') return null
  const tokenOf = (token: string, logprob: number) => ({ token, logprob, bytes: [...Buffer.from(token)] })
  return {
    content: pieces.map((piece) => ({
      ...tokenOf(piece, 0),
      top_logprobs: range(logprobs).map((rank) => tokenOf(rank === 0 ? piece : `<${rank}>`, rank === 0 ? 0 : -9999)),
    })),
  }
}

function messageOf(made: Generated): unknown {
  const { answer } = made
  if (answer.kind === 'text') return { role: 'assistant', content: answer.text, refusal: null, reasoning: null }
  const call = { id: callId(), type: 'function', function: { name: answer.name, arguments: answer.arguments } }
  return { role: 'assistant', content: null, refusal: null, reasoning: null, tool_calls: [call] }
}

/** vLLM says `stop`, not `tool_calls`, when the request named the function. */
function finishReason(made: Generated, request: ChatRequest): 'stop' | 'length' | 'tool_calls' {
  if (made.end === 'length') return 'length'
  return made.answer.kind === 'tool-call' && !request.isToolForced ? 'tool_calls' : 'stop'
}

function usageOf(made: Generated, speech: Speech, request: ChatRequest): Record<string, unknown> {
  const completion = made.outputTokens * request.choices
  const cached = speech.cachedTokens()
  return {
    prompt_tokens: speech.promptTokens,
    total_tokens: speech.promptTokens + completion,
    completion_tokens: completion,
    // With --enable-prompt-tokens-details vLLM says how many were found, and nothing at all when none was.
    ...(cached > 0 && { prompt_tokens_details: { cached_tokens: cached } }),
  }
}

function count(meter: ChatMeter, made: Generated, speech: Speech, request: ChatRequest): void {
  meter.promptTokens += speech.promptTokens
  meter.generationTokens += made.outputTokens * request.choices
  const reason = made.end === 'length' ? 'length' : 'stop'
  meter.finished.set(reason, (meter.finished.get(reason) ?? 0) + 1)
}

function head(request: ChatRequest, object: string) {
  const id = `chatcmpl-${randomUUID().replaceAll('-', '')}`
  return { id, object, created: Math.floor(Date.now() / 1000), model: request.model }
}

function event(value: unknown, isContent: boolean): Piece {
  return { bytes: Buffer.from(`data: ${JSON.stringify(value)}\n\n`), isContent }
}

function callId(): string {
  return `chatcmpl-tool-${randomUUID().replaceAll('-', '')}`
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index)
}
