import { loadConfig } from '#config/load.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { ingestAll } from '#dataplane/ingest/ingest-all.ts'
import type { IngestProgress, IngestReport } from '#dataplane/ingest/ingest.ts'
import type { FailedDocument } from '#dataplane/ingest/manifest.ts'
import { createLog, errorFacts } from '#observe/log.ts'
import type { Command } from '#bin/command.ts'
import { dataPlaneSection } from '#bin/data-plane.ts'
import { type DataSources, openDataSources } from '#bin/data-sources.ts'

export const command: Command = {
  summary: 'bring the sources of the collections into the index',
  usage: '--config FILE [--collection NAME] [--failed | --rebuild] [--json]',
  options: {
    config: { type: 'string', value: 'FILE', help: 'the configuration, default thinplane.yaml' },
    collection: { type: 'string', value: 'NAME', help: 'one collection, default all' },
    failed: { type: 'boolean', help: 'ingest nothing, list the documents without passages, and why' },
    rebuild: { type: 'boolean', help: 'make an index of another embedding model anew' },
    json: { type: 'boolean', help: 'print the report as JSON' },
  },
  run: async (given) => {
    const loaded = await loadConfig(given.text('config') ?? 'thinplane.yaml')
    const log = createLog(loaded.config.observe.logLevel)
    const section = dataPlaneSection(loaded)
    const sources = openDataSources(section, process.env, (error) =>
      log.error('the ingest met a fault', errorFacts(error)),
    )
    try {
      const collections = wanted(sources, given.text('collection'))
      const isJson = given.flag('json')
      if (given.flag('failed')) return await listFailed({ ...sources, collections }, isJson)
      const rebuild = given.flag('rebuild') || section.dataPlane.index.rebuild
      const reports = await ingestAll({ ...sources, collections, rebuild, onProgress: createProgress() })
      process.stdout.write(isJson ? `${JSON.stringify(reports)}\n` : reports.map(showReport).join(''))
      return 0
    } finally {
      sources.close()
    }
  },
}

function wanted({ collections }: DataSources, name: string | undefined): DataSources['collections'] {
  const found = name === undefined ? collections : collections.filter((collection) => collection.name === name)
  if (name === undefined || found.length > 0) return found
  const known = collections.map((collection) => collection.name).join(', ')
  throw new Error(`there is no collection \`${name}\`, choose one of ${known}`)
}

/** Documents that `--failed` lists of one collection. */
const MAX_LISTED = 100_000

async function listFailed(sources: DataSources, isJson: boolean): Promise<number> {
  const lists: { collection: string; failed: FailedDocument[] }[] = []
  try {
    for (const collection of sources.collections) {
      const index = await openCollection(collection, sources)
      try {
        lists.push({ collection: collection.name, failed: index.manifest.failed(MAX_LISTED) })
      } finally {
        await index.close()
      }
    }
  } finally {
    await Promise.all([sources.embedder.close(), sources.engine.close()])
  }
  process.stdout.write(isJson ? `${JSON.stringify(lists)}\n` : lists.map(showFailed).join(''))
  return 0
}

/** Between two lines about documents that went well. */
const PROGRESS_MS = 200

/** Some of the documents that went well, and every one that did not. */
function createProgress(): (progress: IngestProgress) => void {
  let shownMs = Number.NEGATIVE_INFINITY
  return ({ collection, document, fate, isChanged, done, total }) => {
    const isFailed = isChanged && fate !== 'indexed'
    const nowMs = performance.now()
    if (!isFailed && nowMs - shownMs < PROGRESS_MS) return
    shownMs = nowMs
    process.stderr.write(`${collection}: ${done} of ${total}  ${document}${isFailed ? `  ${fate}` : ''}\n`)
  }
}

function showReport({ collection, documents, passages, changed, removed, failures, failed, ms }: IngestReport): string {
  const shown = failed.slice(0, 20)
  const more = failures > shown.length ? `  and ${failures - shown.length} more: --failed lists them\n` : ''
  const counts = `${documents} documents, ${passages} passages; ${changed} read, ${removed} removed, ${failures} failed`
  return `${collection}: ${counts}, in ${Math.round(ms)} ms\n${shown.map(showFailure).join('')}${more}`
}

function showFailed({ collection, failed }: { collection: string; failed: readonly FailedDocument[] }): string {
  const head =
    failed.length === 0 ? 'every document is in the index' : `${failed.length} documents are not in the index`
  return `${collection}: ${head}\n${failed.map(showFailure).join('')}`
}

function showFailure({ document, fate, note }: FailedDocument): string {
  return `  ${document}: ${fate}${note === '' ? '' : `, ${note}`}\n`
}
