import type { Clock } from './clock.ts'
import { type ChatMeter, type Speak, chatBody, chatStream } from './cloud-run-chat.ts'
import { embeddings } from './cloud-run-embeddings.ts'
import { METRICS_TYPE, metrics } from './cloud-run-metrics.ts'
import { ChatProblem, type ChatRequest, readChatRequest } from './cloud-run-request.ts'
import type { Generated } from './generate.ts'
import type { CloudRunOptions } from './options.ts'
import { paced } from './pace.ts'
import { type BodyReply, type Reply, type SimRequest, json } from './service.ts'
import { type EngineGauges, type Speech, VllmEngine } from './vllm-engine.ts'

const MAX_MODEL_TOKENS = 131_072

/** vLLM's OpenAI-compatible server in one instance. What it holds in memory goes with it. */
export class VllmServer {
  readonly #options: CloudRunOptions
  readonly #engine: VllmEngine | undefined
  readonly #meter: ChatMeter = { running: 0, promptTokens: 0, generationTokens: 0, finished: new Map() }
  readonly #createdEpochS = Math.floor(Date.now() / 1000)

  constructor(options: CloudRunOptions, clock: Clock) {
    this.#options = options
    this.#engine = options.engine === undefined ? undefined : new VllmEngine(options.engine, clock)
  }

  /** The engine's gauges; undefined without an engine. */
  gauges(): EngineGauges | undefined {
    return this.#engine?.gauges()
  }

  reply(request: SimRequest): Reply | Promise<Reply> {
    switch (`${request.method} ${request.path}`) {
      case 'POST /v1/chat/completions':
        return refusing(() => this.#chat(request))
      case 'POST /v1/embeddings':
        return refusing(() => embeddings(request.text, this.#options.embeddingModel))
      case 'GET /v1/models':
        return json(200, { object: 'list', data: this.#models() })
      case 'GET /health':
        return { status: 200, headers: {}, body: '' }
      case 'GET /metrics':
        return { status: 200, headers: { 'content-type': METRICS_TYPE }, body: this.#metrics() }
      default:
        return json(PATHS.has(request.path) ? 405 : 404, {
          detail: PATHS.has(request.path) ? 'Method Not Allowed' : 'Not Found',
        })
    }
  }

  #chat(request: SimRequest): Reply | Promise<Reply> {
    const asked = readChatRequest(request.text, this.#options.models)
    const answerWith = asked.stream ? chatStream : chatBody
    return answerWith(asked, this.#speak, this.#meter, request.signal)
  }

  readonly #speak: Speak = (asked, made, signal) =>
    this.#engine === undefined ? steady(made, this.#options, signal) : spoken(this.#engine, asked, made, signal)

  #metrics(): string {
    const engine = this.#engine && { gauges: this.#engine.gauges(), numGpuBlocks: this.#engine.settings.numGpuBlocks }
    return metrics(this.#options.models[0] ?? '', this.#meter, engine)
  }

  #models(): readonly unknown[] {
    return [...this.#options.models, this.#options.embeddingModel].map((id) => ({
      id,
      object: 'model',
      created: this.#createdEpochS,
      owned_by: 'thinplane-simulated',
      root: id,
      parent: null,
      max_model_len: this.#engine === undefined ? MAX_MODEL_TOKENS : longest(this.#engine),
    }))
  }
}

const PATHS: ReadonlySet<string> = new Set([
  '/v1/chat/completions',
  '/v1/embeddings',
  '/v1/models',
  '/health',
  '/metrics',
])

function steady(made: Generated, options: CloudRunOptions, signal: AbortSignal): Speech {
  return { pieces: paced(made.pieces, options, signal), promptTokens: made.inputTokens, cachedTokens: () => 0 }
}

/** @throws {ChatProblem} when the cache could not hold the prompt and its answer. */
function spoken(engine: VllmEngine, asked: ChatRequest, made: Generated, signal: AbortSignal): Speech {
  const speech = engine.speak({ text: asked.template, salt: asked.cacheSalt, pieces: made.pieces }, signal)
  const most = longest(engine)
  if (speech.promptTokens + made.pieces.length <= most) return speech
  throw new ChatProblem(
    400,
    'BadRequestError',
    `This model's maximum context length is ${most} tokens, and the prompt has ${speech.promptTokens}`,
  )
}

function longest(engine: VllmEngine): number {
  return Math.min(MAX_MODEL_TOKENS, engine.maxModelTokens)
}

/** vLLM's own way to say no. */
export function vllmError(status: number, type: string, message: string, param: string | null): BodyReply {
  return json(status, { error: { message, type, param, code: status } })
}

async function refusing(answer: () => Reply | Promise<Reply>): Promise<Reply> {
  try {
    return await answer()
  } catch (error) {
    if (!(error instanceof ChatProblem)) throw error
    return vllmError(error.status, error.type, error.message, error.param)
  }
}
