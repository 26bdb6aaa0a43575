import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AccessClasses, Collection } from '#dataplane/access/collection.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import { openManifest } from '#dataplane/ingest/manifest.ts'
import { withLock } from '#dataplane/ingest/lock-file.ts'
import type { Manifest } from '#dataplane/ingest/manifest.ts'
import type { SharedHome } from './shared-home.ts'
import type { IndexEngine, IndexStore } from './store.ts'

/** One collection, opened: its passages and what they were made from. */
export interface CollectionIndex {
  readonly collection: Collection
  readonly store: IndexStore
  readonly manifest: Manifest
  readonly dimensions: number
  /** Whether the index can not hold passages of documents that the manifest does not name. */
  readonly knowsAll: boolean
  /** Access ids of the passages, with the rules behind them. */
  classes(): AccessClasses
  /** Takes over what other agents wrote, where the index is shared. */
  refresh(): Promise<void>
  /** Runs `work` while nobody else writes the index. @throws {LockedError} when somebody does. */
  alone<Result>(work: () => Promise<Result>): Promise<Result>
  close(): Promise<void>
}

export interface OpenOptions {
  /** Manifests and locks lie in its folder `index`. */
  readonly dataDir: string
  readonly engine: IndexEngine
  readonly embedder: Embedder
  /** Makes an index of another embedding model or engine anew, instead of refusing it. Default false. */
  readonly rebuild?: boolean
  /** False: another agent writes the index, and it must be there. Default true. */
  readonly writes?: boolean
}

/** The index was made with another model: its vectors can not be compared with those of the present one. */
class OtherModelError extends Error {
  constructor(collection: string, made: string, wanted: string) {
    super(
      `the index of \`${collection}\` was made with ${made}, not ${wanted}: configure that again, or make the index ` +
        'anew with `thinplane ingest --rebuild`',
    )
    this.name = 'OtherModelError'
  }
}

/** Looks for what another process wrote at most this often. */
const REFRESH_MS = 1000

/**
 * Opens the index of a collection, or makes an empty one.
 *
 * @throws {OtherModelError} when its vectors are those of another model; {MissingPackageError} when LanceDB is not
 * installed.
 */
export async function openCollection(collection: Collection, options: OpenOptions): Promise<CollectionIndex> {
  const { dataDir, engine, embedder } = options
  const folder = join(dataDir, 'index', collection.name)
  const path = join(folder, 'manifest.sqlite')
  const home = engine.home?.(collection.name, join(folder, 'manifest.copy'))
  let manifest = openManifest(path)
  await home?.pull(manifest)
  const made = `${engine.name}, ${embedder.model}`
  const former = manifest.fact('made')
  if (former === undefined && options.writes === false) {
    manifest.close()
    throw new Error(`nobody has written the index of \`${collection.name}\` yet: start an agent that ingests first`)
  }
  if (former !== made) {
    if (former !== undefined && (options.rebuild !== true || options.writes === false)) {
      manifest.close()
      throw new OtherModelError(collection.name, former, made)
    }
    // Without a manifest nobody knows what the passages are of.
    await engine.drop(collection.name)
    manifest.close()
    for (const end of ['', '-wal', '-shm']) await rm(path + end, { force: true })
    manifest = openManifest(path)
    manifest.setFact('made', made)
  }
  const store = await engine.open(collection.name, embedder.dimensions)
  return new OpenCollection({
    collection,
    store,
    manifest,
    lockPath: join(folder, 'ingest.lock'),
    dimensions: embedder.dimensions,
    knowsAll: home === undefined,
    home,
  })
}

interface OpenParts extends Pick<CollectionIndex, 'collection' | 'store' | 'manifest' | 'dimensions' | 'knowsAll'> {
  readonly lockPath: string
  readonly home: SharedHome | undefined
}

class OpenCollection implements CollectionIndex {
  readonly collection: Collection
  readonly store: IndexStore
  readonly manifest: Manifest
  readonly dimensions: number
  readonly knowsAll: boolean
  readonly #lockPath: string
  readonly #home: SharedHome | undefined
  #classes: AccessClasses | undefined
  #changes = -1
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(parts: OpenParts) {
    this.collection = parts.collection
    this.store = parts.store
    this.manifest = parts.manifest
    this.dimensions = parts.dimensions
    this.knowsAll = parts.knowsAll
    this.#lockPath = parts.lockPath
    this.#home = parts.home
  }

  async refresh(): Promise<void> {
    await this.#home?.pull(this.manifest)
  }

  async alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const home = this.#home
    return await withLock(this.#lockPath, async () =>
      home === undefined ? await work() : await home.alone(this.manifest, work),
    )
  }

  classes(): AccessClasses {
    const nowMs = performance.now()
    if (this.#classes !== undefined && nowMs - this.#lookedAtMs < REFRESH_MS) return this.#classes
    this.#lookedAtMs = nowMs
    const changes = this.manifest.changes()
    if (this.#classes === undefined || changes !== this.#changes) this.#classes = this.manifest.classes()
    this.#changes = changes
    return this.#classes
  }

  async close(): Promise<void> {
    this.manifest.close()
    await this.store.close()
  }
}
