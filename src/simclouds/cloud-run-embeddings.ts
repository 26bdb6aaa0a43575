import { createHash } from 'node:crypto'
import { z } from 'zod'
import { tokenCount } from './answer.ts'
import { ChatProblem } from './cloud-run-request.ts'
import { type BodyReply, json } from './service.ts'

const schema = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string()).min(1).max(2048)]),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).max(1024).nullish(),
})

const DIMENSIONS = 256

/**
 * vLLM's `/v1/embeddings`: each word is a direction by its hash, so that texts with the same words are near. A
 * stand-in's vectors, of no use beyond.
 * @throws {ChatProblem} as vLLM would answer.
 */
export function embeddings(text: string, model: string): BodyReply {
  const body = schema.safeParse(parsed(text))
  if (!body.success) {
    const issue = body.error.issues[0]
    throw new ChatProblem(400, 'BadRequestError', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`)
  }
  if (body.data.model !== model)
    throw new ChatProblem(404, 'NotFoundError', `the model \`${body.data.model}\` does not exist`, 'model')
  const texts = typeof body.data.input === 'string' ? [body.data.input] : body.data.input
  const isBase64 = body.data.encoding_format === 'base64'
  const data = texts.map((each, index) => {
    const vector = vectorOf(each, body.data.dimensions ?? DIMENSIONS)
    const embedding = isBase64 ? Buffer.from(vector.buffer).toString('base64') : [...vector]
    return { object: 'embedding', index, embedding }
  })
  const prompt = texts.reduce((sum, each) => sum + tokenCount(each), 0)
  return json(200, { object: 'list', data, model, usage: { prompt_tokens: prompt, total_tokens: prompt } })
}

function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions)
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const digest = createHash('sha256').update(word).digest()
    const at = digest.readUInt32LE(0) % dimensions
    vector[at] = (vector[at] ?? 0) + ((digest[4] ?? 0) % 2 === 0 ? 1 : -1)
  }
  const length = Math.hypot(...vector) || 1
  return vector.map((value) => value / length)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new ChatProblem(400, 'BadRequestError', 'the body is not JSON')
  }
}
