import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AccessClasses, Collection } from '#dataplane/access/collection.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import { openManifest } from '#dataplane/ingest/manifest.ts'
import type { Manifest } from '#dataplane/ingest/manifest.ts'
import type { IndexEngine, IndexStore } from './store.ts'

/** One collection, opened: its passages and what they were made from. */
export interface CollectionIndex {
  readonly collection: Collection
  readonly store: IndexStore
  readonly manifest: Manifest
  readonly lockPath: string
  readonly dimensions: number
  /** Whether the index can not hold passages of documents that the manifest does not name. */
  readonly knowsAll: boolean
  /** Access ids of the passages, with the rules behind them. */
  classes(): AccessClasses
  close(): Promise<void>
}

export interface OpenOptions {
  /** Manifests and locks lie in its folder `index`. */
  readonly dataDir: string
  readonly engine: IndexEngine
  readonly embedder: Embedder
  /** Makes an index of another embedding model or engine anew, instead of refusing it. Default false. */
  readonly rebuild?: boolean
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
  let manifest = openManifest(path)
  const made = `${engine.name}, ${embedder.model}`
  const former = manifest.fact('made')
  if (former !== made) {
    if (former !== undefined && options.rebuild !== true) {
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
    knowsAll: engine.isLocal,
  })
}

class OpenCollection implements CollectionIndex {
  readonly collection: Collection
  readonly store: IndexStore
  readonly manifest: Manifest
  readonly lockPath: string
  readonly dimensions: number
  readonly knowsAll: boolean
  #classes: AccessClasses | undefined
  #changes = -1
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(parts: Omit<CollectionIndex, 'classes' | 'close'>) {
    this.collection = parts.collection
    this.store = parts.store
    this.manifest = parts.manifest
    this.lockPath = parts.lockPath
    this.dimensions = parts.dimensions
    this.knowsAll = parts.knowsAll
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
