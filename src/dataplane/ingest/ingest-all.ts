import { assertCollections } from '#dataplane/access/collection.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { createMiniLmEmbedder } from '#dataplane/embed/embed.ts'
import type { Embedder } from '#dataplane/embed/embed.ts'
import { ingest } from './ingest.ts'
import type { IngestProgress, IngestReport } from './ingest.ts'
import { createPreparer } from './preparer.ts'

export interface IngestAllOptions {
  /** The index lives in its folder `index`: the same as the agent's. */
  readonly dataDir: string
  readonly collections: readonly Collection[]
  /** Default MiniLM on worker threads. */
  readonly embedder?: Embedder
}

/**
 * Ingests without serving, also beside an agent that runs: it sees the new passages within five seconds.
 *
 * @throws {TypeError} for collection names that can not be used; otherwise as `ingest`.
 */
export async function ingestAll(
  options: IngestAllOptions,
  onProgress?: (progress: IngestProgress) => void,
): Promise<readonly IngestReport[]> {
  assertCollections(options.collections)
  const embedder = options.embedder ?? createMiniLmEmbedder()
  const preparer = createPreparer()
  try {
    const reports: IngestReport[] = []
    for (const collection of options.collections) {
      const index = await openCollection(collection, options.dataDir, embedder)
      try {
        reports.push(await ingest(index, { embedder, preparer }, onProgress))
      } finally {
        index.store.close()
      }
    }
    return reports
  } finally {
    await Promise.all([embedder.close(), preparer.close()])
  }
}
