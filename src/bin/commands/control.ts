import { loadConfig } from '#config/load.ts'
import { createLog } from '#observe/log.ts'
import type { Command } from '#bin/command.ts'
import { startControlPlane } from '#bin/control-plane.ts'
import { tellParent, untilStopped } from '#bin/signals.ts'

/** Requests under way may take this long after the process was asked to stop. */
const DRAIN_MS = 4000

export const command: Command = {
  summary: 'run the gateway: one control plane of a real deployment',
  usage: '--config FILE [--port N]',
  options: {
    config: { type: 'string', value: 'FILE', help: 'the configuration, default thinplane.yaml' },
    port: { type: 'string', value: 'N', help: 'overrides listen.port; PORT does too' },
  },
  run: async (given) => {
    const file = given.text('config') ?? 'thinplane.yaml'
    const { config } = await loadConfig(file)
    const port = given.number('port', 0, 65_535) ?? portOf(process.env['PORT'])
    const plane = await startControlPlane({
      file,
      port,
      environment: process.env,
      log: createLog(config.observe.logLevel),
    })
    process.stdout.write(`control plane: ${plane.url}\n`)
    tellParent({ ready: true, url: plane.url })
    await untilStopped()
    await plane.close(DRAIN_MS)
    return 0
  },
}

function portOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : undefined
}
