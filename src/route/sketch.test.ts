import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sketch } from './sketch.ts'

test('quantiles are exact to a tenth', () => {
  const sketch = new Sketch(3_600_000, 0)
  for (let ms = 1; ms <= 1000; ms += 1) sketch.add(ms, 0)
  for (const [part, wanted] of [
    [0.5, 500],
    [0.95, 950],
  ] as const)
    assert.ok(Math.abs(sketch.quantile(part) / wanted - 1) < 0.1, `${part}: ${sketch.quantile(part)}`)
  assert.equal(sketch.samples(0), 1000)
})

test('old times fade: an hour later they count half, and a day later next to nothing', () => {
  const sketch = new Sketch(3_600_000, 0)
  for (let time = 0; time < 100; time += 1) sketch.add(10, 0)
  assert.ok(Math.abs(sketch.samples(3_600_000) - 50) < 0.01)
  for (let time = 0; time < 60; time += 1) sketch.add(1000, 3_600_000)
  assert.ok(sketch.p50 > 900, 'sixty new ones outweigh a hundred that count half')
  assert.ok(sketch.samples(86_400_000) < 0.01)
  sketch.add(20, 10 * 86_400_000)
  assert.ok(Math.abs(sketch.p95 / 20 - 1) < 0.1)
})

test('nothing known is not a number, and times beyond all bounds stay within', () => {
  const sketch = new Sketch(1000, 0)
  assert.ok(Number.isNaN(sketch.p50))
  for (const ms of [0, -5, 1e12]) sketch.add(ms, 0)
  assert.ok(sketch.quantile(0.01) > 0 && Number.isFinite(sketch.quantile(1)))
  assert.ok(sketch.samples(1e15) >= 0, 'an age without end')
})
