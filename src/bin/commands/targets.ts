import type { AliasView, TargetView } from '#route/view.ts'
import { GATEWAY_OPTIONS, adminClient } from '#bin/admin-client.ts'
import type { Command } from '#bin/command.ts'
import { showAlias, showTarget } from '#bin/show-target.ts'

export const command: Command = {
  summary: "show each target's state, warmth, speed and price, and what the router would do now",
  usage: '[--url URL] [--key KEY] [--json]',
  options: { ...GATEWAY_OPTIONS, json: { type: 'boolean', help: 'print JSON' } },
  run: async (given) => {
    const said = (await adminClient(given)('GET', '/targets')) as {
      readonly targets: readonly TargetView[]
      readonly aliases: readonly AliasView[]
    }
    if (given.flag('json')) process.stdout.write(`${JSON.stringify(said)}\n`)
    else {
      const now = Date.now()
      process.stdout.write(said.targets.map((target) => showTarget(target, now)).join(''))
      process.stdout.write(`\nwhat the router would do now with a small streamed request, policy permitting\n`)
      process.stdout.write(said.aliases.map(showAlias).join(''))
    }
    return 0
  },
}
