import type { Section } from '#bench/report.ts'
import type { Surroundings } from '#bench/sides.ts'
import { seeded } from '#simclouds/seeded.ts'
import type { StartCloudRunOptions } from '#simclouds/start-cloud-run.ts'
import { type Outcome, type Question, closedLoop, openLoop } from './ask.ts'
import { poisson, prose, zipf } from './draws.ts'
import { at, percent, tableOf } from './numbers.ts'
import { type PoolService, startPool } from './pool.ts'
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
  readonly shards: number
  readonly documents: number
  readonly perSecond: number
  readonly warmUpMs: number
  readonly countedMs: number
  readonly callers: number
  readonly closedMs: number
}
const FULL: Plan = {
  scale: 8,
  shards: 6,
  documents: 192,
  perSecond: 3,
  warmUpMs: 120_000,
  countedMs: 240_000,
  callers: 36,
  closedMs: 240_000,
}
const QUICK: Plan = { ...FULL, documents: 72, warmUpMs: 80_000, countedMs: 80_000, closedMs: 40_000 }

/** Tokens of the stand-in are four characters. */
const DOCUMENT_CHARS = 8000
const QUESTION_CHARS = 120
const MAX_TOKENS = 24
const MAX_NUM_SEQS = 16

interface Seen {
  readonly name: string
  /** To the first content, open loop, in seconds of the model. */
  readonly firstS: readonly number[]
  readonly failed: number
  readonly hitRate: number
  /** Requests by shard over the mean: 1 when they are spread evenly. */
  readonly busiest: number
  readonly closedPerS: number
  readonly closedFirstS: readonly number[]
  readonly closedHitRate: number
  readonly cores: CoreUse
}

interface PrefixSide extends RouterSide {
  /** Whether each document names an e-mail address in its middle, which the guard replaces. */
  readonly hasPersonalData?: boolean
}

const SIDES: readonly PrefixSide[] = [
  {
    name: 'round robin',
    what: 'a plain proxy, each request to the next shard; no identity, guard or audit',
    config: 'turn',
  },
  {
    name: 'by hash',
    what: 'the same proxy, the shard by a hash of the beginning: what placement alone can reach, blind to load',
    config: 'hash',
  },
  {
    name: 'least loaded',
    what: 'the gateway with `prefix: false`: the shard with the least to do',
    config: (urls) => poolParts(urls, { prefix: false }),
  },
  {
    name: 'prefix',
    what: 'the gateway as it is by default: the shard that should have the beginning in its cache, unless it is full',
    config: (urls) => poolParts(urls, {}),
  },
  {
    name: 'prefix, personal data',
    what: 'the same with an e-mail address in the middle of each document: placeholders differ from conversation to conversation, so that nothing behind one is found again',
    config: (urls) => poolParts(urls, {}),
    hasPersonalData: true,
  },
]

function poolParts(urls: readonly string[], routing: object) {
  const pool = targetAt('', {
    vllm: { metricsPath: '/metrics', everyMs: 250, cacheSalt: true, maxConcurrent: MAX_NUM_SEQS },
  })
  const { endpoint: _endpoint, ...shared } = pool as Record<string, unknown>
  // A hedge would ask a second shard: what is compared here is the placement.
  const hedge = { percent: 0 }
  return {
    targets: { pool: { ...shared, shards: urls } },
    aliases: { pool: { targets: ['pool'], routing: { hedge, ...routing } } },
  }
}

/** How often a pool of single instances finds a prompt's beginning in its caches, and what callers have of it. */
export async function prefix(surroundings: Surroundings, quick: boolean): Promise<Section> {
  const plan = quick ? QUICK : FULL
  const seen: Seen[] = []
  for (const side of SIDES) seen.push(await measured(surroundings, side, plan))
  return { name: 'router-prefix', markdown: markdown(seen, plan), numbers: { plan, seen } }
}

async function measured(surroundings: Surroundings, side: PrefixSide, plan: Plan): Promise<Seen> {
  const shard = (seed: number): StartCloudRunOptions => ({
    timeScale: plan.scale,
    engine: { preset: 'l4-8b', maxNumSeqs: MAX_NUM_SEQS, seed },
  })
  const pool = await startPool(
    Array.from({ length: plan.shards }, (_, index) => shard(index + 1)),
    surroundings.isPinned,
  )
  let router: RunningRouter | undefined
  try {
    router = await startRouter(surroundings, side, pool.urls)
    const model = typeof side.config === 'string' ? 'simulated-llama' : 'pool'
    const asked = workload(surroundings, { url: router.url, model }, side.hasPersonalData === true, plan)
    const { value, cores } = await whileWatching(router.pid, async () => {
      const warmUp = await openLoop(asked.arrivals(plan.warmUpMs), asked.question)
      const before = await pool.look()
      const open = await openLoop(asked.arrivals(plan.countedMs), asked.question)
      const between = await pool.look()
      const closed = await closedLoop(plan.callers, plan.closedMs / plan.scale, () => asked.question())
      return { warmUp, before, open, between, closed, after: await pool.look() }
    })
    return {
      name: side.name,
      firstS: secondsOf(value.open, plan),
      failed: [...value.warmUp, ...value.open, ...value.closed].filter(({ status }) => status !== 200).length,
      hitRate: hitRate(value.before, value.between),
      busiest: busiest(value.before, value.between),
      closedPerS: (value.closed.filter(({ status }) => status === 200).length / plan.closedMs) * 1000,
      closedFirstS: secondsOf(value.closed, plan),
      closedHitRate: hitRate(value.between, value.after),
      cores,
    }
  } finally {
    await router?.stop()
    await pool.stop()
  }
}

/** The same documents, questions and times for every side; each document belongs to one tenant. */
function workload(
  { clouds }: Surroundings,
  to: Pick<Question, 'url' | 'model'>,
  hasPersonalData: boolean,
  plan: Plan,
): { arrivals: (forMs: number) => readonly { atMs: number }[]; question: () => Question } {
  const random = seeded(77)
  const documents = Array.from({ length: plan.documents }, () => {
    const [first, second] = [prose(random, DOCUMENT_CHARS / 2), prose(random, DOCUMENT_CHARS / 2)]
    return `${first} ${hasPersonalData ? 'Write to frieda.holt@contoso.example. ' : ''}${second}`
  })
  const next = zipf(random, plan.documents)
  const { tenants } = clouds
  return {
    arrivals: (forMs) => poisson(random, plan.perSecond, forMs).map((ms) => ({ atMs: ms / plan.scale })),
    question: () => {
      const document = next()
      return {
        ...to,
        token: tenants[document % tenants.length]?.token ?? clouds.token,
        system: documents[document] ?? '',
        text: prose(random, QUESTION_CHARS),
        maxTokens: MAX_TOKENS,
      }
    },
  }
}

function secondsOf(outcomes: readonly Outcome[], { scale }: Plan): readonly number[] {
  return outcomes.filter(({ status }) => status === 200).map(({ firstMs }) => (firstMs * scale) / 1000)
}

function hitRate(before: readonly PoolService[], after: readonly PoolService[]): number {
  const sum = (services: readonly PoolService[], key: 'queriedTokens' | 'hitTokens'): number =>
    services.reduce((total, { state }) => total + (state.engines[0]?.[key] ?? 0), 0)
  return (
    (sum(after, 'hitTokens') - sum(before, 'hitTokens')) / (sum(after, 'queriedTokens') - sum(before, 'queriedTokens'))
  )
}

function busiest(before: readonly PoolService[], after: readonly PoolService[]): number {
  const tokens = after.map(
    ({ state }, index) =>
      (state.engines[0]?.queriedTokens ?? 0) - (before[index]?.state.engines[0]?.queriedTokens ?? 0),
  )
  return (Math.max(...tokens) * tokens.length) / tokens.reduce((sum, each) => sum + each, 0)
}

function markdown(seen: readonly Seen[], plan: Plan): string {
  const rows = seen.map((each) => [
    each.name,
    percent(each.hitRate),
    at(0.5, each.firstS).toFixed(2),
    at(0.95, each.firstS).toFixed(2),
    each.busiest.toFixed(2),
    each.closedPerS.toFixed(2),
    percent(each.closedHitRate),
    at(0.5, each.closedFirstS).toFixed(2),
    at(0.95, each.closedFirstS).toFixed(2),
    String(each.failed),
  ])
  return [
    '## Prompts with shared beginnings',
    '',
    `A pool of ${plan.shards} services of one instance each, as fast as the preset \`l4-8b\` says and with its cache (2,000 blocks, 32,000 tokens: sixteen of the documents). ${plan.documents} documents of about ${DOCUMENT_CHARS / 4} tokens as system prompts, of eight tenants, asked about by popularity (Zipf, exponent 1), answers of ${MAX_TOKENS} tokens at most. First ${plan.perSecond} requests a second (Poisson), then ${plan.callers} callers in a closed loop. ${plan.scale} times as fast as the wall; figures in uncompressed seconds. The hit rate is the engines' own count of tokens. The guard finds nothing to replace in the documents, but for the last side.`,
    '',
    ...SIDES.map(({ name, what }) => `- **${name}**: ${what}`),
    '',
    tableOf(
      [
        'side',
        'found in caches',
        'first content p50 s',
        'p95 s',
        'busiest shard, of the mean',
        'closed loop: requests/s',
        'found in caches',
        'first content p50 s',
        'p95 s',
        'failed',
      ],
      rows,
    ),
    '',
    ...seen.map(({ name, cores }) => `- ${coresLine(name, cores)}`),
  ].join('\n')
}
