import type { Place } from '#contract/place.ts'
import { claudeBody, claudeCount, claudeEvent, claudeStream, requestId } from './claude-answer.ts'
import { ClaudeProblem, readClaudeRequest } from './claude-request.ts'
import type { AnthropicOptions } from './options.ts'
import { json, type BodyReply, type Reply, type Service, type SimRequest } from './service.ts'

/** The version that most send, and the one that the SDK sends from 1.0 on. */
const VERSIONS: ReadonlySet<string> = new Set(['2023-06-01', '2026-10-21'])

const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  503: 'overloaded_error',
  529: 'overloaded_error',
}

/** Anthropic's own Messages API, and its count of tokens. */
export function anthropic(place: Place, options: AnthropicOptions): Service {
  return {
    name: 'anthropic',
    place,
    reply: (request) => reply(request, options),
    fail: (status, retryAfterS) =>
      claudeError(status, 'simulated fault', retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
    brokenPiece: () =>
      Buffer.from('event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"del\n\n'),
    streamError: (status) => [claudeEvent('error', { error: errorObject(status, 'simulated fault') })],
  }
}

/** An error in Anthropic's shape. */
export function claudeError(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): BodyReply {
  const id = requestId()
  const body = { type: 'error', error: errorObject(status, message), request_id: id }
  return json(status, body, { 'request-id': id, ...headers })
}

/** The answer to flags of `anthropic-beta` that are not known; undefined when all are. */
export function checkBetas(sent: readonly string[], known: readonly string[]): BodyReply | undefined {
  const unknown = sent.filter((flag) => !known.includes(flag))
  if (unknown.length === 0) return undefined
  return claudeError(400, `Unexpected value(s) \`${unknown.join('`, `')}\` for the \`anthropic-beta\` header.`)
}

function errorObject(status: number, message: string) {
  return { type: TYPES[status] ?? 'api_error', message }
}

function reply(request: SimRequest, options: AnthropicOptions): Reply | Promise<Reply> {
  const isCount = request.path === '/v1/messages/count_tokens'
  if (request.method !== 'POST' || (request.path !== '/v1/messages' && !isCount)) return claudeError(404, 'Not Found')
  const denied = checkHeaders(request, options)
  if (denied !== undefined) return denied
  try {
    const asked = readClaudeRequest(request.text, 'own', isCount ? 'count' : 'answer')
    if (options.models !== undefined && !options.models.includes(asked.model))
      return claudeError(404, `model: ${asked.model}`)
    if (isCount) return claudeCount(asked)
    const answerWith = asked.stream ? claudeStream : claudeBody
    return answerWith(asked, options, request.signal)
  } catch (error) {
    if (!(error instanceof ClaudeProblem)) throw error
    return claudeError(400, error.message)
  }
}

function checkHeaders({ headers }: SimRequest, { apiKey, betas }: AnthropicOptions): BodyReply | undefined {
  // Newer clients send the key as a bearer.
  const key = headers['x-api-key'] ?? /^Bearer (.+)$/.exec(headers['authorization'] ?? '')?.[1]
  if (key === undefined) return claudeError(401, 'x-api-key header is required')
  if (key !== apiKey) return claudeError(401, 'invalid x-api-key')
  if (!VERSIONS.has(headers['anthropic-version'] ?? ''))
    return claudeError(400, 'anthropic-version: header is required')
  const sent = (headers['anthropic-beta'] ?? '').split(',').flatMap((flag) => (flag.trim() === '' ? [] : [flag.trim()]))
  return checkBetas(sent, betas)
}
