import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Lru } from './lru.ts'

test('what was read lately stays, what was not leaves', () => {
  const lru = new Lru<string, number>(4)
  lru.set('kept', 1)
  for (let at = 0; at < 20; at += 1) {
    lru.set(`other ${at}`, at)
    assert.equal(lru.get('kept'), 1)
  }
  assert.equal(lru.get('other 0'), undefined)
})

test('writing an entry again replaces its value', () => {
  const lru = new Lru<string, number>(4)
  lru.set('a', 1)
  lru.set('b', 2)
  lru.set('c', 3)
  lru.set('a', 4)
  assert.equal(lru.get('a'), 4)
})

test('what is deleted or cleared is gone', () => {
  const lru = new Lru<string, number>(4)
  lru.set('a', 1)
  lru.set('b', 2)
  lru.set('c', 3)
  lru.delete('a')
  assert.deepEqual([lru.get('a'), lru.size], [undefined, 2])
  lru.clear()
  assert.deepEqual([lru.get('b'), lru.size], [undefined, 0])
})

test('it never answers with an old value, never holds more than its bound, and keeps the latest half', () => {
  const step = fc.record({ key: fc.nat(8), write: fc.boolean() })
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 6 }), fc.array(step, { maxLength: 80 }), (capacity, steps) => {
      const lru = new Lru<number, number>(capacity)
      const written = new Map<number, number>()
      let latest: number[] = []
      for (const [at, { key, write }] of steps.entries()) {
        if (write) {
          lru.set(key, at)
          written.set(key, at)
        } else {
          const value = lru.get(key)
          assert.ok(value === undefined || value === written.get(key))
          if (latest.includes(key)) assert.equal(value, written.get(key))
          if (value === undefined) continue
        }
        latest = [key, ...latest.filter((other) => other !== key)].slice(0, Math.floor(capacity / 2))
        assert.ok(lru.size <= capacity)
      }
    }),
    { numRuns: 300 },
  )
})
