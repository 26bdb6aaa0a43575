import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FAULT_KINDS, FaultBook, FaultProblem, readFault } from './faults.ts'

const bad: readonly (readonly [value: unknown, field: string, message: RegExp, allowed: RegExp])[] = [
  [{ service: 'cloud-run', kind: 'thrott' }, 'kind', /^`kind` is not one of/, /throttle/],
  [{ service: 'nowhere', kind: 'hang' }, 'service', /^`service` is not one of/, /bedrock/],
  [{ kind: 'hang' }, 'service', /^`service` is not one of/, /bedrock/],
  [{ service: 'entra', kind: 'hang', tmies: 2 }, 'tmies', /^unknown field `tmies`/, /count/],
  [{ service: 'entra', kind: 'error', status: 200 }, 'status', /^`status`: /, /from 400 to 599/],
  [{ service: 'entra', kind: 'error', count: 0 }, 'count', /^`count`: /, /from 1/],
  [{ service: 'bedrock', kind: 'skew', ms: 1 }, 'service', /only `entra` has a clock/, /entra/],
  ['hang', '', /JSON object/, /service/],
]

for (const [value, field, message, allowed] of bad) {
  test(`a bad fault is refused by field: ${JSON.stringify(value)}`, () => {
    assert.throws(
      () => readFault(value),
      (error) => {
        assert.ok(error instanceof FaultProblem)
        assert.equal(error.field, field)
        assert.match(error.message, message)
        assert.match(error.allowed.join(' '), allowed)
        return true
      },
    )
  })
}

test('every kind can be read', () => {
  for (const kind of FAULT_KINDS) assert.equal(readFault({ service: 'entra', kind }).kind, kind)
})

test('a fault hits what it matches, as often as it says', () => {
  const book = new FaultBook()
  book.set({ service: 'entra', kind: 'throttle', count: 2, path: '/token' })
  book.set({ service: 'entra', kind: 'latency', ms: 5 })
  assert.deepEqual(
    book.take('entra', '/keys').map(({ kind }) => kind),
    ['latency'],
  )
  assert.equal(book.take('bedrock', '/token').length, 0)
  assert.equal(book.take('entra', '/x/token').length, 2)
  assert.deepEqual(book.list()[0], { service: 'entra', kind: 'throttle', count: 1, path: '/token' })
  assert.equal(book.take('entra', '/x/token').length, 2)
  assert.equal(book.take('entra', '/x/token').length, 1)
  book.clear('bedrock')
  assert.equal(book.list().length, 1)
  book.clear('entra')
  assert.equal(book.list().length, 0)
})

test('a refusal is taken by connections only', () => {
  const book = new FaultBook()
  book.set({ service: 'bedrock', kind: 'refuse', count: 1 })
  assert.equal(book.take('bedrock', '/').length, 0)
  assert.equal(book.takeRefusal('entra'), false)
  assert.equal(book.takeRefusal('bedrock'), true)
  assert.equal(book.takeRefusal('bedrock'), false)
})
