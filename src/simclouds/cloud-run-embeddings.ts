import { z } from 'zod'
import { tokenCount } from './answer.ts'
import { ChatProblem } from './cloud-run-request.ts'
import { type BodyReply, json } from './service.ts'
import { vectorOf } from './vectors.ts'

const schema = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string()).min(1).max(2048)]),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).max(1024).nullish(),
})

const DIMENSIONS = 256

/**
 * vLLM's `/v1/embeddings`, with vectors that know words and nothing of their meaning.
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new ChatProblem(400, 'BadRequestError', 'the body is not JSON')
  }
}
