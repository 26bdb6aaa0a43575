import { Agent } from 'node:http'
import type { Section } from '#bench/report.ts'
import type { Surroundings } from '#bench/sides.ts'
import { seeded } from '#simclouds/seeded.ts'
import type { StartCloudRunOptions } from '#simclouds/start-cloud-run.ts'
import { type Outcome, type Question, ask, openLoop } from './ask.ts'
import { poisson } from './draws.ts'
import { at, percent, tableOf } from './numbers.ts'
import { type Pool, type PoolService, startPool } from './pool.ts'
import {
  type CoreUse,
  type GatewayParts,
  type RouterSide,
  coresLine,
  startRouter,
  targetAt,
  whileWatching,
} from './side.ts'

/** All times are of the model: what a caller would see without compression. */
interface Plan {
  /** So many times faster than the wall. 1 ms of the gateway's own work counts as so many. */
  readonly scale: number
  /** Applications side by side, each with a service and an alias of its own. */
  readonly apps: number
  readonly perHour: number
  /** Before anything counts. */
  readonly warmUpMs: number
  readonly countedMs: number
}
const FULL: Plan = { scale: 50, apps: 40, perHour: 6, warmUpMs: 1_500_000, countedMs: 2.5 * 3_600_000 }
const QUICK: Plan = { scale: 100, apps: 20, perHour: 6, warmUpMs: 600_000, countedMs: 3_600_000 }

const COLD = { medianMs: 25_000, sigma: 0.35 }
const IDLE_MS = 900_000
const WARM_FIRST_MS = 350
const FALLBACK_FIRST_MS = 800
const HEDGE_AFTER_MS = 2000
const DETOUR_ABOVE_MS = 1000
const TOKEN_MS = 25
const MAX_TOKENS = 8
/** List price of a Cloud Run instance with an L4, 4 vCPU and 16 GiB, without zonal redundancy, tier 1, 2026. */
const INSTANCE_USD_PER_HOUR = 1.047
/** List price of a small managed model (Llama 3.1 8B), $0.22 for a million tokens, with 1,000 in and 300 out. */
const FALLBACK_USD = (1300 * 0.22) / 1_000_000

interface Seen {
  readonly name: string
  readonly firstS: readonly number[]
  readonly failed: number
  readonly byFallback: number
  readonly starts: number
  readonly instanceHours: number
  readonly usdPer1000: number
  /** Milliseconds of the wall that the gateway adds to a warm answer. */
  readonly addedMs: number
  readonly cores: CoreUse
}

/** What callers wait for when the model sleeps, by what the router does about it. */
export async function coldStart(surroundings: Surroundings, quick: boolean): Promise<Section> {
  const plan = quick ? QUICK : FULL
  const seen: Seen[] = []
  for (const side of sidesOf(plan)) seen.push(await measured(surroundings, side, plan))
  return { name: 'router-cold-start', markdown: markdown(seen, sidesOf(plan), plan), numbers: { plan, seen } }
}

function sidesOf({ scale }: Plan): readonly RouterSide[] {
  const real = (ms: number): number => Math.max(1, Math.round(ms / scale))
  const never = 3_600_000
  const both = (routing: object) => (urls: readonly string[]) => partsOf(urls, scale, ['gpu', 'fallback'], routing)
  return [
    {
      name: 'wait',
      what: 'the sleeping model is the only target: callers are held',
      config: (urls) =>
        partsOf(urls, scale, ['gpu'], { detourAboveMs: real(DETOUR_ABOVE_MS), maxWaitMs: real(180_000) }),
    },
    {
      name: 'hedge',
      what: `no detour; after ${HEDGE_AFTER_MS / 1000} s, or the 95th percentile seen, the fallback is asked as well, for every request if need be`,
      config: both({
        detourAboveMs: never,
        maxWaitMs: real(180_000),
        hedge: { percent: 100, minMs: real(HEDGE_AFTER_MS) },
      }),
    },
    {
      name: 'detour',
      what: 'the default: what is expected to be cold is woken while the fallback answers, 5 % of the requests may be hedged',
      config: both({
        detourAboveMs: real(DETOUR_ABOVE_MS),
        maxWaitMs: real(60_000),
        hedge: { percent: 5, minMs: real(50) },
      }),
    },
  ]
}

/** The last service is the fallback of all. */
function partsOf(
  urls: readonly string[],
  scale: number,
  kinds: readonly ('gpu' | 'fallback')[],
  routing: object,
): GatewayParts {
  const scaling = { idleMs: IDLE_MS / scale, coldStartMs: COLD.medianMs / scale, wakePath: '/health' }
  const gpus = urls.slice(0, -1)
  const targets = Object.fromEntries(gpus.map((url, app) => [`gpu-${app}`, targetAt(url, { scaling })]))
  const aliases = gpus.map((_, app) => {
    const names = kinds.map((kind) => (kind === 'gpu' ? `gpu-${app}` : 'fallback'))
    return [`app-${app}`, { targets: names, routing }] as const
  })
  const fallback = targetAt(urls.at(-1) ?? '', { place: { cloud: 'aws', region: 'us-east-1' } })
  return { targets: { ...targets, fallback }, aliases: Object.fromEntries(aliases) }
}

function servicesOf({ scale, apps }: Plan): readonly StartCloudRunOptions[] {
  const gpu = (seed: number): StartCloudRunOptions => ({
    timeScale: scale,
    scaling: { coldStartMs: COLD.medianMs, sigma: COLD.sigma, idleMs: IDLE_MS, concurrency: 16, seed },
    engine: { overheadMs: WARM_FIRST_MS, prefillMsPerToken: 0, tokenMs: TOKEN_MS, loadFactor: 1, seed },
  })
  return [
    ...Array.from({ length: apps }, (_, app) => gpu(app + 1)),
    {
      timeScale: scale,
      engine: {
        overheadMs: FALLBACK_FIRST_MS,
        prefillMsPerToken: 0,
        tokenMs: TOKEN_MS,
        loadFactor: 1,
        maxNumSeqs: 1000,
      },
    },
  ]
}

/** The same requests at the same times on every side. */
function arrivalsOf({ apps, perHour, warmUpMs, countedMs, scale }: Plan) {
  return Array.from({ length: apps }, (_, app) =>
    poisson(seeded(1000 + app), perHour / 3600, warmUpMs + countedMs).map((ms, number) => ({
      atMs: ms / scale,
      app,
      number,
    })),
  ).flat()
}

async function measured(surroundings: Surroundings, side: RouterSide, plan: Plan): Promise<Seen> {
  const pool = await startPool(servicesOf(plan), surroundings.isPinned)
  const router = await startRouter(surroundings, side, pool.urls).catch(async (error: unknown) => {
    await pool.stop()
    throw error
  })
  const questionOf = ({ app, number }: { app: number; number: number }): Question => ({
    url: router.url,
    token: surroundings.clouds.token,
    model: `app-${app}`,
    system: 'Answer in one sentence.',
    text: `Case ${app}.${number}: what happens next?`,
    maxTokens: MAX_TOKENS,
  })
  try {
    const { value, cores } = await whileWatching(router.pid, async () => {
      const before = new Promise<readonly PoolService[]>((resolve, reject) => {
        setTimeout(() => void pool.look().then(resolve, reject), plan.warmUpMs / plan.scale)
      })
      const outcomes = await openLoop(arrivalsOf(plan), questionOf)
      return { outcomes, before: await before, after: await pool.look() }
    })
    const addedMs = await addedTo(pool, questionOf({ app: 0, number: 1_000_000 }))
    const counted = value.outcomes.filter(({ atMs }) => atMs * plan.scale >= plan.warmUpMs)
    return { name: side.name, ...summed(counted, value.before, value.after, plan), addedMs, cores }
  } finally {
    await router.stop()
    await pool.stop()
  }
}

function summed(
  outcomes: readonly Outcome[],
  before: readonly PoolService[],
  after: readonly PoolService[],
  { scale }: Plan,
): Omit<Seen, 'name' | 'addedMs' | 'cores'> {
  const good = outcomes.filter(({ status }) => status === 200)
  const grown = (count: 'billedS' | 'starts'): number =>
    after.reduce(
      (sum, { state }, index) => sum + (state.front?.[count] ?? 0) - (before[index]?.state.front?.[count] ?? 0),
      0,
    )
  const byFallback = good.filter(({ target }) => target === 'fallback').length
  const instanceHours = grown('billedS') / 3600
  return {
    firstS: good.map(({ firstMs }) => (firstMs * scale) / 1000),
    failed: outcomes.length - good.length,
    byFallback,
    starts: grown('starts'),
    instanceHours,
    usdPer1000: ((instanceHours * INSTANCE_USD_PER_HOUR + byFallback * FALLBACK_USD) / good.length) * 1000,
  }
}

const PROBES = 40

/** What the gateway's own work adds, which compression multiplies: warm, through it and past it in turn. */
async function addedTo(pool: Pool, question: Question): Promise<number> {
  const agent = new Agent({ keepAlive: true })
  await ask(agent, question)
  const through: number[] = []
  const past: number[] = []
  for (let number = 0; number < PROBES; number += 1) {
    const text = `${question.text} Probe ${number}.`
    through.push((await ask(agent, { ...question, text })).firstMs)
    past.push((await ask(agent, { ...question, text, url: pool.urls[0] ?? '', model: 'simulated-llama' })).firstMs)
  }
  agent.destroy()
  return at(0.5, through) - at(0.5, past)
}

function markdown(seen: readonly Seen[], sides: readonly RouterSide[], plan: Plan): string {
  const seconds = (share: number) => (each: Seen) => at(share, each.firstS).toFixed(2)
  const heads = ['side', 'requests', 'failed', 'p50 s', 'p90 s', 'p95 s', 'p99 s', 'by the fallback']
  const rows = seen.map((each) => [
    each.name,
    String(each.firstS.length),
    String(each.failed),
    ...[0.5, 0.9, 0.95, 0.99].map((share) => seconds(share)(each)),
    percent(each.byFallback / each.firstS.length),
  ])
  const costs = seen.map((each) => [
    each.name,
    String(each.starts),
    each.instanceHours.toFixed(1),
    ((plan.apps * plan.countedMs) / 3_600_000).toFixed(0),
    each.usdPer1000.toFixed(2),
    each.addedMs.toFixed(2),
    ((each.addedMs * plan.scale) / 1000).toFixed(3),
  ])
  return [
    '## Cold starts',
    '',
    `${plan.apps} applications with a model of their own, each asked ${plan.perHour} times an hour (Poisson) for ${(plan.countedMs / 3_600_000).toFixed(0)} hours after a warm-up, ${plan.scale} times as fast as the wall; all figures in uncompressed seconds. Cold start ${COLD.medianMs / 1000} s (lognormal, sigma ${COLD.sigma}), kept idle ${IDLE_MS / 60_000} min, first token ${WARM_FIRST_MS / 1000} s warm and ${FALLBACK_FIRST_MS / 1000} s from the fallback. Every side got the same requests at the same times. Failed ones are not among the times.`,
    '',
    ...sides.map(({ name, what }) => `- **${name}**: ${what}`),
    '',
    'Time to the first content:',
    '',
    tableOf(heads, rows),
    '',
    `Cost: instance-hours billed at $${INSTANCE_USD_PER_HOUR}/h (L4, 4 vCPU, 16 GiB, list price of 2026), and $${(FALLBACK_USD * 1000).toFixed(2)} for 1,000 answers of the fallback. "Added" is what the gateway adds to a warm answer, in milliseconds of the wall, and what compression makes of it in the table above:`,
    '',
    tableOf(['side', 'starts', 'instance-hours', 'of', '$ for 1,000 requests', 'added ms', 'counts as s'], costs),
    '',
    ...seen.map(({ name, cores }) => `- ${coresLine(name, cores)}`),
  ].join('\n')
}
