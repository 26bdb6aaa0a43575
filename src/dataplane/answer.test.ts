import fc from 'fast-check'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { ContextAnswer } from '#contract/context.ts'
import { composeAnswer } from './answer.ts'
import type { AnswerParts } from './answer.ts'
import type { Candidate } from './retrieve/rank.ts'

const AT_EPOCH_MS = Date.UTC(2026, 10, 25, 12)

function candidate(at: number, text: string, document = `d-${at}.md`): Candidate {
  const known = { title: 'T', heading: 'H', page: 1, record: 2, lastRecord: 3, access: 'open', rules: '7' }
  const findings = JSON.stringify([{ type: 'PERSON', start: 0, end: 1, score: 0.5, detector: 'names' }])
  const passage = { ...known, document, start: 9, end: 9 + text.length, text, findings, generation: 'g' }
  return {
    key: `docs\n${document}\n9`,
    collection: 'docs',
    passage: { ...passage, vector: new Float32Array(2) },
    score: 1 / (at + 3),
  }
}

function partsOf(changes: Partial<AnswerParts> = {}): AnswerParts {
  const claims = {
    iss: 'https://control.example',
    aud: 'agent',
    sub: 'kim',
    tenant: 'nordwind',
    roles: [],
    groups: [],
    collections: ['docs'],
    purpose: 'chat',
    residency: 'eu',
    jti: 'request-1',
    iat: 0,
    exp: 60,
  }
  const facts = { rows: [], items: [] }
  return { agent: 'agent', claims, candidates: [], facts, missing: [], spans: [], atEpochMs: AT_EPOCH_MS, ...changes }
}

const table = (name: string, rows: readonly (readonly unknown[])[], columns: readonly string[] = ['a']) => ({
  name,
  columns,
  rows: rows.map((row) => [...row]),
  document: 'd'.repeat(32),
})
const item = (name: string, value: unknown) => ({ table: name, item: { value }, document: 'e'.repeat(32) })

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')

/** That every read has the digest of what is there, in its order, and nothing else was read. */
function assertReceipt({ passages, rows, items, receipt, missing }: ContextAnswer): void {
  assert.deepEqual(receipt.reads, [
    ...passages.map(({ text, source }) => ({
      collection: source.collection,
      document: source.document,
      digest: digestOf(text),
    })),
    ...rows.map(({ name, rows: own }) => ({
      collection: `sql:${name}`,
      document: 'd'.repeat(32),
      digest: digestOf(JSON.stringify(own)),
    })),
    ...items.map(({ table: name, item: own }) => ({
      collection: `items:${name}`,
      document: 'e'.repeat(32),
      digest: digestOf(JSON.stringify(own)),
    })),
  ])
  assert.deepEqual(receipt.missing, missing)
  const there = [passages, rows, items].filter(({ length }) => length > 0)
  assert.equal(
    receipt.bytes,
    there.reduce((sum, each) => sum + bytesOf(each), 0),
  )
}

test('what fits is all there, with what was read and by whom', () => {
  const spans = [{ name: 'vector', startEpochMs: AT_EPOCH_MS, ms: 1.5 }]
  const candidates = [candidate(0, 'The anemometer.'), candidate(1, 'Übermäßig.')]
  const facts = { rows: [table('orders', [[1], [2]])], items: [item('boats', 'Ida')] }
  const answer = composeAnswer(partsOf({ candidates, facts, spans, missing: ['the query `x` was late'] }), 65_536)
  assert.deepEqual(answer.passages[0], {
    text: 'The anemometer.',
    source: {
      collection: 'docs',
      document: 'd-0.md',
      title: 'T',
      heading: 'H',
      page: 1,
      record: 2,
      lastRecord: 3,
      start: 9,
      end: 24,
    },
    score: 0.333333,
    tokens: 4,
    screened: {
      rules: '7',
      findings: [{ type: 'PERSON', start: 0, end: 1, score: 0.5, detector: 'names' }],
    },
  })
  assert.equal(answer.passages.length, 2)
  assert.deepEqual(answer.rows, [{ name: 'orders', columns: ['a'], rows: [[1], [2]] }])
  assert.deepEqual(answer.items, [{ table: 'boats', item: { value: 'Ida' } }])
  assert.deepEqual([answer.missing, answer.spans], [['the query `x` was late'], spans])
  const { agent, requestId, subject, tenant, atEpochMs } = answer.receipt
  assert.deepEqual(
    [agent, requestId, subject, tenant, atEpochMs],
    ['agent', 'request-1', 'kim', 'nordwind', AT_EPOCH_MS],
  )
  assertReceipt(answer)
})

test('the best passages stay, and it is said how many went', () => {
  const candidates = Array.from({ length: 9 }, (_, at) => candidate(at, `${at}`.repeat(1000)))
  const answer = composeAnswer(partsOf({ candidates }), 4096)
  assert.deepEqual(
    answer.passages.map(({ source }) => source.document),
    ['d-0.md', 'd-1.md'],
  )
  assert.deepEqual(answer.missing, ['7 of the passages found did not fit into 4096 bytes'])
  assert.ok(bytesOf(answer) <= 4096)
  assertReceipt(answer)
})

test('many small passages fill an answer to its last bytes, and not further', () => {
  const candidates = Array.from({ length: 200 }, (_, at) => candidate(at, 'x'))
  for (let maxBytes = 60_000; maxBytes < 60_500; maxBytes += 10) {
    const bytes = bytesOf(composeAnswer(partsOf({ candidates }), maxBytes))
    assert.ok(bytes <= maxBytes && bytes > maxBytes - 1000, `${bytes} of ${maxBytes}`)
  }
})

test('no worse passage takes the place of a better one that is too large', () => {
  const candidates = [candidate(0, 'a'), candidate(1, 'b'.repeat(5000)), candidate(2, 'c')]
  const answer = composeAnswer(partsOf({ candidates }), 4096)
  assert.deepEqual(
    answer.passages.map(({ text }) => text),
    ['a'],
  )
})

test('rows come before passages, up to their share; alone they may fill the answer', () => {
  const rows = [
    table(
      'orders',
      Array.from({ length: 400 }, (_, at) => [at, 'x'.repeat(50)]),
    ),
  ]
  const candidates = Array.from({ length: 20 }, (_, at) => candidate(at, 'y'.repeat(500)))
  const both = composeAnswer(partsOf({ candidates, facts: { rows, items: [] } }), 16_384)
  const alone = composeAnswer(partsOf({ facts: { rows, items: [] } }), 16_384)
  const share = bytesOf(both.rows) / 16_384
  assert.ok(share > 0.3 && share <= 0.6, `${share}`)
  assert.ok(both.passages.length > 3)
  assert.ok((alone.rows[0]?.rows.length ?? 0) > (both.rows[0]?.rows.length ?? 0))
  assert.deepEqual(both.rows[0]?.rows[0], [0, 'x'.repeat(50)])
  const kept = both.rows[0]?.rows.length ?? 0
  assert.deepEqual(both.missing, [
    `${400 - kept} rows or items that were found did not fit into 16384 bytes`,
    `${20 - both.passages.length} of the passages found did not fit into 16384 bytes`,
  ])
  for (const answer of [both, alone]) {
    assert.ok(bytesOf(answer) <= 16_384)
    assertReceipt(answer)
  }
})

test('what is small stays whole beside a table that is too large', () => {
  const large = table(
    'large',
    Array.from({ length: 300 }, (_, at) => [at, 'x'.repeat(40)]),
  )
  const facts = { rows: [table('small', [[1], [2], [3]]), large], items: [item('boats', 'Ida')] }
  const answer = composeAnswer(partsOf({ facts }), 4096)
  assert.equal(answer.rows[0]?.rows.length, 3)
  assert.equal(answer.items.length, 1)
  assert.ok((answer.rows[1]?.rows.length ?? 300) < 300)
  // And the other way about.
  const items = Array.from({ length: 100 }, () => item('boats', 'z'.repeat(50)))
  const other = composeAnswer(partsOf({ facts: { rows: [table('small', [[1], [2], [3]])], items } }), 4096)
  assert.equal(other.rows[0]?.rows.length, 3)
  assert.ok(other.items.length > 0 && other.items.length < 100)
  assert.deepEqual(other.missing, [
    `${100 - other.items.length} rows or items that were found did not fit into 4096 bytes`,
  ])
})

test('a row, or the names of its columns, that no answer has room for leaves the rest', () => {
  const candidates = [candidate(0, 'The anemometer.')]
  const wide = table('wide', [['x'.repeat(100_000)]])
  const answer = composeAnswer(partsOf({ candidates, facts: { rows: [wide], items: [] } }), 2048)
  assert.equal(answer.passages.length, 1)
  assert.deepEqual(answer.rows, [{ name: 'wide', columns: ['a'], rows: [] }])
  assert.deepEqual(answer.missing, ['1 rows or items that were found did not fit into 2048 bytes'])
  const columns = Array.from({ length: 500 }, (_, at) => `column ${at}`)
  const named = table('named', [Array.from({ length: 500 }, () => 1)], columns)
  const other = composeAnswer(partsOf({ candidates, facts: { rows: [named], items: [] } }), 2048)
  assert.deepEqual([other.rows, other.passages.length], [[], 1])
  assert.deepEqual(other.missing, ['1 rows or items that were found did not fit into 2048 bytes'])
  assert.ok(bytesOf(other) <= 2048)
})

test('an answer of which the frame alone is too long says so and holds nothing', () => {
  const missing = Array.from({ length: 40 }, (_, at) => `the query \`${at}\` was not answered within 780 ms`)
  const facts = { rows: [table('orders', [[1]])], items: [item('boats', 1)] }
  const answer = composeAnswer(partsOf({ missing, facts, candidates: [candidate(0, 'a')] }), 2048)
  assert.deepEqual([answer.passages, answer.rows, answer.items], [[], [], []])
  assert.deepEqual(answer.missing.slice(0, 40), missing)
  assert.equal(answer.missing.length, 42)
})

const words = fc.string({ unit: 'binary', maxLength: 400 })
const name = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,62}$/)
const cell = fc.oneof(words, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null))

test('no answer is longer than its bytes unless it holds nothing', () => {
  const some = fc.record({
    candidates: fc.array(
      fc.tuple(words, words).map(([text, document]) => candidate(0, text, document)),
      { maxLength: 20 },
    ),
    rows: fc.array(
      fc
        .record({ name, columns: fc.array(words, { maxLength: 8 }), rows: fc.array(fc.array(cell), { maxLength: 40 }) })
        .map(({ name: own, columns, rows }) => table(own, rows, columns)),
      { maxLength: 8 },
    ),
    items: fc.array(
      fc.tuple(name, words).map(([own, value]) => item(own, value)),
      { maxLength: 30 },
    ),
    missing: fc.array(words, { maxLength: 4 }),
    maxBytes: fc.integer({ min: 2048, max: 20_000 }),
  })
  fc.assert(
    fc.property(some, ({ candidates, rows, items, missing, maxBytes }) => {
      const answer = composeAnswer(partsOf({ candidates, facts: { rows, items }, missing }), maxBytes)
      const isNothing = answer.passages.length + answer.rows.length + answer.items.length === 0
      assert.ok(isNothing || bytesOf(answer) <= maxBytes, `${bytesOf(answer)} of ${maxBytes}`)
      assertReceipt(answer)
      const found = rows.reduce((sum, each) => sum + each.rows.length, items.length)
      const kept = answer.rows.reduce((sum, each) => sum + each.rows.length, answer.items.length)
      const said = answer.missing.slice(missing.length).join()
      assert.equal(said.includes(`${found - kept} rows or items`), found > kept)
      assert.equal(
        said.includes(`${candidates.length - answer.passages.length} of the passages`),
        candidates.length > answer.passages.length,
      )
    }),
    { numRuns: 300, interruptAfterTimeLimit: 30_000 },
  )
})
