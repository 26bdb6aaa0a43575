import type { Ask } from '#contract/ask.ts'
import type { Event, FinishReason, Usage } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import { EventStreamDecoder, EventStreamError } from '#kit/event-stream.ts'
import { asCount, asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { DocumentDecoder } from '#infer/document-decoder.ts'
import { type Decoder, keepingEvents } from '#infer/provider.ts'
import { readEmbeddings } from './embed.ts'
import { streamException } from './error.ts'

type Fields = Readonly<Record<string, unknown>>

export function decoder(ask: Ask): Decoder {
  if (ask.operation === 'embed') return new DocumentDecoder((body) => readEmbeddings(body, ask.messages.length))
  if (ask.operation === 'count-tokens') return new DocumentDecoder(readCount)
  return ask.stream ? new StreamDecoder() : new DocumentDecoder(readWhole)
}

/** Event-stream frames; done means `messageStop` and `metadata`: a stream that stops between frames was cut. */
class StreamDecoder implements Decoder {
  failure: Refusal | undefined
  readonly #frames = new EventStreamDecoder()
  readonly #state: State = { toolIndex: -1, isEmptyCall: false, stopped: false, done: false }

  push(bytes: Uint8Array): Event[] {
    const events: Event[] = []
    this.failure = keepingEvents(events, () => {
      for (const { headers, payload } of this.#read(bytes)) {
        if (this.#state.done) return
        const body = asRecord(parseJson(Buffer.from(payload).toString('utf8'))) ?? {}
        if (headers[':message-type'] !== 'event')
          throw streamException(headers[':exception-type'] ?? headers[':error-code'] ?? '')
        step(this.#state, headers[':event-type'] ?? '', body, events)
      }
      if (this.#frames.failure !== undefined) throw brokenFrame(this.#frames.failure)
    })
    return events
  }

  end(): Event[] {
    if (this.#state.done) return []
    throw new Refusal('INFER_CUT', 'the upstream closed the stream before it was done')
  }

  #read(bytes: Uint8Array) {
    try {
      return this.#frames.push(bytes)
    } catch (error) {
      if (error instanceof EventStreamError) throw brokenFrame(error)
      throw error
    }
  }
}

function brokenFrame(cause: EventStreamError): Refusal {
  return new Refusal('INFER_UNAVAILABLE', 'the upstream sent a broken frame', { cause })
}

interface State {
  /** Position of the tool call that is being read, from 0. */
  toolIndex: number
  /** A call has begun and no argument came yet. */
  isEmptyCall: boolean
  stopped: boolean
  done: boolean
}

function step(state: State, type: string, body: Fields, events: Event[]): void {
  if (type === 'messageStart') events.push({ type: 'start', id: '', model: '' })
  else if (type === 'contentBlockStart') toolStart(state, asRecord(asRecord(body['start'])?.['toolUse']), events)
  else if (type === 'contentBlockDelta') delta(state, asRecord(body['delta']) ?? {}, events)
  else if (type === 'contentBlockStop') emptyCall(state, events)
  else if (type === 'messageStop') {
    state.stopped = true
    events.push(finish(body))
  } else if (type === 'metadata') {
    if (!state.stopped) throw new Refusal('INFER_CUT', 'the upstream ended the stream without a stop reason')
    state.done = true
    events.push({ type: 'usage', usage: usageOf(asRecord(body['usage']) ?? {}) }, { type: 'end' })
  }
}

function toolStart(state: State, toolUse: Fields | undefined, events: Event[]): void {
  if (toolUse === undefined) return
  state.toolIndex += 1
  state.isEmptyCall = true
  const id = asText(toolUse['toolUseId']) ?? `call_${state.toolIndex}`
  events.push({ type: 'tool-call-start', choice: 0, index: state.toolIndex, id, name: asText(toolUse['name']) ?? '' })
}

/** A call without arguments comes without any: it means the empty object. */
function emptyCall(state: State, events: Event[]): void {
  if (!state.isEmptyCall) return
  state.isEmptyCall = false
  events.push({ type: 'tool-call-delta', choice: 0, index: state.toolIndex, arguments: '{}' })
}

function delta(state: State, fields: Fields, events: Event[]): void {
  const text = asText(fields['text'])
  if (text !== undefined && text !== '') events.push({ type: 'text-delta', choice: 0, text })
  const thought = asRecord(fields['reasoningContent'])
  if (thought !== undefined) thoughtDelta(thought, events)
  const input = asText(asRecord(fields['toolUse'])?.['input'])
  if (input !== undefined && input !== '') {
    state.isEmptyCall = false
    events.push({ type: 'tool-call-delta', choice: 0, index: Math.max(0, state.toolIndex), arguments: input })
  }
}

/** Every family's proofs are Anthropic's here: no other signs its thoughts in this way. */
function thoughtDelta(thought: Fields, events: Event[]): void {
  const text = asText(thought['text'])
  if (text !== undefined && text !== '') events.push({ type: 'reasoning-delta', choice: 0, text })
  const signature = asText(thought['signature'])
  if (signature !== undefined && signature !== '')
    events.push({ type: 'reasoning-signature', choice: 0, signature, family: 'anthropic' })
  const data = asText(thought['redactedContent'])
  if (data !== undefined && data !== '') events.push({ type: 'reasoning-sealed', choice: 0, data, family: 'anthropic' })
}

/** What CountTokens answers with. */
function readCount(document: unknown): Event[] {
  const tokens = asRecord(document)?.['inputTokens']
  if (typeof tokens !== 'number') throw new Refusal('INFER_UNAVAILABLE', 'the upstream sent no count of tokens')
  return [{ type: 'token-count', tokens, estimated: false }, { type: 'end' }]
}

/** The document that Converse answers with. */
function readWhole(parsed: unknown): Event[] {
  const document = asRecord(parsed)
  const message = asRecord(asRecord(document?.['output'])?.['message'])
  if (document === undefined || message === undefined) {
    throw new Refusal('INFER_UNAVAILABLE', 'the upstream sent something that is not a Converse answer')
  }
  const state: State = { toolIndex: -1, isEmptyCall: false, stopped: false, done: false }
  const events: Event[] = []
  step(state, 'messageStart', {}, events)
  for (const item of asList(message['content'])) wholeBlock(state, asRecord(item) ?? {}, events)
  step(state, 'messageStop', document, events)
  step(state, 'metadata', document, events)
  return events
}

function wholeBlock(state: State, block: Fields, events: Event[]): void {
  const toolUse = asRecord(block['toolUse'])
  if (toolUse !== undefined) {
    toolStart(state, toolUse, events)
    delta(state, { toolUse: { input: JSON.stringify(toolUse['input'] ?? {}) } }, events)
    return
  }
  const reasoningText = asRecord(asRecord(block['reasoningContent'])?.['reasoningText'])
  delta(state, reasoningText === undefined ? block : { reasoningContent: reasoningText }, events)
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool-calls',
  guardrail_intervened: 'content-filter',
  content_filtered: 'content-filter',
}

/** Claude names the stop sequence that it met among its own fields. */
function finish(body: Fields): Event {
  const own = asRecord(body['additionalModelResponseFields'])
  const stopSequence = asText(own?.['stop_sequence']) ?? asText(asRecord(own?.['delta'])?.['stop_sequence'])
  const event = { type: 'finish', choice: 0, reason: finishReason(asText(body['stopReason']) ?? '') } as const
  return stopSequence === undefined ? event : { ...event, stopSequence }
}

function finishReason(reason: string): FinishReason {
  return FINISH_REASONS[reason] ?? 'stop'
}

/** `inputTokens` leaves cached ones out already. */
function usageOf(usage: Fields): Usage {
  return {
    cachedRead: asCount(usage['cacheReadInputTokens']),
    cachedWrite: asCount(usage['cacheWriteInputTokens']),
    input: asCount(usage['inputTokens']),
    output: asCount(usage['outputTokens']),
    reasoning: 0,
  }
}
