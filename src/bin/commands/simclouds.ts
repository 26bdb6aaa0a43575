import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { type SimCloudsOptions } from '#simclouds/options.ts'
import { startSimClouds } from '#simclouds/start.ts'
import type { Command } from '#bin/command.ts'
import { tellParent, untilStopped } from '#bin/signals.ts'

export const command: Command = {
  summary: 'run the simulated clouds alone (for tests of your own)',
  usage: '[--options FILE]',
  options: {
    options: { type: 'string', value: 'FILE', help: 'YAML or JSON with ports, places, latencyScale, faults' },
  },
  run: async (given) => {
    const file = given.text('options')
    const options = file === undefined ? {} : (parse(await readFile(file, 'utf8')) as SimCloudsOptions)
    const clouds = await startSimClouds(options)
    for (const [name, url] of Object.entries({ ...clouds.urls, switchboard: clouds.switchboardUrl }))
      process.stdout.write(`${name}: ${url}\n`)
    tellParent({ ready: true, urls: clouds.urls, switchboardUrl: clouds.switchboardUrl, settings: clouds.settings })
    await untilStopped()
    await clouds.close()
    return 0
  },
}
