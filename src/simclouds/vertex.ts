import type { Place } from '#contract/place.ts'
import { checkBetas, claudeError } from './anthropic.ts'
import { claudeBody, claudeCount, claudeStream } from './claude-answer.ts'
import { ClaudeProblem, readClaudeRequest } from './claude-request.ts'
import { embedBody, geminiBody, geminiCount, geminiEvent, geminiStream } from './gemini-answer.ts'
import { GeminiProblem, readEmbedRequest, readGeminiRequest } from './gemini-request.ts'
import type { VertexOptions } from './options.ts'
import { json, type BodyReply, type Reply, type Service, type SimRequest } from './service.ts'

const ROUTE = /^\/v1\/projects\/([^/]+)\/locations\/([^/]+)\/publishers\/(anthropic|google)\/models\/([^/:]+):(\w+)$/

const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

/** Vertex AI: Gemini and text embeddings in Google's format, Claude in Anthropic's. */
export function vertex(place: Place, options: VertexOptions): Service {
  return {
    name: 'vertex',
    place,
    reply: (request) => reply(request, options),
    fail: (status, retryAfterS) => {
      const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
      return googleError(status, 'simulated fault', headers)
    },
    brokenPiece: () => Buffer.from('data: {"candidates": [{"content": {"parts": [{"te\n\n'),
    streamError: (status) => [geminiEvent(errorBody(status, 'simulated fault'))],
  }
}

interface Asked {
  readonly model: string
  readonly method: string
  readonly request: SimRequest
  readonly options: VertexOptions
}

function reply(request: SimRequest, options: VertexOptions): Reply | Promise<Reply> {
  const route = ROUTE.exec(request.path)
  if (route === null || request.method !== 'POST') return googleError(404, 'The requested URL was not found.')
  if (request.headers['authorization'] !== `Bearer ${options.token}`)
    return googleError(401, 'Request had invalid authentication credentials. Expected OAuth 2 access token.')
  const [, project = '', , publisher, model = '', method = ''] = route
  if (project !== options.project) return googleError(403, `Permission denied on resource project ${project}.`)
  const asked = { model: decodeURIComponent(model), method, request, options }
  const isCount = publisher === 'anthropic' && model === 'count-tokens'
  if (options.models !== undefined && !options.models.includes(asked.model) && !isCount)
    return googleError(404, `Publisher Model \`${asked.model}\` was not found.`)
  return publisher === 'anthropic' ? claude(asked, isCount) : gemini(asked)
}

function claude({ model, method, request, options }: Asked, isCount: boolean): Reply | Promise<Reply> {
  if (method !== 'rawPredict' && method !== 'streamRawPredict') return googleError(404, `no method ${method}`)
  try {
    const asked = readClaudeRequest(request.text, 'vertex', isCount ? 'count' : 'answer')
    const refused = checkBetas([...asked.betas, ...headerBetas(request)], options.betas)
    if (refused !== undefined) return refused
    if (isCount) return claudeCount(asked)
    const answerWith = method === 'streamRawPredict' || asked.stream ? claudeStream : claudeBody
    return answerWith({ ...asked, model }, options, request.signal)
  } catch (error) {
    if (!(error instanceof ClaudeProblem)) throw error
    return claudeError(400, error.message)
  }
}

function headerBetas({ headers }: SimRequest): readonly string[] {
  return (headers['anthropic-beta'] ?? '').split(',').flatMap((flag) => (flag.trim() === '' ? [] : [flag.trim()]))
}

function gemini({ model, method, request, options }: Asked): Reply | Promise<Reply> {
  try {
    if (method === 'predict') {
      const { texts, dimensions } = readEmbedRequest(request.text)
      return embedBody(texts, dimensions)
    }
    if (!['generateContent', 'streamGenerateContent', 'countTokens'].includes(method))
      return googleError(404, `no method ${method}`)
    const asked = readGeminiRequest(request.text, model, method === 'countTokens')
    if (method === 'countTokens') return geminiCount(asked)
    if (method === 'generateContent') return geminiBody(asked, options, request.signal)
    if (request.query.get('alt') !== 'sse') return googleError(400, 'the stand-in streams with alt=sse only')
    return geminiStream(asked, options, request.signal)
  } catch (error) {
    if (!(error instanceof GeminiProblem)) throw error
    return googleError(400, error.message)
  }
}

function googleError(status: number, message: string, headers: Readonly<Record<string, string>> = {}): BodyReply {
  return json(status, errorBody(status, message), headers)
}

function errorBody(status: number, message: string) {
  return { error: { code: status, message, status: STATUSES[status] ?? 'UNKNOWN' } }
}
