import type { Ask } from '#contract/ask.ts'
import { type Event, NO_USAGE } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import { leftOut, unsupportedBy } from '#infer/carry.ts'
import type { EncodedRequest } from '#infer/provider.ts'
import { asCount, asList, asRecord } from '#kit/json.ts'
import { request } from './request.ts'

/** Texts that one call takes. */
const MAX_TEXTS = 250

/** `:predict` of the text embedding models. A text that is too long is refused rather than cut without a word. */
export function encodeEmbedding(ask: Ask, target: Target): EncodedRequest {
  const dropped = leftOut(ask, new Set(['dimensions'] as const), target.name)
  if (ask.messages.length > MAX_TEXTS)
    throw unsupportedBy(target.name, 'input', `send at most ${MAX_TEXTS} texts a request`)
  const instances = ask.messages.map(({ parts }) => ({
    content: parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
  }))
  const size = ask.dimensions === undefined ? {} : { outputDimensionality: ask.dimensions }
  return request(target, 'predict', { instances, parameters: { autoTruncate: false, ...size } }, dropped)
}

/** `{predictions:[{embeddings:{values,statistics:{token_count}}}]}`. */
export function readEmbeddings(parsed: unknown, wanted: number): Event[] {
  const predictions = asList(asRecord(parsed)?.['predictions']).map((one) => asRecord(asRecord(one)?.['embeddings']))
  const vectors = predictions.map((one) => one?.['values'])
  if (vectors.length !== wanted || !vectors.every(isVector)) {
    throw new Refusal('INFER_UNAVAILABLE', 'the upstream did not send one vector for each text')
  }
  const input = predictions.reduce((sum, one) => sum + asCount(asRecord(one?.['statistics'])?.['token_count']), 0)
  return [
    { type: 'start', id: '', model: '' },
    ...vectors.map((vector, index) => ({ type: 'embedding', index, vector }) as const),
    { type: 'usage', usage: { ...NO_USAGE, input } },
    { type: 'end' },
  ]
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'number')
}
