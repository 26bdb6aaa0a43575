import type { Ask } from '#contract/ask.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import { testAsk } from '#contract/test-ask.ts'

export { testAsk } from '#contract/test-ask.ts'

/** For tests: as if the guard had passed it. */
export function testScreened(changes: Partial<Ask> = {}): Screened {
  return { ask: testAsk(changes) } as Screened
}

/** For tests: a target that nothing listens at. */
export function testTarget(changes: Partial<Target> = {}): Target {
  return {
    name: 'target',
    provider: 'openai-compatible',
    place: { cloud: 'gcp', region: 'us-east4' },
    endpoint: 'http://127.0.0.1:1',
    model: 'model',
    credential: { kind: 'none' },
    price: { usdPerMillionInput: 0, usdPerMillionCachedInput: 0, usdPerMillionOutput: 0, source: '', isKnown: true },
    deadlines: { connectMs: 1, firstTokenMs: 1, idleMs: 1, totalMs: 1 },
    simulated: false,
    tags: [],
    jurisdiction: undefined,
    ...changes,
  }
}
