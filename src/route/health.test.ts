import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Alias, Target } from '#contract/target.ts'
import { choose, targetsOf } from './choose.ts'
import { type Health, createHealth } from './health.ts'

function clocked(): { readonly health: Health; readonly pass: (ms: number) => void } {
  let now = 1_000_000
  return {
    health: createHealth(() => now),
    pass: (ms) => {
      now += ms
    },
  }
}

function fail(health: Health, times: number): void {
  for (let time = 0; time < times; time += 1) health.failed('a')
}

test('a target that nobody knows is in', () => {
  const { health } = clocked()
  assert.deepEqual([health.admits('a'), health.state('a'), health.waitMs(['a'])], [true, 'ok', 0])
})

test('five failures in a row take a target out for ten seconds', () => {
  const { health, pass } = clocked()
  fail(health, 4)
  assert.deepEqual([health.admits('a'), health.state('a')], [true, 'ok'])
  fail(health, 1)
  assert.deepEqual([health.admits('a'), health.state('a'), health.waitMs(['a'])], [false, 'out', 10_000])
  pass(9_999)
  assert.equal(health.admits('a'), false)
  assert.equal(health.admits('b'), true)
})

test('a success in between begins the count anew', () => {
  const { health } = clocked()
  fail(health, 4)
  health.succeeded('a')
  fail(health, 4)
  assert.equal(health.state('a'), 'ok')
})

test('when its time is up one call tries it, the others wait for the outcome', () => {
  const { health, pass } = clocked()
  fail(health, 5)
  pass(10_000)
  assert.equal(health.waitMs(['a']), 0)
  assert.deepEqual([health.admits('a'), health.state('a'), health.admits('a')], [true, 'probing', false])
  health.succeeded('a')
  assert.deepEqual([health.state('a'), health.admits('a'), health.admits('a')], ['ok', true, true])
})

test('a try that fails takes it out again at once', () => {
  const { health, pass } = clocked()
  fail(health, 5)
  pass(10_000)
  assert.equal(health.admits('a'), true)
  fail(health, 1)
  assert.deepEqual([health.admits('a'), health.waitMs(['a'])], [false, 10_000])
})

test('a try that says nothing, since the caller left, leaves the next one to another', () => {
  const { health, pass } = clocked()
  fail(health, 5)
  pass(10_000)
  assert.equal(health.admits('a'), true)
  health.released('a')
  assert.deepEqual([health.state('a'), health.admits('a')], ['out', true])
})

test('a target that says for how long it wants to be left alone is left so, but for a minute at most', () => {
  const { health, pass } = clocked()
  health.failed('a', 7)
  assert.deepEqual([health.state('a'), health.waitMs(['a'])], ['out', 7000])
  pass(7000)
  assert.equal(health.admits('a'), true)
  health.failed('a', 86_400)
  assert.equal(health.waitMs(['a']), 60_000)
})

test('the wait for several targets is that of the first that may be tried', () => {
  const { health } = clocked()
  health.failed('a', 7)
  health.failed('b', 3)
  assert.deepEqual([health.waitMs(['a', 'b']), health.waitMs(['a', 'c']), health.waitMs([])], [3000, 0, 0])
})

const TARGETS = new Map(['a', 'b', 'c'].map((name): [string, Target] => [name, { name } as Target]))
const ALIAS: Alias = {
  name: 'chat',
  targets: ['b', 'a', 'gone', 'c'],
  collections: [],
  topK: 6,
  residency: '',
  purpose: '',
  tags: [],
  usdPerCallerAndDay: undefined,
}

test('targets are chosen in the order of the alias, of those that are released and in', () => {
  const { health } = clocked()
  const deps = { targets: TARGETS, health }
  assert.deepEqual(
    targetsOf(deps, ALIAS).map(({ name }) => name),
    ['b', 'a', 'c'],
  )
  const release = { targets: ['a', 'c', 'b'], forbidden: [], policies: [] }
  assert.deepEqual(
    choose(deps, ALIAS, release).map(({ name }) => name),
    ['b', 'a', 'c'],
  )
  health.failed('b', 5)
  assert.deepEqual(
    choose(deps, ALIAS, release).map(({ name }) => name),
    ['a', 'c'],
  )
  assert.deepEqual(
    choose(deps, ALIAS, { targets: ['c'], forbidden: [], policies: [] }).map(({ name }) => name),
    ['c'],
  )
})

test('when every released target is out the caller learns when to come back, whatever others could do', () => {
  const { health } = clocked()
  health.failed('a', 2.5)
  health.failed('b', 9)
  assert.throws(
    () => choose({ targets: TARGETS, health }, ALIAS, { targets: ['b', 'a'], forbidden: [], policies: [] }),
    {
      name: 'Refusal',
      code: 'ROUTE_NO_TARGET',
      message: 'every target of model `chat` is out, try again in 3 s',
      retryAfterS: 3,
    },
  )
})
