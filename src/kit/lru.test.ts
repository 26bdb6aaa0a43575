import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Lru } from './lru.ts'

test('the entry that was not used for longest leaves first', () => {
  const lru = new Lru<string, number>(2)
  lru.set('a', 1)
  lru.set('b', 2)
  assert.equal(lru.get('a'), 1)
  lru.set('c', 3)
  assert.deepEqual([lru.get('a'), lru.get('b'), lru.get('c'), lru.size], [1, undefined, 3, 2])
})

test('writing an entry again refreshes it and replaces its value', () => {
  const lru = new Lru<string, number>(2)
  lru.set('a', 1)
  lru.set('b', 2)
  lru.set('a', 3)
  lru.set('c', 4)
  assert.deepEqual([lru.get('a'), lru.get('b')], [3, undefined])
})

test('what is deleted or cleared is gone', () => {
  const lru = new Lru<string, number>(2)
  lru.set('a', 1)
  lru.set('b', 2)
  lru.delete('a')
  assert.deepEqual([lru.get('a'), lru.size], [undefined, 1])
  lru.clear()
  assert.deepEqual([lru.get('b'), lru.size], [undefined, 0])
})

test('it does what a list in order of use does, and never holds more than its bound', () => {
  const step = fc.record({ key: fc.nat(6), write: fc.boolean() })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
      const lru = new Lru<number, number>(capacity)
      let model: { key: number; value: number }[] = []
      for (const [at, { key, write }] of steps.entries()) {
        const known = model.find((entry) => entry.key === key)
        if (!write) assert.equal(lru.get(key), known?.value)
        else lru.set(key, at)
        const value = write ? at : known?.value
        if (value !== undefined)
          model = [...model.filter((entry) => entry.key !== key), { key, value }].slice(-capacity)
        assert.equal(lru.size, model.length)
      }
    }),
    { numRuns: 300 },
  )
})
