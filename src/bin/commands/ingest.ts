import { loadConfig } from '#config/load.ts'
import { startDataPlane } from '#dataplane/serve.ts'
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
    const options = dataPlaneOptions(await loadConfig(given.text('config') ?? 'thinplane.yaml'))
    const agent = await startDataPlane({ ...options, port: 0, onProgress: (progress) => showProgress(progress) })
    try {
      const reports = await agent.ready
      const wanted = given.text('collection')
      const shown = wanted === undefined ? reports : reports.filter(({ collection }) => collection === wanted)
      process.stdout.write(
        given.flag('json')
          ? `${JSON.stringify(shown)}\n`
          : `${shown.map((report) => JSON.stringify(report)).join('\n')}\n`,
      )
      return 0
    } finally {
      await agent.close()
      await options.closeBorder()
    }
  },
}

function showProgress(progress: object): void {
  process.stderr.write(`${JSON.stringify(progress)}\n`)
}
