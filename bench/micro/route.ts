import type { Permit } from '#contract/permit.ts'
import type { Strategy } from '#contract/route.ts'
import { TEST_ROUTING, testAlias } from '#contract/test-alias.ts'
import { testAsk } from '#contract/test-ask.ts'
import { type RouteDeps, choose } from '#route/choose.ts'
import { Router } from '#route/router.ts'
import { testTarget } from '#route/test-router.ts'
import { type MicroResult, measure } from './measure.ts'

const TARGETS = 50
const OPERATIONS = 20_000
const QUESTION = 'What do the rules of the house say about leave? '.repeat(20)

/** The decision of the router with fifty targets whose times are known, and with a pool of eight shards by prefix. */
export function benchRoute(): MicroResult[] {
  const protects = 'at most 10 µs at the median with 50 targets'
  const plain = ['ordered', 'fastest', 'cheapest', 'balanced'] as const
  return [
    ...plain.map((strategy) => {
      const run = deciderOf(strategy, TARGETS)
      return measure({
        name: `choose, ${strategy}`,
        unit: `decision of ${TARGETS}`,
        protects,
        operations: OPERATIONS,
        run,
      })
    }),
    measure({
      name: 'choose, pool by prefix',
      unit: 'decision of 8 shards, 1 KB',
      protects: '',
      operations: OPERATIONS,
      run: deciderOf('ordered', 8, 'pool'),
    }),
  ]
}

function deciderOf(strategy: Strategy, count: number, pool?: string): () => unknown {
  const router = new Router({
    cross: () => Promise.reject(new Error('nothing leaves')),
    trip: () => {
      throw new Error('nothing leaves')
    },
    clock: () => performance.now(),
    nowEpochMs: Date.now,
    rttMs: () => 2,
    random: Math.random,
  })
  const names = Array.from({ length: count }, (_, at) => `target-${at}`)
  const targets = new Map(names.map((name) => [name, testTarget(name, { pool })]))
  for (const target of targets.values()) {
    for (let call = 0; call < 30; call += 1) router.open(target, true)?.ended()
  }
  const deps: RouteDeps = { targets, router }
  const request = {
    alias: testAlias({ targets: names, routing: { ...TEST_ROUTING, strategy } }),
    permit: {} as Permit,
    release: { targets: names, forbidden: [], policies: [] },
    ask: testAsk({ stream: true, messages: [{ role: 'user', parts: [{ type: 'text', text: QUESTION }] }] }),
    salt: 's',
  }
  return () => choose(deps, request).legs.length
}
