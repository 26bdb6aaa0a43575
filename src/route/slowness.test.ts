import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slowness } from './slowness.ts'

test('three slow times in a row make a target slow, two and a good one do not', () => {
  const slowness = new Slowness()
  slowness.saw(900, 300, 0)
  slowness.saw(900, 300, 0)
  slowness.saw(100, 300, 0)
  slowness.saw(900, 300, 0)
  assert.deepEqual([slowness.isSlow, slowness.expectMs(0, 0, 0)], [false, 0])
  slowness.saw(900, 300, 0)
  slowness.saw(800, 300, 0)
  assert.deepEqual([slowness.isSlow, slowness.expectMs(0, 0, 0)], [true, 800])
})

test('calls that wait beyond the threshold count before they are answered', () => {
  const slowness = new Slowness()
  assert.equal(slowness.expectMs(2, 500, 0), 0)
  assert.equal(slowness.expectMs(3, 500, 0), 500)
})

test('after a pause one call finds out; while it does, and when it is slow still, nobody follows', () => {
  const slowness = new Slowness()
  for (let time = 0; time < 3; time += 1) slowness.saw(900, 300, 0)
  assert.equal(slowness.expectMs(0, 0, 1999), 900)
  assert.equal(slowness.expectMs(0, 0, 2000), 0)
  slowness.opened(2000)
  assert.equal(slowness.expectMs(0, 0, 2001), 900)
  slowness.saw(700, 300, 2700)
  assert.equal(slowness.expectMs(0, 0, 2700 + 3999), 700)
  slowness.opened(7000)
  slowness.saw(100, 300, 7100)
  assert.deepEqual([slowness.isSlow, slowness.expectMs(0, 0, 7100)], [false, 0])
})

test('nothing is slow while little is known', () => {
  assert.equal(Slowness.threshold(19, 100, 200), Number.POSITIVE_INFINITY)
  assert.equal(Slowness.threshold(20, 100, 150), 300)
  assert.equal(Slowness.threshold(20, 100, 400), 600)
})
