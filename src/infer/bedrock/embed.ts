import type { Ask } from '#contract/ask.ts'
import { type Event, NO_USAGE } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import { leftOut, unsupportedBy } from '#infer/carry.ts'
import { asCount, asList, asRecord } from '#kit/json.ts'
import type { EncodedRequest } from '#infer/provider.ts'
import { request } from './request.ts'

/** Texts that Cohere takes in one call. */
const MAX_COHERE_TEXTS = 96

/** `InvokeModel` with a body by the model's vendor: Titan takes one text a call, Cohere many. */
export function encodeEmbedding(ask: Ask, target: Target): EncodedRequest {
  const texts = ask.messages.map(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : '')).join(''))
  const dropped = leftOut(ask, new Set(['dimensions'] as const), target.name)
  if (target.model.includes('amazon.titan-embed')) {
    if (texts.length > 1) throw unsupportedBy(target.name, 'input', 'send one text a request, Titan takes no more')
    const dimensions = ask.dimensions === undefined ? {} : { dimensions: ask.dimensions }
    return request(target, 'invoke', { inputText: texts[0] ?? '', ...dimensions, normalize: true }, dropped)
  }
  if (!target.model.includes('cohere.embed'))
    throw unsupportedBy(target.name, 'input', 'ask a model for embeddings: Titan or Cohere')
  if (texts.length > MAX_COHERE_TEXTS)
    throw unsupportedBy(target.name, 'input', `send at most ${MAX_COHERE_TEXTS} texts a request`)
  const size = ask.dimensions === undefined ? {} : { output_dimension: ask.dimensions }
  const body = { texts, input_type: 'search_document', embedding_types: ['float'], truncate: 'NONE', ...size }
  return request(target, 'invoke', body, dropped)
}

/** Titan: `{embedding, inputTextTokenCount}`. Cohere: `{embeddings}`, a list or one by type. */
export function readEmbeddings(parsed: unknown, wanted: number): Event[] {
  const document = asRecord(parsed)
  const many = document?.['embeddings']
  const vectors =
    document?.['embedding'] === undefined
      ? asList(Array.isArray(many) ? many : asRecord(many)?.['float'])
      : [document['embedding']]
  if (vectors.length !== wanted || !vectors.every(isVector)) {
    throw new Refusal('INFER_UNAVAILABLE', 'the upstream did not send one vector for each text')
  }
  return [
    { type: 'start', id: '', model: '' },
    ...vectors.map((vector, index) => ({ type: 'embedding', index, vector }) as const),
    { type: 'usage', usage: { ...NO_USAGE, input: asCount(document?.['inputTextTokenCount']) } },
    { type: 'end' },
  ]
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'number')
}
