import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson } from './canonical-json.ts'

const cases: readonly (readonly [value: unknown, text: string])[] = [
  [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
  [{ a: undefined, b: { d: undefined, c: 1 } }, '{"b":{"c":1}}'],
  [[undefined, 1], '[null,1]'],
  [{}, '{}'],
  [[], '[]'],
  ['"\\\n\u0001', '"\\"\\\\\\n\\u0001"'],
  [undefined, 'null'],
  [-0, '0'],
  [1e21, '1e+21'],
  [4.5, '4.5'],
  // Keys sort by UTF-16 code unit: a surrogate stands before U+FB33.
  [{ '\ufb33': 1, '\u{1f600}': 2, ö: 3, '\r': 5 }, '{"\\r":5,"ö":3,"\u{1f600}":2,"\ufb33":1}'],
]

for (const [value, text] of cases) {
  test(`there is one form of ${JSON.stringify(value) ?? 'nothing'}`, () => {
    assert.equal(canonicalJson(value), text)
  })
}

test('keys that look like numbers sort as text too', () => {
  assert.equal(canonicalJson({ 9: 1, 10: 2, '\r': 3 }), '{"\\r":3,"10":2,"9":1}')
})

test('it is JSON of the same value, whatever the order of keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value)
      assert.equal(JSON.stringify(JSON.parse(text)), JSON.stringify(JSON.parse(canonicalJson(JSON.parse(text)))))
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
      assert.equal(canonicalJson(shuffled(value)), text)
    }),
    { numRuns: 300 },
  )
})

/** The same value with the keys of every object turned round. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, shuffled(member)]),
  )
}
