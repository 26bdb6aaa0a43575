import assert from 'node:assert/strict'
import { test } from 'node:test'
import { factPassages } from './facts.ts'

test('a row is a line that names its values; what is not there is not named', () => {
  const rows = [
    {
      name: 'orders',
      columns: ['id', 'note', 'lines', 'paid', 'gone'],
      rows: [
        [1, 'two\n\n lines', [{ sku: 'a' }], false, null],
        [2, '', [], true],
      ],
    },
  ]
  const [passage, ...more] = factPassages({ rows, items: [] })
  assert.deepEqual(more, [])
  const text = 'id: 1; note: two lines; lines: [{"sku":"a"}]; paid: false\nid: 2; note: ; lines: []; paid: true'
  assert.deepEqual(passage, {
    text,
    source: {
      collection: 'sql:orders',
      document: 'sql:orders',
      title: '',
      heading: '',
      page: 0,
      record: 1,
      lastRecord: 2,
      start: 0,
      end: text.length,
    },
    score: 0,
    tokens: Math.ceil(text.length / 4),
    // Nobody has screened it.
    screened: { rules: '', findings: [] },
  })
})

test('items of one table stand together, whichever order they came in', () => {
  const items = [
    { table: 'boats', item: { id: 'a' } },
    { table: 'crews', item: { id: 'b' } },
    { table: 'boats', item: { id: 'c' } },
  ]
  assert.deepEqual(
    factPassages({ rows: [], items }).map(({ text, source }) => [source.collection, text]),
    [
      ['items:boats', 'id: a\nid: c'],
      ['items:crews', 'id: b'],
    ],
  )
})

test('many rows become several passages, each of whole rows that are counted on', () => {
  const rows = [{ name: 'orders', columns: ['a'], rows: Array.from({ length: 10 }, () => ['x'.repeat(996)]) }]
  const passages = factPassages({ rows, items: [] })
  assert.deepEqual(
    passages.map(({ source, text }) => [source.record, source.lastRecord, text.length]),
    [
      [1, 4, 3999],
      [5, 8, 3999],
      [9, 10, 1999],
    ],
  )
  const [large] = factPassages({ rows: [{ name: 'o', columns: ['a'], rows: [['y'.repeat(9000)]] }], items: [] })
  assert.equal(large?.text.length, 9003)
})

test('no rows and no items are no passages', () => {
  assert.deepEqual(factPassages({ rows: [{ name: 'orders', columns: ['a'], rows: [] }], items: [] }), [])
})
