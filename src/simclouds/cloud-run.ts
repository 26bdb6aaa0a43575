import { STATUS_CODES } from 'node:http'
import type { Place } from '#contract/place.ts'
import { type Clock, realClock } from './clock.ts'
import { Front, type FrontStats } from './cloud-run-front.ts'
import { VllmServer, vllmError } from './cloud-run-server.ts'
import type { CloudRunOptions } from './options.ts'
import type { BodyReply, Reply, Service, SimRequest } from './service.ts'
import type { EngineGauges } from './vllm-engine.ts'

/** Statuses that Cloud Run's front answers itself, with a page instead of vLLM's JSON. */
const FRONT_STATUSES: ReadonlySet<number> = new Set([401, 403, 429, 502, 503, 504])

/** What a service says of itself to those who look behind the scenes. */
export interface CloudRunState {
  /** Undefined for a service that does not scale. */
  readonly front: FrontStats | undefined
  /** Of each instance that is ready and has an engine. */
  readonly engines: readonly EngineGauges[]
}

export interface CloudRunService extends Service {
  readonly state: () => CloudRunState
}

/** vLLM's OpenAI-compatible server behind the front of Cloud Run. `clock` is for tests. */
export function cloudRun(
  place: Place,
  options: CloudRunOptions,
  clock: Clock = realClock(options.timeScale),
): CloudRunService {
  const backend = backendOf(options, clock)
  return {
    name: 'cloud-run',
    place,
    // Who is not let in wakes nobody.
    reply: (request) => checkBearer(request, options.bearer) ?? backend.reply(request),
    state: backend.state,
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

type Backend = Pick<CloudRunService, 'reply' | 'state'>

/** One server that is always there, or a front that starts them when somebody asks. */
function backendOf(options: CloudRunOptions, clock: Clock): Backend {
  if (options.scaling === undefined) {
    const server = new VllmServer(options, clock)
    return {
      reply: (request) => server.reply(request),
      state: () => ({ front: undefined, engines: gaugesOf([server]) }),
    }
  }
  const front = new Front(options.scaling, clock, () => new VllmServer(options, clock))
  return {
    reply: (request) => through(front, request),
    state: () => ({ front: front.stats(), engines: gaugesOf(front.containers()) }),
  }
}

async function through(front: Front<VllmServer>, request: SimRequest): Promise<Reply> {
  const entry = await front.enter(request.signal)
  if (entry === 'left') return frontPage(499, {})
  return 'status' in entry ? frontPage(entry.status, {}) : entry.container.reply(request)
}

function gaugesOf(servers: readonly VllmServer[]): readonly EngineGauges[] {
  return servers.map((server) => server.gauges()).filter((gauges) => gauges !== undefined)
}

/** Cloud Run tells a caller without a token 403, and one with a bad token 401. */
function checkBearer(request: SimRequest, bearer: string | undefined): BodyReply | undefined {
  if (bearer === undefined) return undefined
  const sent = request.headers['x-serverless-authorization'] ?? request.headers['authorization']
  if (sent === undefined) return frontPage(403, {})
  if (sent === `Bearer ${bearer}`) return undefined
  return frontPage(401, { 'www-authenticate': 'Bearer error="invalid_token"' })
}

function frontPage(status: number, headers: Readonly<Record<string, string>>): BodyReply {
  const says = status === 429 ? 'Rate exceeded.' : `${status} ${STATUS_CODES[status] ?? ''}`
  return {
    status,
    headers: { 'content-type': 'text/html; charset=UTF-8', ...headers },
    body: `<html><head><title>${says}</title></head><body><h1>${says}</h1><p>simulated front</p></body></html>\n`,
  }
}
