import { type Cross, CrossFault, type Trip } from '#contract/crossing.ts'
import type { Target } from '#contract/target.ts'
import type { TargetState } from './target-state.ts'
import { readVllmMetrics } from './vllm-metrics.ts'

export interface ScrapeDeps {
  readonly cross: Cross
  readonly trip: () => Trip
  readonly clock: () => number
  readonly stateOf: (target: Target) => TargetState
}

/** So long after its last use a server is still read; no longer, since reading keeps an instance alive that is paid for. */
const AFTER_USE_MS = 5000
const LOOK_MS = 200
const TIMEOUT_MS = 2000
const MAX_BYTES = 4 * 1024 * 1024

/** Reads the metrics of vLLM servers while they are in use, and never of one that may be asleep. @returns how to stop. */
export function startScraping(deps: ScrapeDeps, targets: () => Iterable<Target>): () => void {
  const underWay = new Set<string>()
  const lastMs = new Map<string, number>()
  const look = (): void => {
    const now = deps.clock()
    for (const target of targets()) {
      const { vllm, name } = target
      if (vllm === undefined || vllm.metricsPath === '' || underWay.has(name)) continue
      if (now - (lastMs.get(name) ?? Number.NEGATIVE_INFINITY) < vllm.everyMs) continue
      const state = deps.stateOf(target)
      if (!isInUse(state, now)) continue
      underWay.add(name)
      lastMs.set(name, now)
      void scrape(deps, target, state).finally(() => underWay.delete(name))
    }
  }
  const timer = setInterval(look, LOOK_MS).unref()
  return () => clearInterval(timer)
}

/** Content flows, or did a moment ago. A call that still waits may be waiting for a cold start. */
export function isInUse(state: TargetState, now: number): boolean {
  return now - state.lastContentMs <= AFTER_USE_MS && state.coldNow(now) < 0.5
}

export async function scrape(deps: ScrapeDeps, target: Target, state: TargetState): Promise<void> {
  try {
    const answer = await deps.cross(deps.trip(), {
      layer: 'probe',
      to: target.place,
      method: 'GET',
      url: `${target.endpoint}${target.vllm?.metricsPath ?? '/metrics'}`,
      headers: {},
      credential: target.credential,
      connectMs: TIMEOUT_MS,
      firstByteMs: TIMEOUT_MS,
      idleMs: TIMEOUT_MS,
      totalMs: TIMEOUT_MS,
      maxAnswerBytes: MAX_BYTES,
    })
    const text = await answer.text()
    const reading = answer.status === 200 ? readVllmMetrics(text) : `it answered ${answer.status}`
    if (typeof reading === 'string') state.readingTrouble = reading
    else {
      state.readingTrouble = ''
      state.reading = { ...reading, atMs: deps.clock() }
    }
  } catch (error) {
    state.readingTrouble = error instanceof CrossFault ? error.kind : 'no credential'
  }
}
