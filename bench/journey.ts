import { type LoadResult, ask, leaveAtFirstContent, runLoad } from './load.ts'
import { OTHER_CORE, TESTED_CORE, coreBusyMs, processCpuMs, processRssMb } from './machine.ts'
import { type PromptKind, abortRequest, requestsFor, textOfAnswer } from './prompt.ts'
import { median, quantiles } from './quantiles.ts'
import type { RunningSide, Side, Surroundings } from './sides.ts'
import { EMAIL, type StreamShape, type UpstreamStats } from './upstream.ts'

/** How long and how much. */
export interface JourneyPlan {
  readonly warmUpMs: number
  readonly loadMs: number
  readonly sequentialMs: number
  readonly aborts: number
}

export const FULL_PLAN: JourneyPlan = { warmUpMs: 16_000, loadMs: 5000, sequentialMs: 3000, aborts: 100 }
export const QUICK_PLAN: JourneyPlan = { warmUpMs: 3000, loadMs: 1500, sequentialMs: 1000, aborts: 30 }

/** Everything that one round finds out about one side; the keys are the rows of the report. */
export type Numbers = Readonly<Record<string, number>>

/** Streams that will be left: they would take eight seconds. */
const LONG_STREAM: StreamShape = { chunks: 400, writes: 400, gapMs: 20 }
const STREAM: StreamShape = { chunks: 20, writes: 5, gapMs: 0 }
const ABORTS_AT_ONCE = 10
const ABORT_WAIT_MS = 2000

/** Starts the side in a fresh process, takes every number and stops it. @throws when an answer is not what it has to be. */
export async function measureSide(side: Side, surroundings: Surroundings, plan: JourneyPlan): Promise<Numbers> {
  const running = await side.start(surroundings)
  try {
    return await new SideMeasure(side, running, surroundings, plan).all()
  } finally {
    await running.stop()
  }
}

type Kind = Pick<PromptKind, 'isStream' | 'hasPersonalData'>

class SideMeasure {
  readonly #side: Side
  readonly #running: RunningSide
  readonly #upstreamUrl: string
  readonly #plan: JourneyPlan
  /** Every batch of prompts gets numbers that no batch before had. */
  #nextPrompt = 1

  constructor(side: Side, running: RunningSide, { upstreamUrl }: Surroundings, plan: JourneyPlan) {
    this.#side = side
    this.#running = running
    this.#upstreamUrl = upstreamUrl
    this.#plan = plan
  }

  async all(): Promise<Numbers> {
    const { loadMs, sequentialMs } = this.#plan
    const { connections } = this.#side
    await post(`${this.#upstreamUrl}/reset`)
    await this.#shape(STREAM)
    for (const isStream of [false, true]) await this.#probe(isStream)
    await this.#warmUp()
    const numbers: Record<string, number> = {}
    const whole = { isStream: false, hasPersonalData: true }
    const stream = { isStream: true, hasPersonalData: true }
    await this.#load('whole', whole, connections, loadMs, numbers)
    await this.#load('stream', stream, connections, loadMs, numbers)
    if (this.#side.isGuarded) {
      await this.#load('prose', { isStream: false, hasPersonalData: false }, connections, loadMs, numbers)
      await this.#load('proseStream', { isStream: true, hasPersonalData: false }, connections, loadMs, numbers)
    }
    if (this.#running.pid !== undefined) {
      const { nowMb, peakMb } = processRssMb(this.#running.pid)
      Object.assign(numbers, { rssMb: nowMb, rssPeakMb: peakMb })
    }
    await this.#load('sequential', whole, 1, sequentialMs, numbers)
    await this.#load('first1', stream, 1, sequentialMs, numbers)
    await this.#load('first8', stream, 8, sequentialMs, numbers)
    numbers['leaks'] = (await stats(this.#upstreamUrl)).leaks
    await this.#aborts(numbers)
    return numbers
  }

  /** One answer, read to the last byte: nothing is measured before it is right. */
  async #probe(isStream: boolean): Promise<void> {
    const [request = Buffer.alloc(0)] = this.#requests({ isStream, hasPersonalData: true }, 1)
    const { status, body } = await ask(this.#running.address.url, request)
    const text = status === 200 ? textOfAnswer(body, isStream) : body
    if (status === 200 && text.includes(`I have written to ${EMAIL}. `)) return
    throw new Error(
      `${this.#side.name} did not answer as it has to (${isStream ? 'stream' : 'whole'}, status ${status}): ${text.slice(0, 300)}`,
    )
  }

  async #warmUp(): Promise<void> {
    for (const isStream of [false, true]) {
      await this.#run({ isStream, hasPersonalData: true }, this.#side.connections, this.#plan.warmUpMs / 2)
    }
  }

  #requests(kind: Kind, count: number): Buffer[] {
    const requests = requestsFor(
      this.#running.address,
      { ...kind, bytes: this.#side.promptBytes },
      count,
      this.#nextPrompt,
    )
    this.#nextPrompt += count
    return requests
  }

  #run(kind: Kind, connections: number, durationMs: number): Promise<LoadResult> {
    const requests = this.#requests(kind, this.#side.variants)
    return runLoad({ url: this.#running.address.url, requests, connections, durationMs, isStream: kind.isStream })
  }

  /** One measurement, with the processor time that it took. */
  async #load(
    key: string,
    kind: Kind,
    connections: number,
    durationMs: number,
    numbers: Record<string, number>,
  ): Promise<void> {
    const { pid } = this.#running
    const requests = this.#requests(kind, this.#side.variants)
    const before = {
      cpuMs: pid === undefined ? 0 : processCpuMs(pid),
      testedMs: coreBusyMs(TESTED_CORE),
      otherMs: coreBusyMs(OTHER_CORE),
      at: performance.now(),
    }
    const result = await runLoad({
      url: this.#running.address.url,
      requests,
      connections,
      durationMs,
      isStream: kind.isStream,
    })
    const elapsedMs = performance.now() - before.at
    const failed = Object.entries(result.failures)
    if (failed.length > 0) {
      process.stderr.write(
        `  ${this.#side.name} ${key}: failures ${failed.map(([what, count]) => `${count} × ${what}`).join(', ')}\n`,
      )
    }
    numbers[`${key}Rps`] = result.requestsPerS
    numbers[`${key}P50Ms`] = result.latencyMs.p50
    numbers[`${key}P99Ms`] = result.latencyMs.p99
    numbers[`${key}FirstP50Ms`] = result.firstContentMs.p50
    numbers[`${key}FirstP99Ms`] = result.firstContentMs.p99
    numbers[`${key}Failures`] = failed.reduce((sum, [, count]) => sum + count, 0)
    numbers[`${key}OtherCore`] = (coreBusyMs(OTHER_CORE) - before.otherMs) / elapsedMs
    if (pid === undefined) return
    const cpuMs = processCpuMs(pid) - before.cpuMs
    numbers[`${key}CpuMs`] = cpuMs / Math.max(1, result.requests)
    numbers[`${key}Core`] = cpuMs / elapsedMs
    numbers[`${key}Foreign`] = Math.max(0, (coreBusyMs(TESTED_CORE) - before.testedMs - cpuMs) / elapsedMs)
  }

  async #shape(shape: StreamShape): Promise<void> {
    await post(`${this.#upstreamUrl}/options`, JSON.stringify(shape))
  }

  /** Leaves streams in the middle and asks the upstream which of them it was told about, and when. */
  async #aborts(numbers: Record<string, number>): Promise<void> {
    await post(`${this.#upstreamUrl}/reset`)
    await this.#shape(LONG_STREAM)
    const leftAt = new Map<number, bigint>()
    for (let first = 0; first < this.#plan.aborts; first += ABORTS_AT_ONCE) {
      const ids = Array.from(
        { length: Math.min(ABORTS_AT_ONCE, this.#plan.aborts - first) },
        (_, index) => first + index + 1,
      )
      await Promise.all(
        ids.map(async (id) => {
          leftAt.set(id, await leaveAtFirstContent(this.#running.address.url, abortRequest(this.#running.address, id)))
        }),
      )
    }
    const { aborts } = await this.#untilNoticed(leftAt.size)
    const noticedMs = aborts.flatMap(({ id, atNs }) => {
      const left = leftAt.get(id)
      return left === undefined ? [] : [Number(BigInt(atNs) - left) / 1e6]
    })
    const { p50, max } = quantiles(noticedMs)
    Object.assign(numbers, { aborted: leftAt.size, abortsNoticed: noticedMs.length, abortP50Ms: p50, abortMaxMs: max })
    await this.#shape(STREAM)
  }

  async #untilNoticed(wanted: number): Promise<UpstreamStats> {
    const started = performance.now()
    for (;;) {
      const seen = await stats(this.#upstreamUrl)
      if (seen.aborts.length >= wanted || performance.now() - started > ABORT_WAIT_MS) return seen
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

async function post(url: string, body = ''): Promise<void> {
  await (await fetch(url, { method: 'POST', body })).text()
}

async function stats(upstreamUrl: string): Promise<UpstreamStats> {
  return (await (await fetch(`${upstreamUrl}/stats`)).json()) as UpstreamStats
}

/** The middle of each number over the rounds. */
export function medians(rounds: readonly Numbers[]): Numbers {
  const keys = new Set(rounds.flatMap((round) => Object.keys(round)))
  return Object.fromEntries(
    [...keys].map((key) => [
      key,
      median(rounds.map((round) => round[key] ?? Number.NaN).filter((value) => !Number.isNaN(value))),
    ]),
  )
}
