import { z } from 'zod'
import { asRecord, parseJson } from '#kit/json.ts'
import { cohereEmbedding, titanEmbedding } from './bedrock-embedding.ts'
import { ConverseProblem } from './bedrock-request.ts'
import { cohereRerank } from './bedrock-rerank.ts'
import type { BodyReply } from './service.ts'

/** What `InvokeModel` does for one model; a zod error for a body that the model does not take. */
type Invoke = (body: unknown) => BodyReply

const MODELS: Readonly<Record<string, Invoke>> = {
  'amazon.titan-embed-text-v2:0': titanEmbedding,
  'cohere.embed-english-v3': cohereEmbedding('v3'),
  'cohere.embed-multilingual-v3': cohereEmbedding('v3'),
  'cohere.embed-v4:0': cohereEmbedding('v4'),
  'cohere.rerank-v3-5:0': cohereRerank,
}
/** An inference profile, `eu.cohere.embed-v4:0`, and what comes before the id in an ARN. */
const BEFORE = /^(?:arn:.*\/)?(?:(?:us|eu|apac|jp|au|us-gov|global)\.)?/

/**
 * `InvokeModel` of the models that embed and rank.
 * @throws {ConverseProblem} as the service refuses it.
 */
export function invokeModel(text: string, model: string): BodyReply {
  const id = model.replace(BEFORE, '')
  const invoke = Object.hasOwn(MODELS, id) ? MODELS[id] : undefined
  if (invoke === undefined) throw new ConverseProblem('The provided model identifier is invalid.')
  const body = parseJson(text)
  if (body === undefined) throw malformed('Unexpected character')
  try {
    return invoke(body)
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error
    throw malformed(schemaProblem(error.issues[0], body))
  }
}

function malformed(what: string): ConverseProblem {
  return new ConverseProblem(`Malformed input request: ${what}, please reformat your input and try again.`)
}

/** In the words of the JSON schema that the service checks bodies with. */
function schemaProblem(issue: z.core.$ZodIssue | undefined, body: unknown): string {
  if (issue === undefined) return '#: not valid'
  const path = issue.path.map(String)
  const place = (parts: readonly string[]) => ['#', ...parts].join('/')
  if (issue.code === 'unrecognized_keys')
    return `${place(path)}: extraneous key [${issue.keys[0] ?? ''}] is not permitted`
  const isMissing = path.length === 1 && asRecord(body)?.[path[0] ?? ''] === undefined
  if (isMissing) return `#: required key [${path[0] ?? ''}] not found`
  return `${place(path)}: ${issue.message}`
}
