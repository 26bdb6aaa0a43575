import { setTimeout as sleep } from 'node:timers/promises'
import type { TargetView } from '#route/view.ts'
import { type AskAdmin, GATEWAY_OPTIONS, adminClient } from '#bin/admin-client.ts'
import { type Command, WrongUsage } from '#bin/command.ts'
import { showWarmth } from '#bin/show-target.ts'

const LOOK_MS = 500
/** Cloud Run gives a GPU service up to half an hour to start. */
const MAX_WAIT_S = 1800

export const command: Command = {
  summary: 'wake targets that sleep, and keep them awake for a while',
  usage: 'TARGET... [--minutes N] [--no-wait] [--url URL] [--key KEY] [--json]',
  takesWords: true,
  options: {
    minutes: { type: 'string', value: 'N', help: 'how long they are kept awake, default 15; 0: no longer' },
    'no-wait': { type: 'boolean', help: 'do not wait until they are awake' },
    ...GATEWAY_OPTIONS,
    json: { type: 'boolean', help: 'print JSON' },
  },
  run: async (given) => {
    if (given.words.length === 0) throw new WrongUsage('name a target, `thinplane targets` lists them')
    const minutes = given.number('minutes', 0, 1440) ?? 15
    const ask = adminClient(given)
    const asked: TargetView[] = []
    for (const name of given.words)
      asked.push((await ask('POST', `/targets/${encodeURIComponent(name)}/warm`, { minutes })) as TargetView)
    const isWaiting = minutes > 0 && !given.flag('no-wait')
    const awake = isWaiting ? await untilAwake(ask, given.words) : asked
    if (given.flag('json')) process.stdout.write(`${JSON.stringify({ targets: awake })}\n`)
    else for (const target of awake) process.stdout.write(`${showWarmth(target, Date.now())}\n`)
    return !isWaiting || awake.every(isAwake) ? 0 : 1
  },
}

async function untilAwake(ask: AskAdmin, names: readonly string[]): Promise<TargetView[]> {
  const until = performance.now() + MAX_WAIT_S * 1000
  for (;;) {
    const { targets } = (await ask('GET', '/targets')) as { readonly targets: readonly TargetView[] }
    const mine = targets.filter(({ name }) => names.includes(name))
    const isOver = mine.every((target) => isAwake(target) || isStuck(target))
    if (isOver || performance.now() >= until) return mine
    await sleep(LOOK_MS)
  }
}

function isAwake({ warmth }: TargetView): boolean {
  return warmth === undefined || warmth.state === 'warm'
}

/** Nobody is waking it any more, and there is a reason. */
function isStuck({ warmth }: TargetView): boolean {
  return warmth !== undefined && warmth.state !== 'waking' && warmth.trouble !== ''
}
