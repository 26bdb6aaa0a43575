import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CrossFault, type Trip } from '#contract/crossing.ts'
import type { Attempt } from '#contract/entry.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Leg, OpenCall, Plan } from '#contract/route.ts'
import { type Answer, Race } from './race.ts'
import { testScreened, testTarget } from './test-asks.ts'

type Says = { readonly afterMs: number; readonly error?: Error }

interface Ran {
  readonly answer: Promise<Answer>
  readonly attempts: Attempt[]
  /** What the router was told, in order. */
  readonly told: string[]
  readonly aborted: string[]
}

interface Given {
  readonly hedgeAfterMs?: number
  readonly hedges?: number
  readonly closed?: readonly string[]
  readonly awake?: Leg['awake']
}

/** Races targets that answer or fail after so long. */
function race(says: Readonly<Record<string, Says>>, { hedgeAfterMs, hedges = 1, closed = [], awake }: Given = {}): Ran {
  const attempts: Attempt[] = []
  const told: string[] = []
  const aborted: string[] = []
  let left = hedges
  const price = { ...testTarget().price, usdPerMillionInput: 10 }
  const plan: Plan = {
    legs: Object.keys(says).map((name) => ({
      target: testTarget({ name, price }),
      ...(awake === undefined ? {} : { awake }),
    })),
    kind: 'first',
    hedgeAfterMs,
    salt: 's',
    takeHedge: () => {
      left -= 1
      return left >= 0
    },
    line: () => '',
  }
  const open = (name: string): OpenCall => ({
    began: () => told.push(`${name} began`),
    ended: () => told.push(`${name} ended`),
    failed: (retryAfterS) => told.push(`${name} failed ${retryAfterS ?? ''}`.trim()),
    dropped: (lost) => told.push(`${name} ${lost ? 'lost' : 'dropped'}`),
  })
  const run = new Race({
    traffic: { open: ({ name }) => (closed.includes(name) ? undefined : open(name)) },
    plan,
    ask: async ({ target: { name } }, _call, signal) => {
      signal?.addEventListener('abort', () => aborted.push(name))
      await sleep(says[name]?.afterMs ?? 0)
      const error = says[name]?.error
      if (error !== undefined) throw error
      return { dropped: [name], batches: (async function* none() {})() }
    },
    screened: testScreened({}),
    trip: { signal: new AbortController().signal } as Trip,
    attempts,
    canRace: true,
  })
  return { answer: run.run(), attempts, told, aborted }
}

const DOWN = new Refusal('INFER_UNAVAILABLE', 'target is down')
const BUSY = new Refusal('INFER_THROTTLED', 'target is busy', { retryAfterS: 7 })
const REJECTED = new Refusal('INFER_REJECTED', 'not like this')

function outcomes(attempts: readonly Attempt[]): string[] {
  return attempts.map(({ target, error, role = '' }) => `${target} ${error || 'answered'} ${role}`.trim())
}

test('the next one is asked when the one before failed, and the router hears of both', async () => {
  const { answer, attempts, told } = race({ a: { afterMs: 0, error: BUSY }, b: { afterMs: 0 } })
  assert.equal((await answer).target.name, 'b')
  assert.deepEqual(outcomes(attempts), ['a INFER_THROTTLED', 'b answered'])
  assert.deepEqual(told, ['a failed 7', 'b began'])
})

test('a late first leg is joined by a second; the first content wins, and the other is aborted and billed', async () => {
  const { answer, attempts, told, aborted } = race(
    { a: { afterMs: 300 }, b: { afterMs: 10 }, c: { afterMs: 0 } },
    { hedgeAfterMs: 20 },
  )
  assert.equal((await answer).target.name, 'b')
  assert.deepEqual(outcomes(attempts), ['a LOST_RACE', 'b answered hedge'])
  assert.ok((attempts[0]?.lostMicroUsd ?? 0) > 0)
  assert.equal(attempts[1]?.lostMicroUsd, undefined)
  assert.deepEqual([told, aborted], [['b began', 'a lost'], ['a']])
  assert.deepEqual(Object.keys(attempts[0] ?? {}), Object.keys(attempts[0] ?? {}).toSorted(), 'canonical order')
})

test('the first leg may still win the race', async () => {
  const { answer, attempts, aborted } = race({ a: { afterMs: 60 }, b: { afterMs: 300 } }, { hedgeAfterMs: 20 })
  assert.equal((await answer).target.name, 'a')
  assert.deepEqual([outcomes(attempts), aborted], [['b LOST_RACE hedge', 'a answered'], ['b']])
})

test('in time, without budget, or without a second target nothing is raced', async () => {
  for (const run of [
    race({ a: { afterMs: 5 }, b: { afterMs: 0 } }, { hedgeAfterMs: 100 }),
    race({ a: { afterMs: 60 }, b: { afterMs: 0 } }, { hedgeAfterMs: 10, hedges: 0 }),
    race({ a: { afterMs: 60 } }, { hedgeAfterMs: 10 }),
  ]) {
    assert.equal((await run.answer).target.name, 'a')
    assert.deepEqual(outcomes(run.attempts), ['a answered'])
  }
})

test('when one leg of a race fails the other is waited for', async () => {
  const { answer, attempts } = race({ a: { afterMs: 50, error: DOWN }, b: { afterMs: 80 } }, { hedgeAfterMs: 10 })
  assert.equal((await answer).target.name, 'b')
  assert.deepEqual(outcomes(attempts), ['a INFER_UNAVAILABLE', 'b answered hedge'])
})

test('a request that one leg does not like is not liked by the other: it is given up', async () => {
  const { answer, attempts, told, aborted } = race(
    { a: { afterMs: 50, error: REJECTED }, b: { afterMs: 200 } },
    { hedgeAfterMs: 10 },
  )
  await assert.rejects(answer, { code: 'INFER_REJECTED' })
  assert.deepEqual(outcomes(attempts), ['a INFER_REJECTED', 'b GIVEN_UP hedge'])
  assert.deepEqual([told, aborted], [['a dropped', 'b dropped'], ['b']])
})

test('a caller who leaves ends every leg, and says nothing against any', async () => {
  const gone = new CrossFault('aborted', 'given up')
  const { answer, attempts, told } = race(
    { a: { afterMs: 40, error: gone }, b: { afterMs: 200 } },
    { hedgeAfterMs: 10 },
  )
  await assert.rejects(answer, gone)
  assert.deepEqual(outcomes(attempts), ['a aborted', 'b GIVEN_UP hedge'])
  assert.deepEqual(told, ['a dropped', 'b dropped'])
})

test('the last refusal is the answer when all failed; a target whose breaker is shut is passed over', async () => {
  const { answer, attempts } = race(
    { a: { afterMs: 0, error: DOWN }, b: { afterMs: 0 }, c: { afterMs: 0, error: BUSY } },
    { closed: ['b'] },
  )
  await assert.rejects(answer, { code: 'INFER_THROTTLED' })
  assert.deepEqual(outcomes(attempts), ['a INFER_UNAVAILABLE', 'c INFER_THROTTLED'])
  await assert.rejects(race({ a: { afterMs: 0 } }, { closed: ['a'] }).answer, { code: 'ROUTE_NO_TARGET' })
})

test('a leg that is asleep is asked when it is awake, and one that can not be woken is passed over', async () => {
  const held = race({ a: { afterMs: 0 } }, { awake: () => sleep(20) })
  assert.equal((await held.answer).target.name, 'a')
  assert.ok((held.attempts[0]?.ms ?? 0) >= 18)
  const cold = new Refusal('INFER_COLD', 'target is starting', { retryAfterS: 9, blameless: true })
  const never = race({ a: { afterMs: 0 }, b: { afterMs: 0 } }, { awake: () => Promise.reject(cold) })
  await assert.rejects(never.answer, { code: 'INFER_COLD', retryAfterS: 9 })
  assert.deepEqual(never.told, [], 'nobody was called')
})
