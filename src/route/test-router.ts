import type { Cross, CrossAnswer, CrossRequest, Crossing } from '#contract/crossing.ts'
import type { Target } from '#contract/target.ts'
import { Router } from './router.ts'

/** A router whose clock is a number, whose border answers as told, and whose chance is always the same. */
export interface TestRouter {
  readonly router: Router
  readonly pass: (ms: number) => void
  /** What left over the border. */
  readonly asked: CrossRequest[]
  /** Answers the oldest call that is open. */
  readonly answer: (status: number, text?: string) => Promise<void>
}

export function testRouter(random = 0): TestRouter {
  let now = 1000
  const asked: CrossRequest[] = []
  const open: ((answer: CrossAnswer) => void)[] = []
  const cross: Cross = (_trip, request) => {
    asked.push(request)
    return new Promise((resolve) => open.push(resolve))
  }
  return {
    router: new Router({
      cross,
      trip: () => ({ requestId: '', traceId: '', sampled: false, signal: NEVER, crossings: [], calls: new Map() }),
      clock: () => now,
      nowEpochMs: () => MONDAY_NOON + now,
      rttMs: () => 0,
      random: () => random,
    }),
    pass: (ms) => {
      now += ms
    },
    asked,
    answer: async (status, text = '') => {
      open.shift()?.(answerOf(status, text))
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
    },
  }
}

const NEVER = new AbortController().signal
/** 2026-11-23, 12:00 UTC. */
export const MONDAY_NOON = Date.UTC(2026, 10, 23, 12)

function answerOf(status: number, text: string): CrossAnswer {
  return {
    status,
    headers: {},
    body: (async function* none() {})(),
    text: () => Promise.resolve(text),
    setIdleMs: () => undefined,
    cancel: () => undefined,
    crossing: {} as Crossing,
  }
}

export function testTarget(name: string, changes: Partial<Target> = {}): Target {
  return {
    name,
    provider: 'openai-compatible',
    place: { cloud: 'gcp', region: 'us-east4' },
    endpoint: `http://${name}`,
    model: 'm',
    credential: { kind: 'none' },
    price: {
      usdPerMillionInput: 1,
      usdPerMillionCachedInput: 1,
      usdPerMillionOutput: 1,
      source: 'test',
      isKnown: true,
    },
    deadlines: { connectMs: 1, firstTokenMs: 1, idleMs: 1, totalMs: 1 },
    simulated: false,
    tags: [],
    jurisdiction: undefined,
    ...changes,
  }
}

export const SLEEPS = {
  idleMs: 900_000,
  coldStartMs: 25_000,
  wakePath: '/health',
  wakeAtRequests: 1,
  calendar: [],
}

/** Makes calls that take so long, so that the router knows the target. */
export function teach({ router, pass }: TestRouter, target: Target, ms: number, times = 30): void {
  for (let time = 0; time < times; time += 1) {
    const call = router.open(target, true)
    pass(ms)
    call?.began()
    call?.ended()
  }
}
