import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import { promptTokenCount } from './answer.ts'
import { brokenFrame, converseBody, converseStream, exceptionFrame } from './bedrock-converse.ts'
import { invokeModel } from './bedrock-invoke.ts'
import { ConverseProblem, readConverseRequest } from './bedrock-request.ts'
import { applyGuardrail } from './bedrock-apply-guardrail.ts'
import { guardrailChecks } from './bedrock-guardrail-checks.ts'
import { checkSignature } from './aws-signature.ts'
import type { BedrockOptions } from './options.ts'
import { json, type BodyReply, type Reply, type Service, type SimRequest } from './service.ts'

const ROUTE = /^\/model\/([^/]+)\/(converse|converse-stream|count-tokens|invoke)$/
const CHECKS_PATH = '/guardrail-checks/invoke'
const GUARDRAIL = /^\/guardrail\/([^/]+)\/version\/([^/]+)\/apply$/
const GUARDRAIL_ID = /^([a-z0-9]+|arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:\d{12}:guardrail\/[a-z0-9]+)$/
const GUARDRAIL_VERSION = /^([1-9]\d{0,7}|DRAFT)$/
const MODEL_ID = /^(arn:aws[^:]*:(bedrock|sagemaker):.+|[a-zA-Z0-9._:-]+)$/
const TYPE_NAMESPACE = 'http://internal.amazon.com/coral/com.amazon.bedrock/'

const EXCEPTIONS: Readonly<Record<number, string>> = {
  400: 'ValidationException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  408: 'ModelTimeoutException',
  424: 'ModelErrorException',
  429: 'ThrottlingException',
  500: 'InternalServerException',
  503: 'ServiceUnavailableException',
}

const STREAM_EXCEPTIONS: Readonly<Record<number, string>> = {
  400: 'validationException',
  424: 'modelStreamErrorException',
  429: 'throttlingException',
  503: 'serviceUnavailableException',
}

/** Amazon Bedrock Runtime: Converse, InvokeModel of models that embed and rank, and the guardrails. */
export function bedrock(place: Place, options: BedrockOptions): Service {
  return {
    name: 'bedrock',
    place,
    reply: (request) => reply(request, options),
    fail: (status, retryAfterS) =>
      failure(
        status,
        EXCEPTIONS[status] ?? 'InternalServerException',
        'simulated fault',
        retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) },
      ),
    brokenPiece: brokenFrame,
    streamError: (status) => [
      exceptionFrame(STREAM_EXCEPTIONS[status] ?? 'internalServerException', 'simulated fault'),
    ],
  }
}

function reply(request: SimRequest, options: BedrockOptions): Reply | Promise<Reply> {
  const route = ROUTE.exec(request.path)
  if (request.path === CHECKS_PATH && request.method === 'POST') return judged(request, options, guardrailChecks)
  const guardrail = GUARDRAIL.exec(request.path)
  if (guardrail !== null && request.method === 'POST') {
    if (!GUARDRAIL_ID.test(decoded(guardrail[1] ?? ''))) return invalid('the guardrail identifier is not valid')
    if (!GUARDRAIL_VERSION.test(decoded(guardrail[2] ?? ''))) return invalid('the guardrail version is not valid')
    return judged(request, options, applyGuardrail)
  }
  if (route === null || request.method !== 'POST') {
    return failure(404, 'UnknownOperationException', 'there is no such operation')
  }
  const denied = authorize(request, options)
  if (denied !== undefined) return denied
  const model = decoded(route[1] ?? '')
  if (!MODEL_ID.test(model)) return invalid('the model identifier is not valid')
  if (options.models !== undefined && !options.models.includes(model)) {
    return failure(404, 'ResourceNotFoundException', `there is no model ${model}`)
  }
  try {
    if (route[2] === 'invoke') return invokeModel(request.text, model)
    if (route[2] === 'count-tokens') return counted(request.text)
    const asked = readConverseRequest(request.text)
    const answerWith = route[2] === 'converse' ? converseBody : converseStream
    return answerWith(asked, options, request.signal)
  } catch (error) {
    if (!(error instanceof ConverseProblem)) throw error
    return invalid(error.message)
  }
}

/** CountTokens: the request of Converse, inside another. */
function counted(text: string): BodyReply {
  const converse = asRecord(asRecord(asRecord(parseJson(text))?.['input'])?.['converse'])
  if (converse === undefined) throw new ConverseProblem('input: converse is required')
  return json(200, { inputTokens: promptTokenCount(readConverseRequest(JSON.stringify(converse)).prompt) })
}

function judged(request: SimRequest, options: BedrockOptions, judge: (body: unknown) => unknown): BodyReply {
  const denied = authorize(request, options)
  if (denied !== undefined) return denied
  try {
    return json(200, judge(JSON.parse(request.text)))
  } catch (error) {
    return invalid(error instanceof z.ZodError ? (error.issues[0]?.message ?? 'not valid') : 'not JSON')
  }
}

function authorize(request: SimRequest, options: BedrockOptions): BodyReply | undefined {
  const bearer = /^Bearer (.+)$/.exec(request.headers['authorization'] ?? '')?.[1]
  if (bearer !== undefined) {
    return bearer === options.apiKey ? undefined : failure(403, 'AccessDeniedException', 'the API key is not valid')
  }
  const { accessKeyId, secretAccessKey, region, sessions } = options
  const scope = { accessKeyId, secretAccessKey, region, service: 'bedrock', sessions }
  const problem = checkSignature(request, scope, Date.now())
  return problem === undefined ? undefined : failure(403, problem.type, problem.message)
}

function invalid(message: string): BodyReply {
  return failure(400, 'ValidationException', message)
}

function failure(
  status: number,
  type: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): BodyReply {
  return json(
    status,
    { message },
    { 'x-amzn-errortype': `${type}:${TYPE_NAMESPACE}`, 'x-amzn-requestid': randomUUID(), ...headers },
  )
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
