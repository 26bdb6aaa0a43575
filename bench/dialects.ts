import { Agent } from 'node:http'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, startChild } from './child.ts'
import { type Caller, askOnce, leaveEarly, loop } from './dialects/client.ts'
import {
  type BenchRequest,
  DIALECTS,
  type DialectName,
  FORMATS,
  type FormatName,
  bareRequest,
  requestIn,
} from './dialects/requests.ts'
import type { Shape } from './dialects/upstream.ts'
import { OTHER_CORE, TESTED_CORE, processCpuMs, processRssMb } from './machine.ts'
import { median, quantiles } from './quantiles.ts'
import type { Section } from './report.ts'
import { type Surroundings, configOf, hasPeers, startPortkeyAt } from './sides.ts'

const CONNECTIONS = 32
const FAST: Shape = { chunks: 20, gapMs: 0 }
/** A model's pace. */
const SLOW: Shape = { chunks: 100, gapMs: 20 }
const LONG: Shape = { chunks: 500, gapMs: 20 }
const STREAMS = 200

interface Plan {
  readonly rounds: number
  readonly loadMs: number
  readonly warmUpMs: number
  readonly aborts: number
}
const FULL: Plan = { rounds: 3, loadMs: 2000, warmUpMs: 1500, aborts: 10_000 }
const QUICK: Plan = { rounds: 1, loadMs: 700, warmUpMs: 500, aborts: 300 }

/** One row: who is asked, in which dialect, and what the target speaks. */
interface Pair {
  readonly label: string
  readonly caller: Caller
  readonly pid: number
  readonly request: (isStream: boolean, number: number) => BenchRequest
}

/** What each pair of dialect and target costs, against bytes passed through and against Portkey where it has the pair. */
export async function runDialects(surroundings: Surroundings, quick: boolean): Promise<Section> {
  const plan = quick ? QUICK : FULL
  const { isPinned } = surroundings
  const started: Child[] = []
  const child = async (name: string, args: readonly string[], ready: RegExp, core: number): Promise<Child> => {
    const one = await startChild({ name, args, core: isPinned ? core : undefined, ready })
    started.push(one)
    return one
  }
  try {
    const vendors = await child('the vendors', ['bench/dialects/upstream.ts'], /vendors: (http:\S+)\n/, OTHER_CORE)
    const bare = await child(
      'the bare proxy',
      ['bench/bare-proxy.ts', vendors.url],
      /bare proxy: (http:\S+)\n/,
      TESTED_CORE,
    )
    const file = await configured(surroundings, vendors.url)
    const plane = await child(
      'the control plane',
      ['thinplane.mjs', 'control', '--config', file],
      /control plane: (http:\S+)\n/,
      TESTED_CORE,
    )
    const token = { authorization: `Bearer ${surroundings.clouds.token}` }
    const ours = { caller: { url: plane.url, headers: token }, pid: plane.pid }
    const pairs: Pair[] = [
      ...FORMATS.map((format): Pair => ({
        label: `bare > ${format}`,
        caller: { url: bare.url, headers: {} },
        pid: bare.pid,
        request: (isStream, number) => bareRequest(format, isStream, number),
      })),
      ...DIALECTS.flatMap((dialect) =>
        FORMATS.map((format): Pair => ({ ...ours, label: `${dialect} > ${format}`, request: ask(dialect, format) })),
      ),
    ]
    if (hasPeers()) {
      const portkey = await startPortkeyAt(isPinned)
      started.push(portkey)
      for (const [format, headers] of Object.entries(PORTKEY_HEADERS)) {
        pairs.push({
          label: `Portkey: chat > ${format}`,
          caller: { url: portkey.url, headers: headers(vendors.url) },
          pid: portkey.pid,
          request: (isStream, number) => requestIn('chat', 'm', isStream, number),
        })
      }
    }
    const rows = await measured(pairs, vendors.url, plan)
    const many = await manyStreams(vendors.url, ours, ask('chat', 'openai'))
    const left = await leavers(vendors.url, ours, ask('chat', 'openai'), plan.aborts)
    return { name: 'dialects', markdown: markdown(rows, many, left), numbers: { rows, many, left } }
  } finally {
    for (const one of started.toReversed()) await one.stop()
  }
}

function ask(dialect: DialectName, format: FormatName): Pair['request'] {
  return (isStream, number) => requestIn(dialect, format, isStream, number)
}

const PORTKEY_HEADERS: Readonly<Record<string, (url: string) => Record<string, string>>> = {
  openai: (url) => ({
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `${url}/v1`,
    authorization: 'Bearer k',
  }),
  anthropic: (url) => ({
    'x-portkey-provider': 'anthropic',
    'x-portkey-custom-host': `${url}/v1`,
    authorization: 'Bearer k',
  }),
  bedrock: (url) => ({
    'x-portkey-provider': 'bedrock',
    'x-portkey-custom-host': url,
    'x-portkey-aws-region': 'us-east-1',
    'x-portkey-aws-access-key-id': 'A',
    'x-portkey-aws-secret-access-key': 'B',
  }),
}

async function configured(surroundings: Surroundings, vendorsUrl: string): Promise<string> {
  const folder = await mkdtemp(join(surroundings.workFolder, 'dialects-'))
  const at = (provider: string, endpoint: string, more: object = {}) => ({
    provider,
    place: { cloud: 'gcp', region: 'us-east4' },
    endpoint,
    model: 'm',
    ...more,
  })
  const signed = {
    credential: {
      kind: 'aws-sigv4',
      region: 'us-east-1',
      accessKeyId: { file: join(folder, 'key') },
      secretAccessKey: { file: join(folder, 'key') },
    },
  }
  const config = {
    ...configOf({ ...surroundings, upstreamUrl: vendorsUrl }),
    targets: {
      openai: at('openai-compatible', vendorsUrl),
      bedrock: at('bedrock', vendorsUrl, signed),
      anthropic: at('anthropic', vendorsUrl),
      gemini: at('vertex-gemini', `${vendorsUrl}/v1/projects/p/locations/us-east4`),
    },
    aliases: Object.fromEntries(FORMATS.map((format) => [format, { targets: [format] }])),
    data: join(folder, 'data'),
  }
  await writeFile(join(folder, 'key'), 'bench')
  const file = join(folder, 'thinplane.yaml')
  await writeFile(file, JSON.stringify(config))
  return file
}

interface Row {
  readonly label: string
  readonly stream: boolean
  /** Microseconds of processor time of the gateway for one request. */
  readonly cpuUs: number
  readonly requestsPerS: number
  readonly failed: number
}

async function measured(pairs: readonly Pair[], vendorsUrl: string, plan: Plan): Promise<Row[]> {
  await shapeTo(vendorsUrl, FAST)
  const all = new Map<string, { pair: Pair; isStream: boolean; cpuUs: number[]; rps: number[]; failed: number }>()
  // Every process is warm with all that it will be asked before the first number is taken.
  for (const pair of pairs) for (const isStream of [false, true]) await warmed(pair, isStream, plan.warmUpMs)
  for (let round = 0; round < plan.rounds; round += 1) {
    const order = round % 2 === 0 ? pairs : pairs.toReversed()
    for (const pair of order) {
      for (const isStream of [false, true]) {
        const key = `${pair.label} ${isStream}`
        const sums = all.get(key) ?? { pair, isStream, cpuUs: [], rps: [], failed: 0 }
        all.set(key, sums)
        const before = processCpuMs(pair.pid)
        const first = round * 1_000_000
        const { requests, failed, seconds } = await loop(
          pair.caller,
          (number) => pair.request(isStream, first + number),
          { connections: CONNECTIONS, durationMs: plan.loadMs },
        )
        sums.cpuUs.push(((processCpuMs(pair.pid) - before) * 1000) / Math.max(1, requests))
        sums.rps.push(requests / seconds)
        sums.failed += failed
      }
    }
  }
  return [...all.values()].map(({ pair, isStream, cpuUs, rps, failed }) => ({
    label: pair.label,
    stream: isStream,
    cpuUs: median(cpuUs),
    requestsPerS: median(rps),
    failed,
  }))
}

async function warmed(pair: Pair, isStream: boolean, durationMs: number): Promise<void> {
  await proven(pair, isStream)
  await loop(pair.caller, (number) => pair.request(isStream, number), { connections: CONNECTIONS, durationMs })
}

/** Nothing is measured before it answers as it has to. @throws when it does not. */
async function proven({ label, caller, request }: Pair, isStream: boolean): Promise<void> {
  const agent = new Agent()
  const { status, text } = await askOnce(agent, caller, request(isStream, 0), true)
  agent.destroy()
  if (status !== 200 || !text.includes('invoice'))
    throw new Error(`${label} (${isStream ? 'stream' : 'whole'}) answered ${status}: ${text.slice(0, 300)}`)
}

interface ManyStreams {
  readonly cpuUsPerChunk: number
  readonly gapP50Ms: number
  readonly gapP99Ms: number
  readonly directGapP50Ms: number
  readonly directGapP99Ms: number
  readonly rssMb: number
  readonly failed: number
}

/** Two hundred streams at a model's pace: what a piece costs, and how much later it comes than without anything between. */
async function manyStreams(
  vendorsUrl: string,
  { caller, pid }: Pick<Pair, 'caller' | 'pid'>,
  request: Pair['request'],
): Promise<ManyStreams> {
  await shapeTo(vendorsUrl, SLOW)
  const direct = await gaps({ url: vendorsUrl, headers: {} }, (number) => bareRequest('openai', true, number))
  await gaps(caller, (number) => request(true, number))
  const before = processCpuMs(pid)
  const through = await gaps(caller, (number) => request(true, 10_000 + number))
  const cpuMs = processCpuMs(pid) - before
  return {
    cpuUsPerChunk: (cpuMs * 1000) / (STREAMS * SLOW.chunks),
    gapP50Ms: through.p50,
    gapP99Ms: through.p99,
    directGapP50Ms: direct.p50,
    directGapP99Ms: direct.p99,
    rssMb: processRssMb(pid).nowMb,
    failed: through.failed,
  }
}

async function gaps(caller: Caller, request: (number: number) => BenchRequest) {
  const agent = new Agent({ maxSockets: STREAMS })
  const answers = await Promise.all(
    Array.from({ length: STREAMS }, (_, number) => askOnce(agent, caller, request(number))),
  )
  agent.destroy()
  const all = answers.flatMap(({ atMs }) => atMs.slice(2, -1).map((at, index) => at - (atMs[index + 1] ?? at)))
  const { p50, p99 } = quantiles(all)
  return { p50, p99, failed: answers.filter(({ status }) => status !== 200).length }
}

interface Leavers {
  readonly left: number
  readonly noticed: number
  readonly rssBeforeMb: number
  readonly rssHalfMb: number
  readonly rssAfterMb: number
}

const AT_ONCE = 50

/** Callers that leave at the first piece: each has to reach the vendor, and nothing of it may stay. */
async function leavers(
  vendorsUrl: string,
  { caller, pid }: Pick<Pair, 'caller' | 'pid'>,
  request: Pair['request'],
  count: number,
): Promise<Leavers> {
  const leave = async (from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at += AT_ONCE) {
      const agent = new Agent()
      await Promise.all(
        Array.from({ length: Math.min(AT_ONCE, to - at) }, (_, index) =>
          leaveEarly(agent, caller, request(true, 20_000_000 + at + index)),
        ),
      )
      agent.destroy()
    }
  }
  await shapeTo(vendorsUrl, LONG)
  await leave(-500, 0)
  const rssBeforeMb = processRssMb(pid).nowMb
  await shapeTo(vendorsUrl, LONG)
  await leave(0, count / 2)
  const rssHalfMb = processRssMb(pid).nowMb
  await leave(count / 2, count)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const { left } = (await (await fetch(`${vendorsUrl}/seen`)).json()) as { left: number }
  return { left: count, noticed: left, rssBeforeMb, rssHalfMb, rssAfterMb: processRssMb(pid).nowMb }
}

async function shapeTo(vendorsUrl: string, shape: Shape): Promise<void> {
  await (await fetch(`${vendorsUrl}/shape`, { method: 'POST', body: JSON.stringify(shape) })).text()
}

function markdown(rows: readonly Row[], many: ManyStreams, left: Leavers): string {
  const cpuOf = (label: string, isStream: boolean) =>
    rows.find((row) => row.label === label && row.stream === isStream)?.cpuUs ?? Number.NaN
  const labels = [...new Set(rows.map(({ label }) => label))]
  const table = labels.map((label) => {
    const format = label.split(' > ')[1] ?? ''
    const cells = [false, true].flatMap((isStream) => {
      const cpu = cpuOf(label, isStream)
      const bare = cpuOf(`bare > ${format}`, isStream)
      const portkey = cpuOf(`Portkey: chat > ${format}`, isStream)
      return [cpu.toFixed(0), (cpu / bare).toFixed(1), Number.isNaN(portkey) ? '' : (portkey / cpu).toFixed(1)]
    })
    const failed = rows.filter((row) => row.label === label).reduce((sum, row) => sum + row.failed, 0)
    return `| ${label} | ${cells.join(' | ')} | ${failed} |`
  })
  return [
    '## What each pair of dialect and target costs',
    '',
    `Microseconds of processor time of the gateway for one request of 1 KB, closed loop of ${CONNECTIONS} connections: an answer of 1.3 KB, or a stream of ${FAST.chunks} pieces in writes of four. Identity, policy, guard and a synced audit entry on our side; the bare proxy passes bytes through.`,
    '',
    '| pair | whole µs | times bare | Portkey is so many times dearer | stream µs | times bare | Portkey is so many times dearer | failed |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...table,
    '',
    `${STREAMS} streams at once of ${SLOW.chunks} pieces, one every ${SLOW.gapMs} ms: ${many.cpuUsPerChunk.toFixed(0)} µs of processor time a piece, everything included; between two pieces ${many.gapP50Ms.toFixed(2)} ms at the median and ${many.gapP99Ms.toFixed(2)} ms at the 99th percentile, without anything between ${many.directGapP50Ms.toFixed(2)} and ${many.directGapP99Ms.toFixed(2)} ms; ${many.rssMb.toFixed(0)} MB resident; ${many.failed} failed.`,
    '',
    `${left.left} callers that left at the first piece: ${left.noticed} were noticed by the vendor; resident ${left.rssBeforeMb.toFixed(0)} MB before, ${left.rssHalfMb.toFixed(0)} MB half-way, ${left.rssAfterMb.toFixed(0)} MB after.`,
  ].join('\n')
}
