import { STATUS_CODES } from 'node:http'
import type { Place } from '#contract/place.ts'
import { chatBody, chatStream, type ChatMeter } from './cloud-run-chat.ts'
import { embeddings } from './cloud-run-embeddings.ts'
import { ChatProblem, readChatRequest } from './cloud-run-request.ts'
import type { CloudRunOptions } from './options.ts'
import { json, type BodyReply, type Reply, type Service, type SimRequest } from './service.ts'

const MAX_MODEL_TOKENS = 131_072
/** Statuses that Cloud Run's front answers itself, with a page instead of vLLM's JSON. */
const FRONT_STATUSES: ReadonlySet<number> = new Set([401, 403, 429, 502, 503, 504])

/** vLLM's OpenAI-compatible server behind the front of Cloud Run. */
export function cloudRun(place: Place, options: CloudRunOptions): Service {
  const meter: ChatMeter = { running: 0, promptTokens: 0, generationTokens: 0, finished: new Map() }
  const createdEpochS = Math.floor(Date.now() / 1000)
  return {
    name: 'cloud-run',
    place,
    reply: (request) => reply(request, options, meter, createdEpochS),
    fail: (status, retryAfterS) => {
      const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
      if (FRONT_STATUSES.has(status)) return frontPage(status, headers)
      const type = status >= 500 ? 'InternalServerError' : 'BadRequestError'
      return { ...vllmError(status, type, 'simulated fault', null), headers: { ...JSON_TYPE, ...headers } }
    },
    brokenPiece: () => Buffer.from('data: {"id":"chatcmpl-broken","choices":[{"index":0,"delta":{"content":"\n\n'),
    streamError: (status) => [
      Buffer.from(`data: ${String(vllmError(status, 'InternalServerError', 'simulated fault', null).body)}\n\n`),
      Buffer.from('data: [DONE]\n\n'),
    ],
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }

function reply(
  request: SimRequest,
  options: CloudRunOptions,
  meter: ChatMeter,
  createdEpochS: number,
): Reply | Promise<Reply> {
  const denied = checkBearer(request, options.bearer)
  if (denied !== undefined) return denied
  const route = `${request.method} ${request.path}`
  switch (route) {
    case 'POST /v1/chat/completions':
      return chat(request, options, meter)
    case 'POST /v1/embeddings':
      return refusing(() => embeddings(request.text, options.embeddingModel))
    case 'GET /v1/models':
      return json(200, {
        object: 'list',
        data: [...options.models, options.embeddingModel].map((model) => modelOf(model, createdEpochS)),
      })
    case 'GET /health':
      return { status: 200, headers: {}, body: '' }
    case 'GET /metrics':
      return { status: 200, headers: { 'content-type': METRICS_TYPE }, body: metrics(options, meter) }
    default:
      return json(PATHS.has(request.path) ? 405 : 404, {
        detail: PATHS.has(request.path) ? 'Method Not Allowed' : 'Not Found',
      })
  }
}

const PATHS: ReadonlySet<string> = new Set([
  '/v1/chat/completions',
  '/v1/embeddings',
  '/v1/models',
  '/health',
  '/metrics',
])
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

function chat(request: SimRequest, options: CloudRunOptions, meter: ChatMeter): Reply | Promise<Reply> {
  return refusing(() => {
    const asked = readChatRequest(request.text, options.models)
    const answerWith = asked.stream ? chatStream : chatBody
    return answerWith(asked, options, meter, request.signal)
  })
}

function refusing<Answer extends Reply | Promise<Reply>>(answer: () => Answer): Answer | BodyReply {
  try {
    return answer()
  } catch (error) {
    if (!(error instanceof ChatProblem)) throw error
    return vllmError(error.status, error.type, error.message, error.param)
  }
}

/** Cloud Run tells a caller without a token 403, and one with a bad token 401. */
function checkBearer(request: SimRequest, bearer: string | undefined): BodyReply | undefined {
  if (bearer === undefined) return undefined
  const sent = request.headers['x-serverless-authorization'] ?? request.headers['authorization']
  if (sent === undefined) return frontPage(403, {})
  if (sent === `Bearer ${bearer}`) return undefined
  return frontPage(401, { 'www-authenticate': 'Bearer error="invalid_token"' })
}

function vllmError(status: number, type: string, message: string, param: string | null): BodyReply {
  return json(status, { error: { message, type, param, code: status } })
}

function frontPage(status: number, headers: Readonly<Record<string, string>>): BodyReply {
  const says = status === 429 ? 'Rate exceeded.' : `${status} ${STATUS_CODES[status] ?? ''}`
  return {
    status,
    headers: { 'content-type': 'text/html; charset=UTF-8', ...headers },
    body: `<html><head><title>${says}</title></head><body><h1>${says}</h1><p>simulated front</p></body></html>\n`,
  }
}

function modelOf(id: string, created: number): unknown {
  return {
    id,
    object: 'model',
    created,
    owned_by: 'thinplane-simulated',
    root: id,
    parent: null,
    max_model_len: MAX_MODEL_TOKENS,
  }
}

function metrics(options: CloudRunOptions, meter: ChatMeter): string {
  const labels = `engine="0",model_name="${options.models[0] ?? ''}"`
  const line = (name: string, kind: string, value: number) =>
    `# TYPE vllm:${name} ${kind}\nvllm:${name}{${labels}} ${value}\n`
  return [
    line('num_requests_running', 'gauge', meter.running),
    line('num_requests_waiting', 'gauge', 0),
    line('kv_cache_usage_perc', 'gauge', Math.min(1, meter.running / 100)),
    line('prefix_cache_queries_total', 'counter', 0),
    line('prefix_cache_hits_total', 'counter', 0),
    line('prompt_tokens_total', 'counter', meter.promptTokens),
    line('generation_tokens_total', 'counter', meter.generationTokens),
    '# TYPE vllm:request_success_total counter\n',
    ...[...meter.finished].map(
      ([reason, count]) => `vllm:request_success_total{${labels},finished_reason="${reason}"} ${count}\n`,
    ),
    `# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{block_size="16",${labels},num_gpu_blocks="8192"} 1\n`,
  ].join('')
}
