import { randomUUID } from 'node:crypto'
import { promptTokenCount, tokenCount } from './answer.ts'
import { proofOf, sealed } from './claude-proof.ts'
import type { ClaudeRequest } from './claude-request.ts'
import { generate, type Generated } from './generate.ts'
import { paced, type Pace } from './pace.ts'
import { json, type BodyReply, type Piece, type StreamReply } from './service.ts'

/** Answers with one document. */
export async function claudeBody(request: ClaudeRequest, pace: Pace, signal: AbortSignal): Promise<BodyReply> {
  const made = generate(request.prompt, request.stop, request.maxTokens)
  for await (const _piece of paced(made.pieces, pace, signal));
  const { answer } = made
  const said =
    answer.kind === 'text'
      ? answer.text === ''
        ? []
        : [{ type: 'text', text: answer.text }]
      : [{ type: 'tool_use', id: toolId(), name: answer.name, input: inputOf(answer.arguments) }]
  return json(
    200,
    { ...head(request), content: [...thoughts(request), ...said], ...stopOf(made), usage: usageOf(made, request) },
    { 'request-id': requestId() },
  )
}

/** Answers with server-sent events. */
export function claudeStream(request: ClaudeRequest, pace: Pace, signal: AbortSignal): StreamReply {
  return {
    status: 200,
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'request-id': requestId(),
    },
    pieces: stream(request, pace, signal),
  }
}

/** Answers how long the prompt is. */
export function claudeCount(request: ClaudeRequest): BodyReply {
  return json(200, { input_tokens: promptTokenCount(request.prompt) }, { 'request-id': requestId() })
}

/** One event in Anthropic's framing. */
export function claudeEvent(type: string, fields: object = {}): Uint8Array {
  return Buffer.from(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`)
}

export function requestId(): string {
  return `req_${randomUUID().replaceAll('-', '').slice(0, 24)}`
}

async function* stream(request: ClaudeRequest, pace: Pace, signal: AbortSignal): AsyncGenerator<Piece> {
  const made = generate(request.prompt, request.stop, request.maxTokens)
  const at = request.thinks === 'no' ? 0 : 1
  let isBegun = false
  for await (const piece of paced(made.pieces, pace, signal)) {
    if (!isBegun) yield* opening(request, made, at)
    isBegun = true
    const delta =
      made.answer.kind === 'text'
        ? { type: 'text_delta', text: piece }
        : { type: 'input_json_delta', partial_json: piece }
    yield event('content_block_delta', { index: at, delta }, true)
  }
  if (signal.aborted) return
  if (!isBegun) yield* opening(request, made, at)
  yield event('content_block_stop', { index: at })
  yield event('message_delta', { delta: stopOf(made), usage: usageOf(made, request) })
  yield event('message_stop')
}

function* opening(request: ClaudeRequest, made: Generated, at: number): Generator<Piece> {
  const usage = { ...usageOf(made, request), output_tokens: 1 }
  const message = { ...head(request), content: [], stop_reason: null, stop_sequence: null, usage }
  yield event('message_start', { message })
  yield event('ping')
  for (const thought of thoughts(request)) yield* thoughtEvents(thought)
  const { answer } = made
  const block =
    answer.kind === 'text'
      ? { type: 'text', text: '' }
      : { type: 'tool_use', id: toolId(), name: answer.name, input: {} }
  yield event('content_block_start', { index: at, content_block: block }, answer.kind !== 'text')
}

type Thought =
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string }

function* thoughtEvents(thought: Thought): Generator<Piece> {
  if (thought.type === 'redacted_thinking')
    yield event('content_block_start', { index: 0, content_block: thought }, true)
  else {
    const { thinking, signature } = thought
    yield event('content_block_start', { index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } })
    yield event('content_block_delta', { index: 0, delta: { type: 'thinking_delta', thinking } }, true)
    yield event('content_block_delta', { index: 0, delta: { type: 'signature_delta', signature } })
  }
  yield event('content_block_stop', { index: 0 })
}

/** What the stand-in says that it thought: the question again, so that names in it come back. */
function thoughts({ thinks, prompt }: ClaudeRequest): readonly Thought[] {
  if (thinks === 'no') return []
  const thinking = `The user wants to know: ${prompt.turns.findLast(({ role }) => role === 'user')?.text ?? ''}`
  if (thinks === 'sealed') return [{ type: 'redacted_thinking', data: sealed(thinking) }]
  return [{ type: 'thinking', thinking, signature: proofOf(thinking) }]
}

function head({ model }: ClaudeRequest) {
  return { id: `msg_${randomUUID().replaceAll('-', '').slice(0, 24)}`, type: 'message', role: 'assistant', model }
}

function stopOf({ end, answer, stopSequence }: Generated) {
  const reason =
    end === 'length'
      ? 'max_tokens'
      : answer.kind === 'tool-call'
        ? 'tool_use'
        : end === 'stop-sequence'
          ? 'stop_sequence'
          : 'end_turn'
  return { stop_reason: reason, stop_sequence: stopSequence ?? null }
}

function usageOf({ inputTokens, outputTokens }: Generated, request: ClaudeRequest) {
  const thinking = thoughts(request).reduce(
    (sum, one) => sum + tokenCount('thinking' in one ? one.thinking : one.data),
    0,
  )
  return {
    input_tokens: inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: outputTokens + thinking,
    output_tokens_details: { thinking_tokens: thinking },
  }
}

/** Arguments that the token limit cut are no JSON any more: the service then gives an empty object. */
function inputOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

function toolId(): string {
  return `toolu_${randomUUID().replaceAll('-', '').slice(0, 24)}`
}

function event(type: string, fields: object = {}, isContent = false): Piece {
  return { bytes: claudeEvent(type, fields), isContent }
}
