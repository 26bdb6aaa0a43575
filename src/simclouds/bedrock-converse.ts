import { randomInt, randomUUID } from 'node:crypto'
import { encodeEventStreamMessage } from '#kit/event-stream.ts'
import type { ConverseRequest } from './bedrock-request.ts'
import { generate, type Generated } from './generate.ts'
import { paced, type Pace } from './pace.ts'
import { json, type BodyReply, type Piece, type StreamReply } from './service.ts'

const PADDING = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

/** Answers Converse. */
export async function converseBody(request: ConverseRequest, pace: Pace, signal: AbortSignal): Promise<BodyReply> {
  const startMs = performance.now()
  const made = generate(request.prompt, request.stop, request.maxTokens)
  for await (const _piece of paced(made.pieces, pace, signal));
  return json(
    200,
    {
      output: { message: { role: 'assistant', content: [blockOf(made)] } },
      stopReason: stopReason(made),
      usage: usageOf(made),
      metrics: { latencyMs: latencySince(startMs) },
    },
    { 'x-amzn-requestid': randomUUID() },
  )
}

/** Answers ConverseStream. */
export function converseStream(request: ConverseRequest, pace: Pace, signal: AbortSignal): StreamReply {
  return {
    status: 200,
    headers: { 'content-type': 'application/vnd.amazon.eventstream', 'x-amzn-requestid': randomUUID() },
    pieces: stream(request, pace, signal),
  }
}

/** An exception inside a stream. */
export function exceptionFrame(type: string, message: string): Uint8Array {
  return encodeEventStreamMessage(
    { ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' },
    Buffer.from(JSON.stringify({ message })),
  )
}

/** A frame whose checksum is wrong. */
export function brokenFrame(): Uint8Array {
  const frame = eventFrame('contentBlockDelta', { delta: { text: 'broken' }, contentBlockIndex: 0 })
  frame[frame.length - 1] = (frame[frame.length - 1] ?? 0) ^ 0xff
  return frame
}

async function* stream(request: ConverseRequest, pace: Pace, signal: AbortSignal): AsyncGenerator<Piece> {
  const startMs = performance.now()
  const made = generate(request.prompt, request.stop, request.maxTokens)
  let isBegun = false
  for await (const piece of paced(made.pieces, pace, signal)) {
    if (!isBegun) yield* opening(made)
    isBegun = true
    // A tool without arguments gives no delta at all.
    if (made.answer.kind === 'tool-call' && made.answer.arguments === '{}') continue
    const delta = made.answer.kind === 'text' ? { text: piece } : { toolUse: { input: piece } }
    yield event('contentBlockDelta', { delta, contentBlockIndex: 0 }, true)
  }
  if (signal.aborted) return
  if (!isBegun) yield* opening(made)
  yield event('contentBlockStop', { contentBlockIndex: 0 }, false)
  yield event('messageStop', { stopReason: stopReason(made) }, false)
  yield event('metadata', { usage: usageOf(made), metrics: { latencyMs: latencySince(startMs) } }, false)
}

/** A text block has no start event; a tool's has, with its name. */
function* opening(made: Generated): Generator<Piece> {
  yield event('messageStart', { role: 'assistant' }, false)
  if (made.answer.kind === 'text') return
  const start = { toolUse: { toolUseId: toolUseId(), name: made.answer.name } }
  yield event('contentBlockStart', { start, contentBlockIndex: 0 }, true)
}

function blockOf(made: Generated): unknown {
  const { answer } = made
  if (answer.kind === 'text') return { text: answer.text }
  return { toolUse: { toolUseId: toolUseId(), name: answer.name, input: argumentsOf(answer.arguments) } }
}

/** Arguments that the token limit cut are no JSON any more: the service then gives an empty object. */
function argumentsOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

function stopReason(made: Generated): string {
  if (made.end === 'length') return 'max_tokens'
  if (made.answer.kind === 'tool-call') return 'tool_use'
  return made.end === 'stop-sequence' ? 'stop_sequence' : 'end_turn'
}

function usageOf(made: Generated) {
  return {
    inputTokens: made.inputTokens,
    outputTokens: made.outputTokens,
    totalTokens: made.inputTokens + made.outputTokens,
    cacheReadInputTokens: 0,
    cacheWriteInputTokens: 0,
  }
}

function event(type: string, payload: object, isContent: boolean): Piece {
  return { bytes: eventFrame(type, payload), isContent }
}

/** `p` is padding of random length, so that the size of a frame does not tell the size of a token. */
function eventFrame(type: string, payload: object): Uint8Array {
  return encodeEventStreamMessage(
    { ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' },
    Buffer.from(JSON.stringify({ ...payload, p: PADDING.slice(0, randomInt(1, PADDING.length)) })),
  )
}

function toolUseId(): string {
  return `tooluse_${randomUUID().replaceAll('-', '').slice(0, 22)}`
}

function latencySince(startMs: number): number {
  return Math.round(performance.now() - startMs)
}
