import { loadConfig } from '#config/load.ts'
import type { IngestProgress, IngestReport } from '#dataplane/ingest/ingest.ts'
import { ingestAll } from '#dataplane/ingest/ingest-all.ts'
import type { Command } from '#bin/command.ts'
import { dataPlaneOptions } from '#bin/data-plane.ts'

export const command: Command = {
  summary: 'bring the sources of the collections into the index',
  usage: '--config FILE [--collection NAME] [--json]',
  options: {
    config: { type: 'string', value: 'FILE', help: 'the configuration, default thinplane.yaml' },
    collection: { type: 'string', value: 'NAME', help: 'one collection, default all' },
    json: { type: 'boolean', help: 'print the report as JSON' },
  },
  run: async (given) => {
    const {
      dataDir,
      collections: all,
      closeBorder,
    } = dataPlaneOptions(await loadConfig(given.text('config') ?? 'thinplane.yaml'))
    const wanted = given.text('collection')
    const collections = wanted === undefined ? all : all.filter(({ name }) => name === wanted)
    if (wanted !== undefined && collections.length === 0) {
      throw new Error(`there is no collection \`${wanted}\`, choose one of ${all.map(({ name }) => name).join(', ')}`)
    }
    try {
      const reports = await ingestAll({ dataDir, collections }, showProgress)
      process.stdout.write(given.flag('json') ? `${JSON.stringify(reports)}\n` : reports.map(showReport).join(''))
      return 0
    } finally {
      await closeBorder()
    }
  },
}

function showProgress({ collection, document, done, total }: IngestProgress): void {
  process.stderr.write(`${collection}: ${done} of ${total}  ${document}\n`)
}

function showReport({ collection, documents, passages, changed, removed, failed, ms }: IngestReport): string {
  const failures = failed
    .map(({ document, fate, note }) => `  ${document}: ${fate}${note === '' ? '' : `, ${note}`}\n`)
    .join('')
  return `${collection}: ${documents} documents, ${passages} passages; ${changed} read, ${removed} removed, ${failed.length} failed, in ${Math.round(ms)} ms\n${failures}`
}
