import { RULES_VERSION } from '#detect/scan.ts'
import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { assertCollections } from '#dataplane/access/collection.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import type { IndexEngine } from '#dataplane/index/store.ts'
import type { SourceChange } from '#dataplane/sources/source.ts'
import { ingest, takeChanges } from './ingest.ts'
import type { IngestProgress, IngestReport } from './ingest.ts'
import { LockedError } from './lock-file.ts'
import { createPreparer } from './preparer.ts'

export interface KeeperOptions {
  readonly collections: readonly Collection[]
  readonly dataDir: string
  readonly engine: IndexEngine
  readonly embedder: Embedder
  readonly rebuild: boolean
  /** False: the indexes are read and another process writes them. */
  readonly writes: boolean
  /**
   * Whether an index that a whole ingest left is served at once, and brought up to date meanwhile. Where the rules of a
   * collection have changed since, or there is no index yet, it is waited for.
   */
  readonly servesOld: boolean
  /** A source is listed again after so long, for what no event told. 0: only at the start. */
  readonly listEveryMs: number
  readonly now: () => number
  /** Told of what goes wrong behind the requests; the keeper tries again. */
  readonly onFault: (error: unknown) => void
}

/** What the keeper is at with one collection. */
export interface KeptState {
  readonly state: 'opening' | 'ingesting' | 'current' | 'failing'
  /** Documents done and listed while it ingests. */
  readonly done: number
  readonly total: number
  /** Why the last attempt failed; empty when it did not. */
  readonly error: string
  /** End of the last ingest or batch of changes, epoch milliseconds; 0 before the first. */
  readonly currentAtEpochMs: number
}

/** Changes that come while another process ingests wait for so long before the next attempt. */
const LOCKED_WAIT_MS = 1000
/** Between two looks at what another agent wrote. */
const REFRESH_MS = 5000
/** A source that can not be watched is tried again, twice as late each time up to the second. */
const RETRY_MS = [1000, 60_000] as const
/** Batches of changes between two compactions: each leaves small files behind. */
const COMPACT_BATCHES = 100

const OPENING: KeptState = { state: 'opening', done: 0, total: 0, error: '', currentAtEpochMs: 0 }

/** Keeps the indexes of an agent's collections up to date: lists their sources at the start, then follows their events. */
export class IndexKeeper {
  readonly #options: KeeperOptions
  readonly #preparer = createPreparer()
  readonly #indexes = new Map<string, CollectionIndex>()
  readonly #states = new Map<string, KeptState>()
  readonly #stop = new AbortController()
  /** By collection: what its index is at. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #watching: Promise<unknown> = Promise.resolve()
  #starting: Promise<unknown> = Promise.resolve()

  /** @throws {TypeError} for collection names that can not be used. */
  constructor(options: KeeperOptions) {
    assertCollections(options.collections)
    this.#options = options
    for (const { name } of options.collections) this.#states.set(name, OPENING)
  }

  get indexes(): ReadonlyMap<string, CollectionIndex> {
    return this.#indexes
  }

  state(collection: string): KeptState {
    return this.#states.get(collection) ?? OPENING
  }

  /** Opens the indexes, brings them up to date and begins to follow events. @throws as `openCollection` and `ingest`. */
  async start(onProgress: (progress: IngestProgress) => void): Promise<readonly IngestReport[]> {
    const starting = this.#start(onProgress)
    this.#starting = starting.catch(() => undefined)
    return await starting
  }

  async #start(onProgress: (progress: IngestProgress) => void): Promise<readonly IngestReport[]> {
    for (const collection of this.#options.collections) {
      this.#stop.signal.throwIfAborted()
      this.#indexes.set(collection.name, await openCollection(collection, this.#options))
    }
    if (!this.#options.writes) {
      this.#watching = this.#refreshNowAndThen()
      return []
    }
    const canServe = this.#options.servesOld && [...this.#indexes.values()].every(isServable)
    const ingested = this.ingest(undefined, onProgress)
    this.#watching = ingested.then(
      async () => await Promise.all(Array.from(this.#indexes.values(), async (index) => await this.#follow(index))),
      // Whoever waits for the ingest is told; nobody does when the old index is served.
      (error: unknown) => (canServe ? this.#recover(error) : undefined),
    )
    return canServe ? [] : await ingested
  }

  /** The old index is served, and the ingest is tried again with the next listing or event. */
  async #recover(error: unknown): Promise<void> {
    if (this.#stop.signal.aborted) return
    for (const { collection } of this.#indexes.values()) this.#note(collection.name, { state: 'failing' })
    this.#options.onFault(error)
    await Promise.all(Array.from(this.#indexes.values(), async (index) => await this.#follow(index)))
  }

  /** What another agent writes is read; its passages need no word from here, who may read them does. */
  async #refreshNowAndThen(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      for (const index of this.#indexes.values()) {
        const { name } = index.collection
        try {
          await index.refresh()
          this.#note(name, { state: 'current', error: '', currentAtEpochMs: this.#options.now() })
        } catch (error) {
          if (!signal.aborted) this.#fail(name, error)
        }
      }
      await pause(REFRESH_MS, signal)
    }
  }

  /** Lists the source of one collection, or of all, and brings in what changed. */
  async ingest(
    name: string | undefined,
    onProgress: (progress: IngestProgress) => void = () => undefined,
  ): Promise<readonly IngestReport[]> {
    const wanted = [...this.#indexes.values()].filter(
      ({ collection }) => name === undefined || collection.name === name,
    )
    const reports: IngestReport[] = []
    try {
      for (const index of wanted) reports.push(await this.#turn(index, async () => await this.#list(index, onProgress)))
    } finally {
      await this.#preparer.rest()
    }
    return reports
  }

  async #list(index: CollectionIndex, onProgress: (progress: IngestProgress) => void): Promise<IngestReport> {
    const { name } = index.collection
    this.#note(name, { state: 'ingesting', done: 0, total: 0, error: '' })
    const report = await ingest(index, this.#tools(), {
      signal: this.#stop.signal,
      onProgress: (progress) => {
        this.#note(name, { done: progress.done, total: progress.total })
        onProgress(progress)
      },
    })
    index.manifest.setFact(SERVABLE, rulesOf(index))
    this.#note(name, { state: 'current', error: '', currentAtEpochMs: this.#options.now() })
    return report
  }

  /** Until the keeper closes: events as they come, and a listing now and then. */
  async #follow(index: CollectionIndex): Promise<void> {
    await Promise.all([this.#watch(index), this.#listAgain(index)])
  }

  async #watch(index: CollectionIndex): Promise<void> {
    const { source, name } = index.collection
    const { signal } = this.#stop
    if (source.watch === undefined) return
    let retryMs: number = RETRY_MS[0]
    let batches = 0
    const take = async (changes: readonly SourceChange[]): Promise<void> => {
      batches += 1
      await this.#take(index, changes, batches % COMPACT_BATCHES === 0)
      retryMs = RETRY_MS[0]
    }
    while (!signal.aborted) {
      try {
        await source.watch(take, signal)
      } catch (error) {
        if (signal.aborted) return
        this.#fail(name, error)
        await pause(retryMs, signal)
        retryMs = Math.min(retryMs * 2, RETRY_MS[1])
      }
    }
  }

  async #take(index: CollectionIndex, changes: readonly SourceChange[], compacts: boolean): Promise<void> {
    const { name } = index.collection
    const { signal } = this.#stop
    const take = async () =>
      await index.alone(async () => {
        await takeChanges(index, this.#tools(), changes, signal)
        if (compacts) await index.store.compact()
      })
    await this.#turn(index, async () => await waitingForLock(take, signal))
    this.#note(name, { state: 'current', error: '', currentAtEpochMs: this.#options.now() })
  }

  async #listAgain(index: CollectionIndex): Promise<void> {
    const { listEveryMs } = this.#options
    const { signal } = this.#stop
    while (listEveryMs > 0 && !signal.aborted) {
      await pause(listEveryMs, signal)
      if (signal.aborted) return
      try {
        await this.ingest(index.collection.name)
      } catch (error) {
        if (!signal.aborted) this.#fail(index.collection.name, error)
      }
    }
  }

  /** One thing at a time is done to an index. */
  async #turn<Result>(index: CollectionIndex, work: () => Promise<Result>): Promise<Result> {
    const { name } = index.collection
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(work)
    this.#turns.set(
      name,
      turn.catch(() => undefined),
    )
    return await turn
  }

  #tools() {
    const { embedder, now } = this.#options
    return { embedder, preparer: this.#preparer, now }
  }

  #note(name: string, change: Partial<KeptState>): void {
    this.#states.set(name, { ...this.state(name), ...change })
  }

  #fail(name: string, error: unknown): void {
    this.#note(name, { state: 'failing', error: error instanceof Error ? error.message : String(error) })
    this.#options.onFault(error)
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the agent was closed'))
    await this.#options.embedder.close()
    await this.#preparer.close()
    // Nothing must write any more when the stores are closed.
    await Promise.allSettled([this.#starting, this.#watching, ...this.#turns.values()])
    for (const index of this.#indexes.values()) await index.close()
    await this.#options.engine.close()
  }
}

/** The other process ends one day; until then the changes wait where they are. */
async function waitingForLock<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof LockedError)) throw error
      signal.throwIfAborted()
      await pause(LOCKED_WAIT_MS, signal)
    }
  }
}

/** Fact of a manifest: the rules under which the last whole ingest was made. */
const SERVABLE = 'served'

/** Whether every passage has the permissions that the collection's rules give it now. */
function isServable(index: CollectionIndex): boolean {
  return index.manifest.fact(SERVABLE) === rulesOf(index)
}

function rulesOf({ collection }: CollectionIndex): string {
  return createHash('sha256')
    .update(JSON.stringify([RULES_VERSION, collection.rules]))
    .digest('hex')
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal, ref: false }).catch(() => undefined)
}
