import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { accessClasses } from '#dataplane/access/collection.ts'
import type { AccessClasses, Collection } from '#dataplane/access/collection.ts'
import type { Embedder } from '#dataplane/embed/embed.ts'
import { dropIndexStore, openIndexStore } from './index-store.ts'
import type { IndexStore } from './index-store.ts'
import { readManifest } from '#dataplane/ingest/manifest.ts'
import type { Manifest } from '#dataplane/ingest/manifest.ts'

/** One collection, opened: its passages and what they were made from. */
export interface CollectionIndex {
  readonly collection: Collection
  readonly store: IndexStore
  readonly manifestPath: string
  readonly lockPath: string
  readonly manifest: Manifest
  readonly classes: AccessClasses
  /** Takes over what an ingest wrote. */
  adopt(manifest: Manifest): void
  /** Takes over what another process wrote; looks at most once in `REFRESH_MS`. */
  refresh(nowEpochMs: number): Promise<void>
}

const REFRESH_MS = 5000

/**
 * Opens the index of a collection below `dataDir`; makes it anew when there is none, when this version can
 * not read it, or when its vectors are those of another model.
 *
 * @throws {MissingPackageError} when LanceDB is not installed.
 */
export async function openCollection(
  collection: Collection,
  dataDir: string,
  embedder: Embedder,
): Promise<CollectionIndex> {
  const folder = join(dataDir, 'index', collection.name)
  const manifestPath = join(folder, 'manifest.json')
  const storeFolder = join(folder, 'lance')
  const found = await readManifest(manifestPath)
  const isUsable = found !== undefined && [...found.values()].every(({ model }) => model === embedder.model)
  if (!isUsable) await dropIndexStore(storeFolder)
  const store = await openIndexStore(storeFolder, embedder.dimensions)
  return new OpenCollection(collection, store, folder, isUsable ? found : new Map())
}

class OpenCollection implements CollectionIndex {
  readonly collection: Collection
  readonly store: IndexStore
  readonly manifestPath: string
  readonly lockPath: string
  #manifest: Manifest
  #classes: AccessClasses
  #lookedAtEpochMs = 0
  #modifiedEpochMs = 0

  constructor(collection: Collection, store: IndexStore, folder: string, manifest: Manifest) {
    this.collection = collection
    this.store = store
    this.manifestPath = join(folder, 'manifest.json')
    this.lockPath = join(folder, 'ingest.lock')
    this.#manifest = manifest
    this.#classes = accessClasses(collection, manifest.keys())
  }

  get manifest(): Manifest {
    return this.#manifest
  }

  get classes(): AccessClasses {
    return this.#classes
  }

  adopt(manifest: Manifest): void {
    this.#manifest = manifest
    this.#classes = accessClasses(this.collection, manifest.keys())
  }

  async refresh(nowEpochMs: number): Promise<void> {
    if (nowEpochMs - this.#lookedAtEpochMs < REFRESH_MS) return
    this.#lookedAtEpochMs = nowEpochMs
    const modifiedEpochMs = await stat(this.manifestPath).then(
      ({ mtimeMs }) => mtimeMs,
      () => this.#modifiedEpochMs,
    )
    if (modifiedEpochMs === this.#modifiedEpochMs) return
    const manifest = await readManifest(this.manifestPath)
    this.#modifiedEpochMs = modifiedEpochMs
    if (manifest !== undefined) this.adopt(manifest)
  }
}
