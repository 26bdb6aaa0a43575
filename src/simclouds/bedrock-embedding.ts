import { z } from 'zod'
import { tokenCount } from './answer.ts'
import { ConverseProblem } from './bedrock-request.ts'
import { json, type BodyReply } from './service.ts'
import { vectorOf } from './vectors.ts'

const MAX_TITAN_TOKENS = 8_192
const MAX_TITAN_CHARS = 50_000
/** As many as Cohere takes in one call, each of so many characters (v3) or tokens (v4). */
const MAX_TEXTS = 96
const MAX_V3_CHARS = 2_048
const MAX_V4_TOKENS = 128_000
const V3_DIMENSIONS = 1_024
const CHARS_PER_TOKEN = 4
/** How much of a vector says what the text is for: a text is near to itself as a query, but not the same. */
const PURPOSE_WEIGHT = 0.2

const titan = z.strictObject({
  inputText: z.string().min(1).max(MAX_TITAN_CHARS),
  dimensions: z.union([z.literal(256), z.literal(512), z.literal(1024)]).optional(),
  normalize: z.boolean().optional(),
  embeddingTypes: z
    .array(z.enum(['float', 'binary']))
    .min(1)
    .optional(),
})

const purpose = z.enum(['search_document', 'search_query', 'classification', 'clustering'])
const kinds = z
  .array(z.enum(['float', 'int8', 'uint8', 'binary', 'ubinary']))
  .min(1)
  .optional()
const v3 = z.strictObject({
  texts: z.array(z.string().min(1).max(MAX_V3_CHARS)).min(1).max(MAX_TEXTS),
  input_type: purpose,
  truncate: z.enum(['NONE', 'START', 'END']).optional(),
  embedding_types: kinds,
})
const textPart = z.strictObject({ type: z.literal('text'), text: z.string().min(1) })
const v4 = z.strictObject({
  texts: z.array(z.string().min(1)).min(1).max(MAX_TEXTS).optional(),
  inputs: z
    .array(z.strictObject({ content: z.array(textPart).min(1) }))
    .min(1)
    .max(MAX_TEXTS)
    .optional(),
  input_type: purpose,
  truncate: z.enum(['NONE', 'LEFT', 'RIGHT']).optional(),
  embedding_types: kinds,
  output_dimension: z.union([z.literal(256), z.literal(512), z.literal(1024), z.literal(1536)]).optional(),
  max_tokens: z.int().min(1).max(MAX_V4_TOKENS).optional(),
})

type Kind = NonNullable<z.infer<typeof kinds>>[number]

/** Titan Text Embeddings V2: one text a call. */
export function titanEmbedding(body: unknown): BodyReply {
  const { inputText, dimensions = 1024, normalize = true, embeddingTypes = ['float'] } = titan.parse(body)
  const tokens = tokenCount(inputText)
  if (tokens > MAX_TITAN_TOKENS)
    throw new ConverseProblem(
      `400 Bad Request: Too many input tokens. Max input tokens: ${MAX_TITAN_TOKENS}, request input token count: ${tokens} `,
    )
  const unit = vectorOf(inputText, dimensions)
  // Of no set length: that of the words' count, as a sum of words would be.
  const float = [...(normalize ? unit : unit.map((value) => value * Math.sqrt(tokens)))]
  const binary = float.map((value) => (value > 0 ? 1 : 0))
  const byType = Object.fromEntries(embeddingTypes.map((type) => [type, type === 'float' ? float : binary]))
  return counted(tokens, {
    ...(embeddingTypes.includes('float') ? { embedding: float } : {}),
    embeddingsByType: byType,
    inputTextTokenCount: tokens,
  })
}

/** Cohere Embed, version 3 or 4: many texts a call, for a purpose that must be named. */
export function cohereEmbedding(version: 'v3' | 'v4'): (body: unknown) => BodyReply {
  return version === 'v3' ? embedV3 : embedV4
}

function embedV3(body: unknown): BodyReply {
  const { texts, input_type: use, embedding_types: types } = v3.parse(body)
  const vectors = texts.map((text) => purposeful(text, use, V3_DIMENSIONS))
  const embeddings = types === undefined ? vectors : byKind(vectors, types)
  const kind = types === undefined ? 'embeddings_floats' : 'embeddings_by_type'
  return counted(total(texts), { id: 'simulated', response_type: kind, embeddings, texts })
}

function embedV4(body: unknown): BodyReply {
  const asked = v4.parse(body)
  const { input_type: use, embedding_types: types = ['float'], output_dimension: dimensions = 1536 } = asked
  if ((asked.texts === undefined) === (asked.inputs === undefined))
    throw new ConverseProblem('invalid request: exactly one of texts and inputs must be given')
  const given = asked.texts ?? (asked.inputs ?? []).map(({ content }) => content.map(({ text }) => text).join('\n'))
  const { max_tokens: most = MAX_V4_TOKENS, truncate = 'RIGHT' } = asked
  const texts = given.map((text) => cut(text, most, truncate))
  const vectors = texts.map((text) => purposeful(text, use, dimensions))
  return counted(total(texts), {
    id: 'simulated',
    response_type: 'embeddings_by_type',
    embeddings: byKind(vectors, types),
    ...(asked.texts === undefined ? {} : { texts: given }),
  })
}

function cut(text: string, maxTokens: number, truncate: 'NONE' | 'LEFT' | 'RIGHT'): string {
  const maxChars = maxTokens * CHARS_PER_TOKEN
  if (text.length <= maxChars) return text
  if (truncate === 'NONE')
    throw new ConverseProblem(
      `invalid request: too many tokens: total number of tokens in the prompt cannot exceed ${maxTokens} - received ${tokenCount(text)}`,
    )
  return truncate === 'LEFT' ? text.slice(-maxChars) : text.slice(0, maxChars)
}

function purposeful(text: string, use: string, dimensions: number): number[] {
  const words = vectorOf(text, dimensions)
  const towards = vectorOf(use, dimensions)
  const sum = words.map((value, at) => value + PURPOSE_WEIGHT * (towards[at] ?? 0))
  const length = Math.hypot(...sum) || 1
  return [...sum].map((value) => value / length)
}

function byKind(vectors: readonly (readonly number[])[], types: readonly Kind[]): unknown {
  return Object.fromEntries(types.map((type) => [type, vectors.map((vector) => quantised(vector, type))]))
}

/** One byte a dimension, or one bit. */
function quantised(vector: readonly number[], kind: Kind): readonly number[] {
  switch (kind) {
    case 'float':
      return vector
    case 'int8':
      return vector.map((value) => Math.round(value * 127))
    case 'uint8':
      return vector.map((value) => Math.round(value * 127) + 128)
    case 'ubinary':
      return packed(vector)
    case 'binary':
      return packed(vector).map((byte) => byte - 128)
  }
}

function packed(vector: readonly number[]): readonly number[] {
  return Array.from({ length: vector.length / 8 }, (_, byte) =>
    vector.slice(byte * 8, byte * 8 + 8).reduce((bits, value) => bits * 2 + (value > 0 ? 1 : 0), 0),
  )
}

function total(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + tokenCount(text), 0)
}

function counted(tokens: number, body: unknown): BodyReply {
  return json(200, body, { 'x-amzn-bedrock-input-token-count': String(tokens) })
}
