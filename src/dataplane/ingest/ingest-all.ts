import { assertCollections } from '#dataplane/access/collection.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import type { IndexEngine } from '#dataplane/index/store.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import { ingest } from './ingest.ts'
import type { IngestOptions, IngestReport } from './ingest.ts'
import { createPreparer } from './preparer.ts'

export interface IngestAllOptions extends IngestOptions {
  /** Manifests lie in its folder `index`: the same as the agent's. */
  readonly dataDir: string
  readonly collections: readonly Collection[]
  readonly engine: IndexEngine
  readonly embedder: Embedder
  /** Makes indexes of another embedding model anew. Default false: they are refused. */
  readonly rebuild?: boolean
}

/**
 * Ingests without serving, also beside an agent that runs: it sees the new passages within five seconds. Closes the
 * embedder and the engine.
 *
 * @throws {TypeError} for collection names that can not be used; otherwise as `openCollection` and `ingest`.
 */
export async function ingestAll(options: IngestAllOptions): Promise<readonly IngestReport[]> {
  const { collections, embedder, engine } = options
  assertCollections(collections)
  const preparer = createPreparer()
  try {
    const reports: IngestReport[] = []
    for (const collection of collections) {
      const index = await openCollection(collection, options)
      try {
        reports.push(await ingest(index, { embedder, preparer }, options))
      } finally {
        await index.close()
      }
    }
    return reports
  } finally {
    await Promise.all([embedder.close(), preparer.close(), engine.close()])
  }
}
