import { startSimClouds } from '#simclouds/start.ts'
import type { Command } from '#bin/command.ts'
import { readSimulation } from '#bin/simulation.ts'
import { tellParent, untilStopped } from '#bin/signals.ts'

export const command: Command = {
  summary: 'run the simulated clouds alone (for tests of your own)',
  usage: '[--options FILE]',
  options: {
    options: { type: 'string', value: 'FILE', help: 'YAML or JSON with ports, places, latencyScale, faults' },
  },
  run: async (given) => {
    const file = given.text('options')
    const clouds = await startSimClouds(file === undefined ? {} : await readSimulation(file))
    for (const [name, url] of Object.entries({ ...clouds.urls, switchboard: clouds.switchboardUrl }))
      process.stdout.write(`${name}: ${url}\n`)
    tellParent({ ready: true, urls: clouds.urls, switchboardUrl: clouds.switchboardUrl, settings: clouds.settings })
    await untilStopped()
    await clouds.close()
    return 0
  },
}
