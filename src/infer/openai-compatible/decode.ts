import type { Ask } from '#contract/ask.ts'
import { type Event, type FinishReason, NO_USAGE, type TokenLogprob, type Usage } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import { asCount, asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { SseDecoder } from '#kit/sse.ts'
import { DocumentDecoder } from '#infer/document-decoder.ts'
import { type Decoder, keepingEvents } from '#infer/provider.ts'
import { inBandError } from './error.ts'

export function decoder(ask: Ask): Decoder {
  if (ask.operation === 'embed') return new DocumentDecoder((body) => readEmbeddings(body, ask.messages.length))
  return ask.stream ? new StreamDecoder() : new DocumentDecoder(readWhole)
}

/** Server-sent chunks, ended by `[DONE]`. */
class StreamDecoder implements Decoder {
  readonly #sse = new SseDecoder()
  readonly #state: ChunkState = { started: false, finished: new Set() }
  failure: Refusal | undefined
  #done = false

  push(bytes: Uint8Array): Event[] {
    const events: Event[] = []
    this.failure = keepingEvents(events, () => {
      for (const { data } of this.#sse.push(bytes)) this.#data(data, events)
    })
    return events
  }

  #data(data: string, events: Event[]): void {
    if (this.#done) return
    if (data !== '[DONE]') {
      step(this.#state, parseJson(data), events)
      return
    }
    // A stream that is done without a finish reason was not finished by the model.
    if (this.#state.finished.size === 0) throw cut('the upstream ended the stream without a finish reason')
    this.#done = true
    events.push({ type: 'end' })
  }

  end(): Event[] {
    if (this.#done) return []
    throw cut('the upstream closed the stream before it was done')
  }
}

/** One JSON document. */
function readWhole(parsed: unknown): Event[] {
  const document = asRecord(parsed)
  if (document === undefined || asList(document['choices']).length === 0) throw malformed()
  const events: Event[] = [{ type: 'start', id: asText(document['id']) ?? '', model: asText(document['model']) ?? '' }]
  for (const item of asList(document['choices'])) wholeChoice(asRecord(item) ?? {}, events)
  const usage = asRecord(document['usage'])
  if (usage !== undefined) events.push({ type: 'usage', usage: usageOf(usage) })
  events.push({ type: 'end' })
  return events
}

interface ChunkState {
  started: boolean
  readonly finished: Set<number>
}

/** One chunk: appends what it says to `events`. */
function step(state: ChunkState, parsed: unknown, events: Event[]): void {
  const chunk = asRecord(parsed)
  if (chunk === undefined) throw malformed()
  if (chunk['error'] !== undefined && chunk['error'] !== null) throw inBandError(chunk['error'])
  if (!state.started) {
    state.started = true
    events.push({ type: 'start', id: asText(chunk['id']) ?? '', model: asText(chunk['model']) ?? '' })
  }
  for (const item of asList(chunk['choices'])) {
    const choice = asRecord(item)
    if (choice === undefined) continue
    const index = asCount(choice['index'])
    const delta = asRecord(choice['delta'])
    if (delta !== undefined) deltaEvents(index, delta, events)
    logprobEvents(index, choice['logprobs'], events)
    const reason = asText(choice['finish_reason'])
    if (reason !== undefined) {
      state.finished.add(index)
      events.push(finish(index, reason, choice))
    }
  }
  const usage = asRecord(chunk['usage'])
  if (usage !== undefined) events.push({ type: 'usage', usage: usageOf(usage) })
}

function deltaEvents(choice: number, delta: Readonly<Record<string, unknown>>, events: Event[]): void {
  // What a model says to decline is what it says.
  const text = asText(delta['content']) ?? asText(delta['refusal'])
  if (text !== undefined && text !== '') events.push({ type: 'text-delta', choice, text })
  // vLLM's newer name, then the older one that others still send.
  const reasoning = asText(delta['reasoning']) ?? asText(delta['reasoning_content'])
  if (reasoning !== undefined && reasoning !== '') events.push({ type: 'reasoning-delta', choice, text: reasoning })
  for (const [position, item] of asList(delta['tool_calls']).entries()) {
    const call = asRecord(item)
    if (call === undefined) continue
    const index = asCount(call['index'], position)
    const called = asRecord(call['function'])
    const name = asText(called?.['name'])
    if (name !== undefined && name !== '') {
      events.push({ type: 'tool-call-start', choice, index, id: asText(call['id']) ?? `call_${choice}_${index}`, name })
    }
    const args = asText(called?.['arguments'])
    if (args !== undefined && args !== '') events.push({ type: 'tool-call-delta', choice, index, arguments: args })
  }
}

function wholeChoice(item: Readonly<Record<string, unknown>>, events: Event[]): void {
  const choice = asCount(item['index'])
  const message = asRecord(item['message'])
  if (message !== undefined) deltaEvents(choice, message, events)
  logprobEvents(choice, item['logprobs'], events)
  events.push(finish(choice, asText(item['finish_reason']) ?? 'stop', item))
}

/** vLLM tells which stop sequence was met in `stop_reason`: text, or the id of a token. */
function finish(choice: number, reason: string, item: Readonly<Record<string, unknown>>): Event {
  const stopSequence = asText(item['stop_reason'])
  const event = { type: 'finish', choice, reason: finishReason(reason) } as const
  return stopSequence === undefined ? event : { ...event, stopSequence }
}

function logprobEvents(choice: number, value: unknown, events: Event[]): void {
  if (value === undefined || value === null) return
  const tokens = asList(asRecord(value)?.['content']).flatMap((item) => tokenLogprob(item) ?? [])
  if (tokens.length > 0) events.push({ type: 'logprobs', choice, tokens })
}

function tokenLogprob(item: unknown): TokenLogprob | undefined {
  const fields = asRecord(item)
  const chosen = alternative(fields)
  if (chosen === undefined) return undefined
  const others = asList(fields?.['top_logprobs']).flatMap((other) => alternative(asRecord(other)) ?? [])
  return { ...chosen, top_logprobs: others }
}

function alternative(fields: Readonly<Record<string, unknown>> | undefined) {
  const token = asText(fields?.['token'])
  const logprob = fields?.['logprob']
  if (token === undefined || typeof logprob !== 'number') return undefined
  const bytes = Array.isArray(fields?.['bytes']) ? fields['bytes'].filter((byte) => typeof byte === 'number') : null
  return { token, logprob, bytes }
}

/** One JSON document with a vector for each text. */
function readEmbeddings(parsed: unknown, wanted: number): Event[] {
  const document = asRecord(parsed)
  const vectors = asList(document?.['data']).flatMap((item, at) => vectorOf(asRecord(item), at) ?? [])
  const seen = new Set(vectors.map(({ index }) => index))
  if (document === undefined || seen.size !== wanted || vectors.length !== wanted || Math.max(...seen) >= wanted) {
    throw new Refusal('INFER_UNAVAILABLE', 'the upstream did not send one vector for each text')
  }
  const prompt = asCount(asRecord(document['usage'])?.['prompt_tokens'])
  return [
    { type: 'start', id: '', model: asText(document['model']) ?? '' },
    ...vectors,
    { type: 'usage', usage: { ...NO_USAGE, input: prompt } },
    { type: 'end' },
  ]
}

/** Servers that do not know Base64 answer with numbers. */
function vectorOf(item: Readonly<Record<string, unknown>> | undefined, at: number) {
  const vector = item?.['embedding']
  const index = asCount(item?.['index'], at)
  if (typeof vector === 'string' && vector !== '') return { type: 'embedding', index, vector } as const
  if (!Array.isArray(vector) || vector.length === 0 || !vector.every((value) => typeof value === 'number'))
    return undefined
  return { type: 'embedding', index, vector } as const
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  function_call: 'tool-calls',
  content_filter: 'content-filter',
}

function finishReason(reason: string): FinishReason {
  return FINISH_REASONS[reason] ?? 'stop'
}

/** OpenAI counts cached tokens inside the prompt and reasoning inside the completion; here no token is in two buckets. */
function usageOf(usage: Readonly<Record<string, unknown>>): Usage {
  const prompt = asCount(usage['prompt_tokens'])
  const completion = asCount(usage['completion_tokens'])
  const cachedRead = Math.min(prompt, asCount(asRecord(usage['prompt_tokens_details'])?.['cached_tokens']))
  const reasoning = Math.min(completion, asCount(asRecord(usage['completion_tokens_details'])?.['reasoning_tokens']))
  return { cachedRead, cachedWrite: 0, input: prompt - cachedRead, output: completion - reasoning, reasoning }
}

function cut(message: string): Refusal {
  return new Refusal('INFER_CUT', message)
}

function malformed(): Refusal {
  return new Refusal('INFER_UNAVAILABLE', 'the upstream sent something that is not a chat completion')
}
