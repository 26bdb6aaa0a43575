import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker } from './breaker.ts'

function failing(times: number): Breaker {
  const breaker = new Breaker()
  for (let time = 0; time < times; time += 1) breaker.failed(0)
  return breaker
}

test('five failures in a row take a target out for ten seconds', () => {
  assert.deepEqual([failing(4).admits(0), failing(4).state], [true, 'ok'])
  const breaker = failing(5)
  assert.deepEqual([breaker.admits(0), breaker.state, breaker.waitMs(0)], [false, 'out', 10_000])
  assert.equal(breaker.admits(9_999), false)
})

test('a success in between begins the count anew', () => {
  const breaker = failing(4)
  breaker.succeeded()
  for (let time = 0; time < 4; time += 1) breaker.failed(0)
  assert.equal(breaker.state, 'ok')
})

test('when its time is up one call tries it, the others wait for the outcome', () => {
  const breaker = failing(5)
  assert.equal(breaker.waitMs(10_000), 0)
  assert.deepEqual([breaker.admits(10_000), breaker.state, breaker.admits(10_000)], [true, 'probing', false])
  assert.ok(breaker.waitMs(10_000) > 0, 'nobody is sent where a probe is under way')
  breaker.succeeded()
  assert.deepEqual([breaker.state, breaker.admits(10_000), breaker.admits(10_000)], ['ok', true, true])
})

test('a try that fails takes it out again at once', () => {
  const breaker = failing(5)
  assert.equal(breaker.admits(10_000), true)
  breaker.failed(10_000)
  assert.deepEqual([breaker.admits(10_000), breaker.waitMs(10_000)], [false, 10_000])
})

test('a try that says nothing leaves the next one to another', () => {
  const breaker = failing(5)
  assert.equal(breaker.admits(10_000), true)
  breaker.released()
  assert.deepEqual([breaker.state, breaker.admits(10_000)], ['out', true])
})

test('a Retry-After is believed for a minute at most, be it a year', () => {
  const breaker = new Breaker()
  breaker.failed(0, 7)
  assert.equal(breaker.waitMs(0), 7000)
  breaker.failed(0, 31_536_000)
  assert.equal(breaker.waitMs(0), 60_000)
})
