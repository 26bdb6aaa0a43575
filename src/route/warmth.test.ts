import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scaling } from '#contract/target.ts'
import { Fleet, Warmth } from './warmth.ts'

const SCALING: Scaling = { idleMs: 900_000, coldStartMs: 25_000, wakePath: '/health', wakeAtRequests: 1, calendar: [] }
const MINUTE = 60_000

test('before anything is seen the idle time of the configuration decides', () => {
  const warmth = new Warmth(SCALING)
  assert.equal(warmth.state(0), 'cold', 'nobody has seen it yet')
  warmth.used(0)
  assert.equal(warmth.state(30_000), 'warm')
  assert.equal(warmth.state(8 * MINUTE), 'warm')
  assert.equal(warmth.state(12 * MINUTE), 'unsure')
  assert.equal(warmth.state(16 * MINUTE), 'cold')
  assert.ok(Math.abs(warmth.startQuantile(0.5) - 25_000) < 1)
})

test('what is seen outweighs what was assumed', () => {
  const warmth = new Warmth(SCALING)
  for (let time = 0; time < 20; time += 1) warmth.observed(16 * MINUTE, false)
  assert.ok(warmth.coldAfter(16 * MINUTE) < 0.2)
  for (let time = 0; time < 40; time += 1) warmth.started(5000)
  assert.ok(warmth.startQuantile(0.5) < 7000)
  assert.equal(warmth.seenStarts, 40)
})

test('a change is learnt again after many observations of the other kind', () => {
  const warmth = new Warmth(SCALING)
  for (let time = 0; time < 1000; time += 1) warmth.observed(MINUTE / 2, true)
  for (let time = 0; time < 400; time += 1) warmth.observed(MINUTE / 2, false)
  assert.ok(warmth.coldAfter(MINUTE / 2) < 0.5)
})

test('one that starts is cold whatever its age, for what is left of the start, and late ones for a while more', () => {
  const warmth = new Warmth(SCALING)
  warmth.used(0)
  const whole = warmth.startMs(0)
  warmth.waking(1000)
  assert.deepEqual([warmth.state(2000), warmth.coldNow(2000)], ['waking', 1])
  assert.ok(Math.abs(warmth.startMs(11_000) - (whole - 10_000)) < 1)
  assert.equal(warmth.startMs(101_000), 25_000)
  warmth.used(102_000)
  assert.equal(warmth.state(102_001), 'warm')
})

test('what others of its fleet showed is assumed of one that nobody has seen, and its own outweighs it', () => {
  const fleet = new Fleet()
  const known = new Warmth(SCALING, fleet)
  for (let time = 0; time < 50; time += 1) known.observed(12 * MINUTE, false)
  const other = new Warmth(SCALING, fleet)
  assert.ok(other.coldAfter(12 * MINUTE) < 0.05)
  for (let time = 0; time < 12; time += 1) other.observed(12 * MINUTE, true)
  assert.ok(other.coldAfter(12 * MINUTE) > 0.7)
})
