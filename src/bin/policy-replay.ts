import { resolve } from 'node:path'
import { loadConfig } from '#config/load.ts'
import { type Replayed, replayEntry } from '#policy/replay.ts'
import { createSpend } from '#policy/spend.ts'
import { type Given, WrongUsage } from './command.ts'
import { policyFolders, setUpPolicy } from './policy-setup.ts'
import { eachRequest } from './trail-entries.ts'

const DAY_MS = 86_400_000
/** Requests that are listed, of each outcome. */
const LISTED = 10

interface Row {
  readonly id: string
  readonly at: string
  readonly who: string
  readonly alias: string
  readonly replayed: Replayed
}

/** `thinplane policy replay`: what would these policies have done to the requests of the trail? */
export async function replayCommand(given: Given): Promise<number> {
  const loaded = await loadConfig(given.text('config') ?? 'thinplane.yaml')
  const own = given.text('policies')
  const added = given.text('add')
  const configured = policyFolders(loaded)
  const setup = await setUpPolicy(loaded, [
    ...(own === undefined ? configured : [resolve(own), ...configured.slice(1)]),
    ...(added === undefined ? [] : [resolve(added)]),
  ])
  const until = timeOf(given, 'until') ?? Date.now()
  const since = timeOf(given, 'since') ?? until - DAY_MS
  let now = 0
  // The day's spending as it was when each request came.
  const spend = createSpend(() => now)
  const deps = { ...setup, budget: (...of: Parameters<typeof spend.state>) => spend.state(...of) }
  const counts: Record<Replayed['outcome'], number> = { same: 0, refused: 0, permitted: 0, changed: 0, unknown: 0 }
  const rows: Row[] = []
  await eachRequest(given.text('data') ?? loaded.resolve(loaded.config.data), (entry) => {
    if (entry.atEpochMs > until || entry.atEpochMs < since - DAY_MS) return
    now = entry.atEpochMs
    if (entry.atEpochMs >= since) {
      const replayed = replayEntry(deps, entry)
      counts[replayed.outcome] += 1
      if (
        replayed.outcome !== 'same' &&
        rows.filter((row) => row.replayed.outcome === replayed.outcome).length < LISTED
      )
        rows.push({
          id: entry.id,
          at: new Date(entry.atEpochMs).toISOString(),
          who: entry.principal?.subject ?? '',
          alias: entry.alias,
          replayed,
        })
    }
    spend.entry(entry)
  })
  if (given.flag('json')) process.stdout.write(`${JSON.stringify({ since, until, counts, requests: rows })}\n`)
  else process.stdout.write(show(counts, rows))
  return 0
}

function show(counts: Record<Replayed['outcome'], number>, rows: readonly Row[]): string {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const head = [
    `${total} requests: ${counts.same} decided the same`,
    `${counts.refused} would be refused`,
    `${counts.permitted} would be permitted`,
    `${counts.changed} under other obligations or to other targets`,
    `${counts.unknown} can not be told`,
  ].join(', ')
  const lines = rows.map(({ id, at, who, alias, replayed }) => {
    const how = replayed.outcome === 'unknown' ? replayed.why : replayed.outcome === 'same' ? '' : replayed.how
    const by = 'policies' in replayed && replayed.policies.length > 0 ? `  by ${replayed.policies.join(', ')}` : ''
    return `  ${replayed.outcome.padEnd(9)} ${at}  ${id}  ${who}  ${alias}\n            ${how}${by}`
  })
  return `${[head, ...lines].join('\n')}\n`
}

function timeOf(given: Given, name: string): number | undefined {
  const text = given.text(name)
  if (text === undefined) return undefined
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new WrongUsage(`--${name} takes a time such as 2026-11-25T10:00:00Z`)
  return at
}
