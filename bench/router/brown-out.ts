import type { Section } from '#bench/report.ts'
import type { Surroundings } from '#bench/sides.ts'
import { seeded } from '#simclouds/seeded.ts'
import { type Outcome, openLoop } from './ask.ts'
import { poisson } from './draws.ts'
import { at, percent, tableOf } from './numbers.ts'
import { type Pool, startPool } from './pool.ts'
import {
  type CoreUse,
  type RouterSide,
  type RunningRouter,
  coresLine,
  startRouter,
  targetAt,
  whileWatching,
} from './side.ts'

/** Times are of the model. */
interface Plan {
  readonly scale: number
  readonly perSecond: number
  /** Of each of the three phases: before, during, after. */
  readonly phaseMs: number
}
const FULL: Plan = { scale: 4, perSecond: 8, phaseMs: 60_000 }
const QUICK: Plan = { ...FULL, phaseMs: 16_000 }

const FIRST_MS = 200
const SLOWER = 10
const MAX_TOKENS = 8
const PHASES = ['before', 'during', 'after'] as const
type Phase = (typeof PHASES)[number]

interface Seen {
  readonly name: string
  /** To the first content by phase of the request's beginning, in seconds of the model. */
  readonly firstS: Readonly<Record<Phase, readonly number[]>>
  readonly failed: number
  /** Share of the calls to all three that went to the slow one, by phase. */
  readonly toSlow: Readonly<Record<Phase, number>>
  /** Calls to services for one request during the slow phase: more than 1 are hedges. */
  readonly calls: number
  readonly cores: CoreUse
}

function three(routing: object): (urls: readonly string[]) => {
  targets: Record<string, object>
  aliases: Record<string, object>
} {
  return (urls) => ({
    targets: Object.fromEntries(urls.map((url, index) => [`equal-${index}`, targetAt(url)])),
    aliases: { equals: { targets: urls.map((_, index) => `equal-${index}`), routing } },
  })
}

const SIDES: readonly RouterSide[] = [
  { name: 'round robin', what: 'a plain proxy, each request to the next', config: 'turn' },
  {
    name: 'ordered, no hedge',
    what: 'the gateway, targets as listed',
    config: three({ strategy: 'ordered', hedge: { percent: 0 } }),
  },
  { name: 'ordered', what: 'the same with the default hedge, 5 %', config: three({ strategy: 'ordered' }) },
  {
    name: 'fastest',
    what: 'the gateway, by what it expects of each, default hedge',
    config: three({ strategy: 'fastest' }),
  },
]

/** One of three equal targets gets ten times slower for a minute. */
export async function brownOut(surroundings: Surroundings, quick: boolean): Promise<Section> {
  const plan = quick ? QUICK : FULL
  const seen: Seen[] = []
  for (const side of SIDES) seen.push(await measured(surroundings, side, plan))
  return { name: 'router-brown-out', markdown: markdown(seen, plan), numbers: { plan, seen } }
}

async function measured(surroundings: Surroundings, side: RouterSide, plan: Plan): Promise<Seen> {
  const engine = { overheadMs: FIRST_MS, prefillMsPerToken: 0, tokenMs: 10, loadFactor: 1, maxNumSeqs: 256 }
  const pool = await startPool(
    [1, 2, 3].map((seed) => ({ timeScale: plan.scale, engine: { ...engine, seed } })),
    surroundings.isPinned,
  )
  let router: RunningRouter | undefined
  try {
    router = await startRouter(surroundings, side, pool.urls)
    const { url, pid } = router
    const model = side.config === 'turn' ? 'simulated-llama' : 'equals'
    const token = surroundings.clouds.token
    await openLoop(arrivals(plan, 7, 20_000), ({ number }) => ({ url, token, model, ...textOf(7, number) }))
    const { value, cores } = await whileWatching(pid, async () => {
      const phases: PhaseSeen[] = []
      for (const [index, phase] of PHASES.entries()) {
        // The worst that can happen to a router: it is the one that it likes best.
        const slow = mostUsed(phases[0]?.calls ?? [])
        await pool.slow(slow, phase === 'during' ? (FIRST_MS * (SLOWER - 1)) / plan.scale : 0)
        const before = await requestsOf(pool)
        const outcomes = await openLoop(arrivals(plan, index, plan.phaseMs), ({ number }) => ({
          url,
          token,
          model,
          ...textOf(index, number),
        }))
        const calls = (await requestsOf(pool)).map((count, service) => count - (before[service] ?? 0))
        phases.push({ phase, outcomes, calls })
      }
      return phases
    })
    return { name: side.name, ...summed(value, plan), cores }
  } finally {
    await router?.stop()
    await pool.stop()
  }
}

function arrivals({ perSecond, scale }: Plan, seed: number, forMs: number) {
  return poisson(seeded(500 + seed), perSecond, forMs).map((ms, number) => ({ atMs: ms / scale, number }))
}

function textOf(phase: number, number: number) {
  return {
    system: 'Answer in one sentence.',
    text: `Case ${phase}.${number}: what happens next?`,
    maxTokens: MAX_TOKENS,
  }
}

async function requestsOf(pool: Pool): Promise<readonly number[]> {
  return (await pool.look()).map(({ requests }) => requests)
}

interface PhaseSeen {
  readonly phase: Phase
  readonly outcomes: readonly Outcome[]
  /** By service. */
  readonly calls: readonly number[]
}

function mostUsed(calls: readonly number[]): number {
  return Math.max(0, calls.indexOf(Math.max(...calls)))
}

function summed(
  phases: readonly {
    readonly phase: Phase
    readonly outcomes: readonly Outcome[]
    readonly calls: readonly number[]
  }[],
  { scale }: Plan,
): Omit<Seen, 'name' | 'cores'> {
  const of = <Value>(pick: (outcomes: readonly Outcome[], calls: readonly number[]) => Value, none: Value) => {
    const byPhase = new Map(phases.map(({ phase, outcomes, calls }) => [phase, pick(outcomes, calls)]))
    const get = (phase: Phase): Value => byPhase.get(phase) ?? none
    return { before: get('before'), during: get('during'), after: get('after') }
  }
  const sum = (calls: readonly number[]): number => calls.reduce((total, each) => total + each, 0)
  const slow = mostUsed(phases[0]?.calls ?? [])
  const during = phases.find(({ phase }) => phase === 'during')
  return {
    firstS: of<readonly number[]>(
      (outcomes) => outcomes.filter(({ status }) => status === 200).map(({ firstMs }) => (firstMs * scale) / 1000),
      [],
    ),
    failed: phases.flatMap(({ outcomes }) => outcomes).filter(({ status }) => status !== 200).length,
    toSlow: of((_, calls) => (calls[slow] ?? 0) / sum(calls), Number.NaN),
    calls: sum(during?.calls ?? []) / (during?.outcomes.length ?? Number.NaN),
  }
}

function markdown(seen: readonly Seen[], plan: Plan): string {
  const rows = seen.map(({ name, firstS, failed, toSlow, calls }) => [
    name,
    ...PHASES.flatMap((phase) => [at(0.5, firstS[phase]).toFixed(2), at(0.99, firstS[phase]).toFixed(2)]),
    ...PHASES.map((phase) => percent(toSlow[phase])),
    calls.toFixed(2),
    String(failed),
  ])
  return [
    '## A target that slows down',
    '',
    `Three equal targets, first content after ${FIRST_MS} ms, ${plan.perSecond} requests a second (Poisson). The one that the side used most before needs ${SLOWER} times as long for ${plan.phaseMs / 1000} s, then it is well again; as long before and after. ${plan.scale} times as fast as the wall; figures in uncompressed seconds.`,
    '',
    ...SIDES.map(({ name, what }) => `- **${name}**: ${what}`),
    '',
    tableOf(
      [
        'side',
        ...PHASES.flatMap((phase) => [`${phase}: p50 s`, 'p99 s']),
        ...PHASES.map((phase) => `to the slow one ${phase}`),
        'calls a request, during',
        'failed',
      ],
      rows,
    ),
    '',
    ...seen.map(({ name, cores }) => `- ${coresLine(name, cores)}`),
  ].join('\n')
}
