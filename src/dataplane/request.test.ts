import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseContextRequest } from './request.ts'

const good = {
  queries: ['a'],
  collections: ['docs'],
  topK: 3,
  maxBytes: 4096,
  deadlineMs: 500,
  sql: [],
  items: [],
  principal: 'x.y.z',
}

test('a request is taken as it is, without what it says twice', () => {
  const request = parseContextRequest(JSON.stringify({ ...good, queries: ['a', 'a'], collections: ['docs', 'docs'] }))
  assert.deepEqual(request, good)
})

const rows: readonly [unknown, string, string, RegExp][] = [
  [{ ...good, queries: [] }, 'WIRE_MALFORMED', 'queries', /field `queries`/],
  [{ ...good, queries: ['a', 1] }, 'WIRE_MALFORMED', 'queries[1]', /expected string/],
  [{ ...good, topK: 0 }, 'WIRE_MALFORMED', 'topK', /field `topK`/],
  [{ ...good, maxBytes: 100 }, 'WIRE_MALFORMED', 'maxBytes', /2048/],
  [{ ...good, extra: 1 }, 'WIRE_MALFORMED', 'extra', /field `extra`/],
  [[], 'WIRE_MALFORMED', 'body', /field `body`/],
  [{ ...good, collections: [] }, 'WIRE_MALFORMED', 'collections', /say where it is to be searched/],
  [{ ...good, queries: [], collections: [] }, 'WIRE_MALFORMED', 'queries', /`queries`, `sql` or `items`/],
  [{ ...good, deadlineMs: 0 }, 'WIRE_MALFORMED', 'deadlineMs', /field `deadlineMs`/],
  [{ ...good, sql: [{ name: 'n', text: 'SELECT 1' }] }, 'WIRE_MALFORMED', 'sql[0]', /nrecognized key/],
  [{ ...good, items: [{ table: 't' }] }, 'WIRE_MALFORMED', 'items[0].key', /expected record/],
]

for (const [body, code, param, message] of rows) {
  test(`${code} names ${param}`, () => {
    assert.throws(() => parseContextRequest(JSON.stringify(body)), { code, param, message })
  })
}

test('a body that is not JSON is refused without its text', () => {
  assert.throws(() => parseContextRequest('{"secret'), { code: 'WIRE_MALFORMED', message: 'the body is not JSON' })
})
