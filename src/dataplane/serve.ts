import { Refusal, REFUSALS } from '#contract/refusal.ts'
import { RULES_VERSION } from '#detect/scan.ts'
import { join } from 'node:path'
import type { Collection } from './access/collection.ts'
import { createPassportCheck } from './access/passport.ts'
import { answerContext } from './agent.ts'
import type { AgentWorld } from './agent.ts'
import { createMiniLmEmbedder } from './embed/minilm.ts'
import type { Embedder } from './embed/embedder.ts'
import type { FactSources } from './facts/look-up.ts'
import { startServer } from './http.ts'
import type { Reply } from './http.ts'
import { lanceEngine } from './index/lance-store.ts'
import type { IndexEngine } from './index/store.ts'
import type { IngestProgress, IngestReport } from './ingest/ingest.ts'
import { IndexKeeper } from './ingest/keeper.ts'
import type { Reranker } from './retrieve/rerank.ts'
import { type Witness, witnessRoutes } from './witness/witness.ts'

export interface DataPlaneOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** The agent's name: in receipts, and the audience of passports. Default `thinplane-data`. */
  readonly name?: string
  /** The control plane's issuer string. */
  readonly issuer: string
  /** Gets the control plane's JWKS, parsed JSON. */
  readonly fetchKeys: () => Promise<unknown>
  /** Tenants whose passports are taken. Default: every tenant's. */
  readonly tenants?: readonly string[]
  /** Manifests lie in its folder `index`. */
  readonly dataDir: string
  readonly collections: readonly Collection[]
  /** Queries and tables. Default none. */
  readonly facts?: FactSources
  /** Where passages are kept. Default: LanceDB in the folder `index`. */
  readonly engine?: IndexEngine
  /** Makes indexes of another embedding model anew. Default false: they are refused. */
  readonly rebuild?: boolean
  /** False: another process writes the indexes. Default true. */
  readonly writes?: boolean
  /** Serves an index that is there while it is brought up to date. Default false. */
  readonly servesOld?: boolean
  /** Sources are listed again after so long. Default 0: at the start only. */
  readonly listEveryMs?: number
  /** Upper bound of an answer's JSON, whatever the request asks for. Default 65536. */
  readonly maxAnswerBytes?: number
  /** Epoch milliseconds. */
  readonly now?: () => number
  /** Default MiniLM on worker threads. */
  readonly embedder?: Embedder
  readonly reranker?: Reranker
  /** Called after each document while the agent ingests at its start. */
  readonly onProgress?: (progress: IngestProgress) => void
  /** Answers `POST /witness/add-checkpoint`. Absent: the agent is no witness. */
  readonly witness?: Witness
  /** Called with what is a fault of the agent itself; the caller sees CONTEXT_UNAVAILABLE. */
  readonly onFault?: (error: unknown) => void
}

export interface DataPlane {
  readonly url: string
  /**
   * Settles when every collection is loaded and up to date: until then `/readyz` is 503. Rejects when that
   * can not be: a package or a collection's folder is missing. The agent then stays up and says why.
   */
  readonly ready: Promise<readonly IngestReport[]>
  /** Brings one collection, or all, up to date now. @throws {Refusal} CONTEXT_UNKNOWN. */
  ingest(collection?: string, onProgress?: (progress: IngestProgress) => void): Promise<readonly IngestReport[]>
  /** Lets open requests end for at most three seconds. */
  close(): Promise<void>
}

const DEFAULT_MAX_ANSWER_BYTES = 65_536
/** More would only wait for the embedding model. */
const MAX_CONCURRENT = 64

/**
 * Starts the agent that runs beside the data. Resolves when it listens; it answers context requests once
 * `ready` has settled.
 *
 * @throws {TypeError} for collection names that can not be used, and when the port can not be had.
 */
export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const agent = new Agent(options)
  const server = await startServer({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    routes: {
      'POST /v1/context': async (body, signal) => await agent.context(body, signal),
      ...(options.witness === undefined ? {} : witnessRoutes(options.witness)),
      'GET /v1/collections': async () => await Promise.resolve(agent.collections()),
      'GET /livez': async () => await Promise.resolve({ status: 200, body: { live: true } }),
      'GET /readyz': async () => await Promise.resolve(agent.readiness()),
    },
    onError: (error) => toReply(error, options.onFault),
  })
  const ready = agent.start()
  // Whoever does not wait for it reads the reason at `/readyz`.
  ready.catch(() => undefined)
  return {
    url: server.url,
    ready,
    ingest: async (collection, onProgress) => await agent.ingest(collection, onProgress),
    async close() {
      await server.close()
      await agent.close()
    },
  }
}

/** The agent while it runs: what it is ready for, and how many ask at once. */
class Agent {
  readonly #options: DataPlaneOptions
  readonly #keeper: IndexKeeper
  readonly #world: AgentWorld
  #isReady = false
  #notReady = 'the index is being opened'
  #open = 0
  #isClosed = false

  constructor(options: DataPlaneOptions) {
    this.#options = options
    const { now = Date.now, name = 'thinplane-data', dataDir, embedder = createMiniLmEmbedder() } = options
    const onFault = (error: unknown): void => options.onFault?.(error)
    this.#keeper = new IndexKeeper({
      collections: options.collections,
      dataDir,
      engine: options.engine ?? lanceEngine({ uri: join(dataDir, 'index') }),
      embedder,
      rebuild: options.rebuild ?? false,
      writes: options.writes ?? true,
      servesOld: options.servesOld ?? false,
      listEveryMs: options.listEveryMs ?? 0,
      now,
      onFault,
    })
    const { issuer, fetchKeys } = options
    this.#world = {
      name,
      tenants: options.tenants ?? [],
      checkPassport: createPassportCheck({ issuer, audience: name, fetchKeys, now }),
      indexes: this.#keeper.indexes,
      facts: options.facts ?? { queries: new Map(), tables: new Map() },
      embedder,
      reranker: options.reranker,
      maxAnswerBytes: options.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES,
      onFault,
      now,
    }
  }

  async start(): Promise<readonly IngestReport[]> {
    try {
      const reports = await this.#keeper.start((progress) => {
        this.#options.onProgress?.(progress)
        this.#notReady = `ingesting ${progress.collection}: ${progress.done} of ${progress.total} documents`
      })
      // The model is loaded now rather than by the first caller.
      if (this.#options.collections.length > 0) await this.#world.embedder.embedQuery('ready')
      this.#isReady = !this.#isClosed
      return reports
    } catch (error) {
      this.#notReady = `the index can not be loaded: ${error instanceof Error ? error.message : String(error)}`
      if (!this.#isClosed) this.#options.onFault?.(error)
      throw error
    }
  }

  async ingest(
    name: string | undefined,
    onProgress: ((progress: IngestProgress) => void) | undefined,
  ): Promise<readonly IngestReport[]> {
    if (name !== undefined && !this.#keeper.indexes.has(name)) {
      const known = this.#options.collections.map((collection) => `\`${collection.name}\``).join(', ')
      throw new Refusal('CONTEXT_UNKNOWN', `no such collection, this agent has ${known}`, { param: 'collections' })
    }
    return await this.#keeper.ingest(name, onProgress)
  }

  async context(body: string, signal: AbortSignal): Promise<Reply> {
    if (!this.#isReady) throw new Refusal('CONTEXT_UNAVAILABLE', this.#notReady, { retryAfterS: 1 })
    if (this.#open >= MAX_CONCURRENT) {
      throw new Refusal('CONTEXT_UNAVAILABLE', `more than ${MAX_CONCURRENT} requests are open`, { retryAfterS: 1 })
    }
    this.#open += 1
    try {
      return { status: 200, body: await answerContext(this.#world, body, signal) }
    } finally {
      this.#open -= 1
    }
  }

  /** For whoever runs the agent: names, counts and states, no contents. */
  collections(): Reply {
    const { queries, tables } = this.#world.facts
    const collections = Array.from(this.#keeper.indexes.values(), ({ collection, manifest }) => ({
      name: collection.name,
      title: collection.title,
      source: collection.source.name,
      ...manifest.counts(),
      ...this.#keeper.state(collection.name),
      rules: RULES_VERSION,
    }))
    return {
      status: 200,
      body: {
        agent: this.#world.name,
        model: this.#world.embedder.model,
        collections,
        queries: Array.from(queries.values(), ({ name, title }) => ({ name, title })),
        tables: Array.from(tables.values(), ({ name, title }) => ({ name, title })),
      },
    }
  }

  readiness(): Reply {
    if (this.#isReady) {
      const { witness } = this.#options
      return { status: 200, body: { ready: true, ...(witness === undefined ? {} : { witness: witness.vkey }) } }
    }
    return { status: 503, body: { ready: false, reason: this.#notReady }, retryAfterS: 1 }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#isReady = false
    this.#notReady = 'the agent is stopping'
    await this.#keeper.close()
    const engines = new Set(Array.from(this.#world.facts.queries.values(), ({ engine }) => engine))
    for (const engine of engines) await engine.close()
  }
}

/** Errors that are not refusals are faults of the agent: the caller learns that, and nothing else. */
function toReply(error: unknown, onFault: ((error: unknown) => void) | undefined): Reply {
  if (!(error instanceof Refusal)) onFault?.(error)
  const refusal =
    error instanceof Refusal
      ? error
      : new Refusal('CONTEXT_UNAVAILABLE', 'the data plane failed, the cause is in its own log', { cause: error })
  const { code, message, param, retryAfterS } = refusal
  return {
    status: REFUSALS[code].status,
    body: { error: { code, message, ...(param === undefined ? {} : { param }) } },
    retryAfterS,
  }
}
