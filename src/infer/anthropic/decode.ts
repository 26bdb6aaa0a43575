import type { Ask } from '#contract/ask.ts'
import type { Event, FinishReason, Usage } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import { DocumentDecoder } from '#infer/document-decoder.ts'
import { type Decoder, keepingEvents } from '#infer/provider.ts'
import { asCount, asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { SseDecoder } from '#kit/sse.ts'
import { inBandError } from './error.ts'

type Fields = Readonly<Record<string, unknown>>

export function decoder(ask: Ask): Decoder {
  if (ask.operation === 'count-tokens') return new DocumentDecoder(readCount)
  return ask.stream ? new StreamDecoder() : new DocumentDecoder(readWhole)
}

/** Server-sent events, ended by `message_stop`. */
class StreamDecoder implements Decoder {
  failure: Refusal | undefined
  readonly #sse = new SseDecoder()
  readonly #state = newState()

  push(bytes: Uint8Array): Event[] {
    const events: Event[] = []
    this.failure = keepingEvents(events, () => {
      for (const { data } of this.#sse.push(bytes)) {
        if (this.#state.done) return
        const event = asRecord(parseJson(data))
        if (event === undefined) throw malformed()
        step(this.#state, event, events)
      }
    })
    return events
  }

  end(): Event[] {
    if (this.#state.done) return []
    throw new Refusal('INFER_CUT', 'the upstream closed the stream before it was done')
  }
}

interface State {
  /** Open content blocks by their position. */
  readonly blocks: Map<number, OpenBlock>
  tools: number
  usage: Fields
  finished: boolean
  done: boolean
}

interface OpenBlock {
  readonly type: string
  /** Position among the tool calls. */
  readonly tool: number
  signature: string
  /** Whether a tool's arguments have begun; and what stood in its start. */
  hasInput: boolean
  readonly input: unknown
}

function newState(): State {
  return { blocks: new Map(), tools: 0, usage: {}, finished: false, done: false }
}

/** One event of the stream: appends what it says to `events`. Kinds that are not known say nothing. */
function step(state: State, event: Fields, events: Event[]): void {
  const type = asText(event['type'])
  if (type === 'error' || asRecord(event['error']) !== undefined) throw inBandError(event['error'])
  const at = asCount(event['index'])
  if (type === 'message_start') messageStart(state, asRecord(event['message']) ?? {}, events)
  else if (type === 'content_block_start') blockStart(state, at, asRecord(event['content_block']) ?? {}, events)
  else if (type === 'content_block_delta') blockDelta(state.blocks.get(at), asRecord(event['delta']) ?? {}, events)
  else if (type === 'content_block_stop') blockStop(state, at, events)
  else if (type === 'message_delta') messageDelta(state, event, events)
  else if (type === 'message_stop') messageStop(state, events)
}

function messageStart(state: State, message: Fields, events: Event[]): void {
  mergeUsage(state, message['usage'])
  events.push({ type: 'start', id: asText(message['id']) ?? '', model: asText(message['model']) ?? '' })
}

function blockStart(state: State, at: number, block: Fields, events: Event[]): void {
  const type = asText(block['type']) ?? ''
  const isTool = type === 'tool_use'
  const open = { type, tool: state.tools, signature: '', hasInput: false, input: block['input'] }
  state.blocks.set(at, open)
  if (isTool) {
    state.tools += 1
    const id = asText(block['id']) ?? `call_${crypto.randomUUID()}`
    events.push({ type: 'tool-call-start', choice: 0, index: open.tool, id, name: asText(block['name']) ?? '' })
  } else if (type === 'redacted_thinking') {
    const data = asText(block['data'])
    if (data !== undefined && data !== '')
      events.push({ type: 'reasoning-sealed', choice: 0, data, family: 'anthropic' })
  } else blockDelta(open, block, events)
}

/** A delta, or the beginning of a block: both name their content alike. */
function blockDelta(open: OpenBlock | undefined, delta: Fields, events: Event[]): void {
  const text = asText(delta['text'])
  if (text !== undefined && text !== '') events.push({ type: 'text-delta', choice: 0, text })
  const thinking = asText(delta['thinking'])
  if (thinking !== undefined && thinking !== '') events.push({ type: 'reasoning-delta', choice: 0, text: thinking })
  if (open === undefined) return
  open.signature += asText(delta['signature']) ?? ''
  const input = asText(delta['partial_json'])
  if (input === undefined || input === '' || open.type !== 'tool_use') return
  open.hasInput = true
  events.push({ type: 'tool-call-delta', choice: 0, index: open.tool, arguments: input })
}

/** Closes a thought with its proof, and gives a call without arguments the empty object that it means. */
function blockStop(state: State, at: number, events: Event[]): void {
  const open = state.blocks.get(at)
  if (open === undefined) return
  state.blocks.delete(at)
  if (open.signature !== '')
    events.push({ type: 'reasoning-signature', choice: 0, signature: open.signature, family: 'anthropic' })
  if (open.type === 'tool_use' && !open.hasInput) {
    const args = JSON.stringify(asRecord(open.input) ?? {})
    events.push({ type: 'tool-call-delta', choice: 0, index: open.tool, arguments: args })
  }
}

function messageDelta(state: State, event: Fields, events: Event[]): void {
  mergeUsage(state, event['usage'])
  const delta = asRecord(event['delta']) ?? {}
  const reason = asText(delta['stop_reason'])
  if (reason === undefined || state.finished) return
  state.finished = true
  const stopSequence = asText(delta['stop_sequence'])
  const finish = { type: 'finish', choice: 0, reason: FINISH_REASONS[reason] ?? 'stop' } as const
  events.push(stopSequence === undefined ? finish : { ...finish, stopSequence })
}

function messageStop(state: State, events: Event[]): void {
  // A message that stops without a reason was not finished by the model.
  if (!state.finished) throw new Refusal('INFER_CUT', 'the upstream ended the stream without a stop reason')
  state.done = true
  events.push({ type: 'usage', usage: usageOf(state.usage) }, { type: 'end' })
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool-calls',
  refusal: 'refusal',
}

/** Later counts replace earlier ones field by field: each is the whole so far, and some are said once only. */
function mergeUsage(state: State, value: unknown): void {
  const said = Object.entries(asRecord(value) ?? {}).filter(([, count]) => count !== null)
  state.usage = { ...state.usage, ...Object.fromEntries(said) }
}

/** `input_tokens` leaves cached ones out already; thoughts are inside `output_tokens`. */
function usageOf(usage: Fields): Usage {
  const output = asCount(usage['output_tokens'])
  const reasoning = Math.min(output, asCount(asRecord(usage['output_tokens_details'])?.['thinking_tokens']))
  return {
    cachedRead: asCount(usage['cache_read_input_tokens']),
    cachedWrite: asCount(usage['cache_creation_input_tokens']),
    input: asCount(usage['input_tokens']),
    output: output - reasoning,
    reasoning,
  }
}

/** What `count_tokens` answers with. */
function readCount(document: unknown): Event[] {
  const tokens = asRecord(document)?.['input_tokens']
  if (typeof tokens !== 'number') throw new Refusal('INFER_UNAVAILABLE', 'the upstream sent no count of tokens')
  return [{ type: 'token-count', tokens, estimated: false }, { type: 'end' }]
}

/** One JSON document: the same steps as in a stream. */
function readWhole(parsed: unknown): Event[] {
  const message = asRecord(parsed)
  if (message === undefined || asText(message['stop_reason']) === undefined || !Array.isArray(message['content']))
    throw malformed()
  const state = newState()
  const events: Event[] = []
  messageStart(state, message, events)
  for (const [at, item] of asList(message['content']).entries()) {
    const block = asRecord(item) ?? {}
    blockStart(state, at, block, events)
    blockStop(state, at, events)
  }
  messageDelta(state, { delta: message }, events)
  messageStop(state, events)
  return events
}

function malformed(): Refusal {
  return new Refusal('INFER_UNAVAILABLE', "the upstream sent something that is not an answer in Anthropic's format")
}
