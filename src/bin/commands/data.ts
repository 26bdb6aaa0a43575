import { loadConfig } from '#config/load.ts'
import { startDataPlane } from '#dataplane/serve.ts'
import { createLog, errorFacts } from '#observe/log.ts'
import type { Command } from '#bin/command.ts'
import { dataPlaneOptions, witnessOf } from '#bin/data-plane.ts'
import { tellParent, untilStopped } from '#bin/signals.ts'

export const command: Command = {
  summary: 'run the data-plane agent beside the data',
  usage: '--config FILE [--port N]',
  options: {
    config: { type: 'string', value: 'FILE', help: 'the configuration, default thinplane.yaml' },
    port: { type: 'string', value: 'N', help: 'overrides dataPlane.port' },
  },
  run: async (given) => {
    const loaded = await loadConfig(given.text('config') ?? 'thinplane.yaml')
    const log = createLog(loaded.config.observe.logLevel)
    const options = dataPlaneOptions(loaded, (error) => log.error('the agent failed', errorFacts(error)))
    const port = given.number('port', 0, 65_535)
    const witness = await witnessOf(loaded, log)
    const agent = await startDataPlane({
      ...options,
      ...(witness === undefined ? {} : { witness }),
      ...(port === undefined ? {} : { port }),
      onProgress: (progress) => tellParent({ progress }),
    })
    process.stdout.write(`data plane: ${agent.url}\n`)
    if (witness !== undefined) process.stdout.write(`witness: ${agent.url}/witness ${witness.vkey}\n`)
    const witnessKey = witness?.vkey ?? ''
    tellParent({ listening: true, url: agent.url, witnessKey })
    agent.ready.then(
      (reports) => tellParent({ ready: true, url: agent.url, reports, witnessKey }),
      (error: unknown) => {
        log.error('the collections can not be served', errorFacts(error))
        tellParent({ failed: error instanceof Error ? error.message : String(error) })
      },
    )
    await untilStopped()
    await agent.close()
    await options.closeSources()
    return 0
  },
}
