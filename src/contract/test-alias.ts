import type { Routing } from './route.ts'
import type { Alias } from './target.ts'

/** The defaults of the configuration. */
export const TEST_ROUTING: Routing = {
  strategy: 'ordered',
  usdPerSecond: 0.001,
  detourAboveMs: 1000,
  maxWaitMs: 60_000,
  hedge: { percent: 5, minMs: 50 },
  prefix: true,
}

/** An alias for tests and benches. */
export function testAlias(changes: Partial<Alias> = {}): Alias {
  return {
    name: 'chat',
    targets: [],
    collections: [],
    sql: [],
    topK: 6,
    residency: '',
    purpose: '',
    tags: [],
    usdPerCallerAndDay: undefined,
    routing: TEST_ROUTING,
    cache: undefined,
    ...changes,
  }
}
