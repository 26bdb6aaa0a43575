import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lognormal, lognormalMean, seeded } from './seeded.ts'

test('a seed repeats itself, and another one differs', () => {
  const draw = (seed: number) => {
    const random = seeded(seed)
    return [random(), random(), random()]
  }
  assert.deepEqual(draw(7), draw(7))
  assert.notDeepEqual(draw(7), draw(8))
})

test('a lognormal has its median, its spread and its mean', () => {
  const random = seeded(3)
  const draws = Array.from({ length: 20_000 }, () => lognormal(random, 25, 0.35)).toSorted((a, b) => a - b)
  const at = (share: number) => draws[Math.floor(share * draws.length)] ?? 0
  assert.ok(Math.abs(at(0.5) / 25 - 1) < 0.02, `median ${at(0.5)}`)
  // One standard deviation above the middle of a normal distribution lies 84.13 % of it.
  assert.ok(Math.abs(at(0.8413) / (25 * Math.exp(0.35)) - 1) < 0.02, `84 % ${at(0.8413)}`)
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length
  assert.ok(Math.abs(mean / lognormalMean(25, 0.35) - 1) < 0.02, `mean ${mean}`)
  assert.equal(lognormal(random, 25, 0), 25)
})
