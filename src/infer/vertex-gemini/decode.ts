import type { Ask } from '#contract/ask.ts'
import { type Event, type FinishReason, NO_USAGE, type TokenLogprob, type Usage } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import { DocumentDecoder } from '#infer/document-decoder.ts'
import { type Decoder, keepingEvents } from '#infer/provider.ts'
import { asCount, asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { SseDecoder } from '#kit/sse.ts'
import { readEmbeddings } from './embed.ts'
import { inBandError } from './error.ts'

type Fields = Readonly<Record<string, unknown>>

export function decoder(ask: Ask): Decoder {
  if (ask.operation === 'embed') return new DocumentDecoder((body) => readEmbeddings(body, ask.messages.length))
  if (ask.operation === 'count-tokens') return new DocumentDecoder(readCount)
  const wanted = ask.sampling.n ?? 1
  return ask.stream ? new StreamDecoder(wanted) : new DocumentDecoder((body) => readWhole(body, wanted))
}

/**
 * Server-sent chunks. Nothing says "done" here: a stream whose candidates all have a reason to finish was whole. Errors
 * may come as one JSON list instead.
 */
class StreamDecoder implements Decoder {
  failure: Refusal | undefined
  readonly #state: State
  readonly #sse = new SseDecoder()
  #document: DocumentDecoder | undefined
  #begun = false

  constructor(wanted: number) {
    this.#state = newState(wanted)
  }

  push(bytes: Uint8Array): Event[] {
    this.#begin(bytes)
    if (this.#document !== undefined) return this.#document.push(bytes)
    const events: Event[] = []
    this.failure = keepingEvents(events, () => {
      for (const { data } of this.#sse.push(bytes)) step(this.#state, parseJson(data), events)
    })
    return events
  }

  end(): Event[] {
    if (this.#document !== undefined) return this.#document.end()
    if (this.#sse.pending) throw cut('the upstream closed the stream before it was done')
    return ending(this.#state)
  }

  /** The first byte that is no white space tells a document from events. */
  #begin(bytes: Uint8Array): void {
    const first = this.#begun ? undefined : bytes.find((byte) => byte > 0x20)
    if (first === undefined) return
    this.#begun = true
    if (first !== 0x5b && first !== 0x7b) return
    this.#document = new DocumentDecoder((body) => readWhole(body, this.#state.wanted))
  }
}

interface State {
  readonly wanted: number
  started: boolean
  /** Candidates that were seen, with how many calls each made. */
  readonly calls: Map<number, number>
  readonly finished: Set<number>
  /** The prompt was refused: there are no candidates. */
  blocked: boolean
  usage: Usage
}

function newState(wanted: number): State {
  return { wanted, started: false, calls: new Map(), finished: new Set(), blocked: false, usage: NO_USAGE }
}

/** One chunk: appends what it says to `events`. */
function step(state: State, parsed: unknown, events: Event[]): void {
  const chunk = asRecord(parsed)
  if (chunk === undefined) throw malformed()
  if (chunk['error'] !== undefined && chunk['error'] !== null) throw inBandError(chunk['error'])
  if (!state.started) {
    state.started = true
    events.push({ type: 'start', id: asText(chunk['responseId']) ?? '', model: asText(chunk['modelVersion']) ?? '' })
  }
  for (const item of asList(chunk['candidates'])) candidate(state, asRecord(item) ?? {}, events)
  const blocked = asText(asRecord(chunk['promptFeedback'])?.['blockReason'])
  if (blocked !== undefined && state.calls.size === 0 && !state.blocked) {
    state.blocked = true
    events.push({ type: 'finish', choice: 0, reason: 'content-filter' })
  }
  const usage = asRecord(chunk['usageMetadata'])
  if (usage !== undefined) state.usage = usageOf(usage)
}

function candidate(state: State, item: Fields, events: Event[]): void {
  const choice = asCount(item['index'])
  if (!state.calls.has(choice)) state.calls.set(choice, 0)
  for (const value of asList(asRecord(item['content'])?.['parts'])) part(state, choice, asRecord(value) ?? {}, events)
  logprobs(choice, asRecord(item['logprobsResult']), events)
  const said = asText(item['finishReason'])
  if (said === undefined || said === 'FINISH_REASON_UNSPECIFIED' || state.finished.has(choice)) return
  if (FAULTS.has(said))
    throw new Refusal('INFER_UNAVAILABLE', `the model ended its answer with ${said}: what it said can not be used`)
  state.finished.add(choice)
  const reason = FINISH_REASONS[said] ?? (said.startsWith('IMAGE_') ? 'content-filter' : 'stop')
  const hasCalled = (state.calls.get(choice) ?? 0) > 0
  events.push({ type: 'finish', choice, reason: reason === 'stop' && hasCalled ? 'tool-calls' : reason })
}

/** A proof on a call belongs to the call; on anything else it ends what was thought so far. */
function part(state: State, choice: number, fields: Fields, events: Event[]): void {
  const signature = asText(fields['thoughtSignature']) ?? ''
  const call = asRecord(fields['functionCall'])
  if (call !== undefined) {
    functionCall(state, choice, call, { signature, events })
    return
  }
  const text = asText(fields['text']) ?? ''
  if (text !== '') events.push({ type: fields['thought'] === true ? 'reasoning-delta' : 'text-delta', choice, text })
  if (signature !== '') events.push({ type: 'reasoning-signature', choice, signature, family: 'gemini' })
}

/** A call comes whole. Where it has no id it is given one that no other turn's call has. */
function functionCall(
  state: State,
  choice: number,
  call: Fields,
  { signature, events }: { readonly signature: string; readonly events: Event[] },
): void {
  const index = state.calls.get(choice) ?? 0
  state.calls.set(choice, index + 1)
  const given = asText(call['id']) ?? ''
  events.push(
    {
      type: 'tool-call-start',
      choice,
      index,
      id: given === '' ? `call_${crypto.randomUUID()}` : given,
      name: asText(call['name']) ?? '',
      ...(signature === '' ? {} : { signature }),
    },
    { type: 'tool-call-delta', choice, index, arguments: JSON.stringify(asRecord(call['args']) ?? {}) },
  )
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  CONTINUATION: 'length',
  SAFETY: 'content-filter',
  RECITATION: 'content-filter',
  LANGUAGE: 'content-filter',
  BLOCKLIST: 'content-filter',
  PROHIBITED_CONTENT: 'content-filter',
  SPII: 'content-filter',
  MODEL_ARMOR: 'content-filter',
}

/** The model broke its own format: what it meant is lost, and another try may do better. */
const FAULTS: ReadonlySet<string> = new Set([
  'MALFORMED_FUNCTION_CALL',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'MALFORMED_RESPONSE',
])

function logprobs(choice: number, result: Fields | undefined, events: Event[]): void {
  const chosen = asList(result?.['chosenCandidates'])
  const top = asList(result?.['topCandidates'])
  const tokens = chosen.flatMap((item, at): TokenLogprob[] => {
    const token = tokenOf(item)
    if (token === undefined) return []
    const others = asList(asRecord(top[at])?.['candidates']).flatMap((other) => tokenOf(other) ?? [])
    return [{ ...token, top_logprobs: others }]
  })
  if (tokens.length > 0) events.push({ type: 'logprobs', choice, tokens })
}

function tokenOf(item: unknown) {
  const fields = asRecord(item)
  const token = asText(fields?.['token'])
  const logprob = fields?.['logProbability']
  return token === undefined || typeof logprob !== 'number' ? undefined : { token, logprob, bytes: null }
}

/** Cached tokens are inside the prompt, thoughts beside the candidates; what tools add to the prompt is apart. */
function usageOf(usage: Fields): Usage {
  const prompt = asCount(usage['promptTokenCount'])
  const cachedRead = Math.min(prompt, asCount(usage['cachedContentTokenCount']))
  return {
    cachedRead,
    cachedWrite: 0,
    input: prompt - cachedRead + asCount(usage['toolUsePromptTokenCount']),
    output: asCount(usage['candidatesTokenCount']),
    reasoning: asCount(usage['thoughtsTokenCount']),
  }
}

function ending({ wanted, calls, finished, blocked, usage }: State): Event[] {
  const isWhole = blocked || (finished.size >= wanted && finished.size === calls.size)
  if (!isWhole) throw cut('the upstream ended the stream without a finish reason')
  return [{ type: 'usage', usage }, { type: 'end' }]
}

/** One document, or the list of chunks that a stream is without `alt=sse`. */
function readWhole(parsed: unknown, wanted: number): Event[] {
  const chunks = Array.isArray(parsed) ? asList(parsed) : [parsed]
  if (chunks.length === 0) throw malformed()
  const state = newState(wanted)
  const events: Event[] = []
  for (const chunk of chunks) step(state, chunk, events)
  if (state.calls.size === 0 && !state.blocked) throw malformed()
  return [...events, ...ending(state)]
}

/** What `:countTokens` answers with. */
function readCount(document: unknown): Event[] {
  const tokens = asRecord(document)?.['totalTokens']
  if (typeof tokens !== 'number') throw new Refusal('INFER_UNAVAILABLE', 'the upstream sent no count of tokens')
  return [{ type: 'token-count', tokens, estimated: false }, { type: 'end' }]
}

function cut(message: string): Refusal {
  return new Refusal('INFER_CUT', message)
}

function malformed(): Refusal {
  return new Refusal('INFER_UNAVAILABLE', 'the upstream sent something that is not an answer of Gemini')
}
