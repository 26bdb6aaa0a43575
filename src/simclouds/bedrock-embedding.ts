import { z } from 'zod'
import { tokenCount } from './answer.ts'
import { ConverseProblem } from './bedrock-request.ts'
import { json, type BodyReply } from './service.ts'
import { vectorOf } from './vectors.ts'

const titan = z.strictObject({
  inputText: z.string().min(1).max(50_000),
  dimensions: z.union([z.literal(256), z.literal(512), z.literal(1024)]).optional(),
  normalize: z.boolean().optional(),
  embeddingTypes: z.array(z.enum(['float', 'binary'])).optional(),
})
const cohere = z.strictObject({
  texts: z.array(z.string().min(1)).min(1).max(96),
  input_type: z.enum(['search_document', 'search_query', 'classification', 'clustering']),
  truncate: z.enum(['NONE', 'START', 'END', 'LEFT', 'RIGHT']).optional(),
  embedding_types: z.array(z.enum(['float', 'int8', 'uint8', 'binary', 'ubinary'])).optional(),
  output_dimension: z.union([z.literal(256), z.literal(512), z.literal(1024), z.literal(1536)]).optional(),
})

/**
 * `InvokeModel` of Titan and Cohere: bodies by the vendor, vectors by the hashes of the words.
 * @throws {ConverseProblem} as the service would refuse it.
 */
export function invokeEmbedding(body: unknown, model: string): BodyReply {
  if (model.includes('amazon.titan-embed')) {
    const { inputText, dimensions = 1024 } = read(titan, body)
    return json(200, {
      embedding: [...vectorOf(inputText, dimensions)],
      inputTextTokenCount: tokenCount(inputText),
    })
  }
  if (!model.includes('cohere.embed')) throw new ConverseProblem('this stand-in invokes embedding models only')
  const { texts, output_dimension: dimensions = 1536, embedding_types: types } = read(cohere, body)
  const vectors = texts.map((text) => [...vectorOf(text, dimensions)])
  const tokens = texts.reduce((sum, text) => sum + tokenCount(text), 0)
  return json(
    200,
    { id: 'simulated', embeddings: types === undefined ? vectors : { float: vectors }, texts },
    { 'x-amzn-bedrock-input-token-count': String(tokens) },
  )
}

function read<Shape>(schema: z.ZodType<Shape>, body: unknown): Shape {
  const checked = schema.safeParse(body)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  throw new ConverseProblem(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`)
}
