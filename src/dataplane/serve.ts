import type { PassportClaims } from '#contract/context.ts'
import { Refusal, REFUSALS } from '#contract/refusal.ts'
import { RULES_VERSION } from '#detect/scan.ts'
import { composeAnswer } from './answer.ts'
import { assertCollections, mayRead, permittedAccessIds } from '#dataplane/access/collection.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import { createMiniLmEmbedder } from '#dataplane/embed/embed.ts'
import type { Embedder } from '#dataplane/embed/embed.ts'
import { startServer } from './http.ts'
import type { Reply } from './http.ts'
import { ingest, summary } from '#dataplane/ingest/ingest.ts'
import type { IngestProgress, IngestReport } from '#dataplane/ingest/ingest.ts'
import { createPassportCheck } from '#dataplane/access/passport.ts'
import { createPreparer } from '#dataplane/ingest/preparer.ts'
import { parseContextRequest } from './request.ts'
import { retrieve } from '#dataplane/retrieve/retrieve.ts'
import type { ReadableCollection } from '#dataplane/retrieve/retrieve.ts'
import { type Witness, witnessRoutes } from '#dataplane/witness/witness.ts'

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
  /** The index lives in its folder `index`. */
  readonly dataDir: string
  readonly collections: readonly Collection[]
  /** Upper bound of an answer's JSON, whatever the request asks for. Default 65536. */
  readonly maxAnswerBytes?: number
  /** Epoch milliseconds. */
  readonly now?: () => number
  /** Default MiniLM on worker threads. */
  readonly embedder?: Embedder
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
  assertCollections(options.collections)
  const agent = new Agent(options)
  const server = await startServer({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    routes: {
      'POST /v1/context': async (body, signal) => await agent.context(body, signal),
      ...(options.witness === undefined ? {} : witnessRoutes(options.witness)),
      'GET /v1/collections': async () => await agent.collections(),
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

class Agent {
  readonly #options: DataPlaneOptions
  readonly #name: string
  readonly #now: () => number
  readonly #embedder: Embedder
  readonly #preparer = createPreparer()
  readonly #checkPassport
  readonly #indexes = new Map<string, CollectionIndex>()
  #isReady = false
  #notReady = 'the index is being opened'
  #open = 0
  #isClosed = false
  #starting: Promise<unknown> = Promise.resolve()

  constructor(options: DataPlaneOptions) {
    this.#options = options
    this.#name = options.name ?? 'thinplane-data'
    this.#now = options.now ?? Date.now
    this.#embedder = options.embedder ?? createMiniLmEmbedder()
    this.#checkPassport = createPassportCheck({
      issuer: options.issuer,
      audience: this.#name,
      fetchKeys: options.fetchKeys,
      now: this.#now,
    })
  }

  async start(): Promise<readonly IngestReport[]> {
    const starting = this.#load()
    this.#starting = starting
    return await starting
  }

  async #load(): Promise<readonly IngestReport[]> {
    try {
      for (const collection of this.#options.collections) {
        const index = await openCollection(collection, this.#options.dataDir, this.#embedder)
        this.#indexes.set(collection.name, index)
      }
      const reports = await this.ingest(undefined, (progress) => {
        this.#notReady = `ingesting ${progress.collection}: ${progress.done} of ${progress.total} documents`
        if (this.#isClosed) throw new Error('the agent was closed')
        this.#options.onProgress?.(progress)
      })
      // The model is loaded now rather than by the first caller.
      await this.#embedder.embedQuery('ready')
      this.#isReady = true
      return reports
    } catch (error) {
      this.#notReady = `the index can not be loaded: ${error instanceof Error ? error.message : String(error)}`
      if (!this.#isClosed) this.#options.onFault?.(error)
      throw error
    }
  }

  async ingest(
    name: string | undefined,
    onProgress: (progress: IngestProgress) => void = () => undefined,
  ): Promise<readonly IngestReport[]> {
    const wanted = name === undefined ? [...this.#indexes.values()] : [this.#indexOf(name)]
    const tools = { embedder: this.#embedder, preparer: this.#preparer }
    const reports: IngestReport[] = []
    try {
      for (const index of wanted) reports.push(await ingest(index, tools, onProgress))
    } finally {
      await this.#preparer.rest()
    }
    return reports
  }

  async context(body: string, signal: AbortSignal): Promise<Reply> {
    if (!this.#isReady) throw new Refusal('CONTEXT_UNAVAILABLE', this.#notReady, { retryAfterS: 1 })
    if (this.#open >= MAX_CONCURRENT) {
      throw new Refusal('CONTEXT_UNAVAILABLE', `more than ${MAX_CONCURRENT} requests are open`, { retryAfterS: 1 })
    }
    this.#open += 1
    try {
      return { status: 200, body: await this.#answer(body, signal) }
    } finally {
      this.#open -= 1
    }
  }

  async #answer(body: string, signal: AbortSignal) {
    const request = parseContextRequest(body)
    const claims = await this.#checkPassport(request.principal)
    const collections = await Promise.all(request.collections.map(async (name) => await this.#readable(name, claims)))
    const found = await retrieve(
      { queries: request.queries, topK: request.topK, collections },
      { embedder: this.#embedder, now: this.#now },
      signal,
    )
    const maxBytes = Math.min(request.maxBytes, this.#options.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES)
    return composeAnswer(
      {
        agent: this.#name,
        claims,
        candidates: found.passages,
        missing: found.missing,
        spans: found.spans,
        atEpochMs: this.#now(),
      },
      maxBytes,
    )
  }

  async #readable(name: string, claims: PassportClaims): Promise<ReadableCollection> {
    const index = this.#indexOf(name)
    if (!claims.collections.includes(name)) {
      throw new Refusal('CONTEXT_FORBIDDEN', `the passport does not name the collection \`${name}\``, {
        param: 'collections',
      })
    }
    if (!mayRead(index.collection.readers, claims)) {
      throw new Refusal(
        'CONTEXT_FORBIDDEN',
        `the caller has no role or group that may read the collection \`${name}\``,
        {
          param: 'collections',
        },
      )
    }
    await index.refresh(this.#now())
    return { index, accessIds: permittedAccessIds(index.classes, claims) }
  }

  #indexOf(name: string): CollectionIndex {
    const index = this.#indexes.get(name)
    if (index !== undefined) return index
    const known = this.#options.collections.map((collection) => `\`${collection.name}\``).join(', ')
    throw new Refusal('CONTEXT_UNKNOWN', `no such collection, this agent has ${known}`, { param: 'collections' })
  }

  async collections(): Promise<Reply> {
    for (const index of this.#indexes.values()) await index.refresh(this.#now())
    const list = Array.from(this.#indexes.values(), ({ collection, manifest }) => {
      const { documents, passages, failed } = summary(collection.name, manifest)
      return {
        name: collection.name,
        title: collection.title,
        documents,
        passages,
        failed: failed.length,
        rules: RULES_VERSION,
      }
    })
    return { status: 200, body: { agent: this.#name, collections: list } }
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
    await this.#embedder.close()
    await this.#preparer.close()
    // Nothing must write any more when the stores are closed.
    await this.#starting.catch(() => undefined)
    for (const { store } of this.#indexes.values()) store.close()
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
