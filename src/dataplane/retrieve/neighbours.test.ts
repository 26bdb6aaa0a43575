import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredPassage } from '#dataplane/index/store.ts'
import { mergeNeighbours, withinTokens } from './neighbours.ts'
import type { Candidate } from './rank.ts'

const DOCUMENT = 'Ask kim@harbour.example.\n\nOr bo@harbour.example, who\nanswers the telephone.'

/** A candidate for a stretch of a text, as ingest stores it; what an address is in it has been found. */
function candidate(start: number, text: string, score: number, changes: Partial<StoredPassage> = {}): Candidate {
  const found = [...text.matchAll(/\w+@[\w.]+\w/g)].map(({ 0: address, index }) => ({
    type: 'EMAIL_ADDRESS',
    start: index,
    end: index + address.length,
    score: 1,
    detector: 'email',
  }))
  const passage = {
    document: 'a.md',
    title: 'A',
    heading: 'H',
    page: 1,
    record: 0,
    lastRecord: 0,
    start,
    end: start + text.length,
    text,
    access: 'open',
    findings: JSON.stringify(found),
    rules: '1',
    generation: 'g',
    vector: new Float32Array(2),
    ...changes,
  }
  return { key: `docs\n${passage.document}\n${start}`, collection: 'docs', passage, score }
}

const cut = (start: number, end: number, score: number, changes: Partial<StoredPassage> = {}) =>
  candidate(start, DOCUMENT.slice(start, end), score, changes)

const shown = (candidates: readonly Candidate[]) =>
  candidates.map(({ passage }) => `${passage.document} ${passage.start}-${passage.end}`)

test('passages that follow each other become one, with offsets and findings that still hold', () => {
  const [first, second, third] = [cut(0, 24, 0.2), cut(26, 52, 0.9), cut(53, DOCUMENT.length, 0.5)]
  const [one, ...more] = mergeNeighbours([second, third, first])
  assert.ok(one)
  assert.deepEqual(more, [])
  const { passage } = one
  assert.deepEqual([passage.start, passage.end, one.score], [0, DOCUMENT.length, 0.9])
  assert.equal(one.key, first.key)
  assert.equal(passage.text, DOCUMENT)
  assert.equal(passage.text.length, passage.end - passage.start)
  const findings: unknown = JSON.parse(passage.findings)
  assert.ok(Array.isArray(findings))
  const texts = findings.map((finding: { start: number; end: number }) =>
    passage.text.slice(finding.start, finding.end),
  )
  assert.deepEqual(texts, ['kim@harbour.example', 'bo@harbour.example'])
})

test('the heading is that of the better when they differ, the page that of the first, the record that of the last', () => {
  const a = cut(0, 24, 0.2, { heading: 'Mail', page: 3, record: 4, lastRecord: 5 })
  const b = cut(26, 51, 0.9, { heading: 'Others', page: 4, record: 6, lastRecord: 8 })
  const [better] = mergeNeighbours([b, a])
  assert.deepEqual(
    [better?.passage.heading, better?.passage.page, better?.passage.record, better?.passage.lastRecord],
    ['Others', 3, 4, 8],
  )
  const [worse] = mergeNeighbours([a, b])
  assert.deepEqual([worse?.passage.heading, worse?.score], ['Mail', 0.2])
})

test('a joined passage stands where the better of its parts stood', () => {
  const [a, b] = [cut(0, 24, 0.9), cut(26, 51, 0.1)]
  const other = candidate(0, 'else', 0.5, { document: 'b.md' })
  const last = candidate(0, 'last', 0.05, { document: '0.md' })
  assert.deepEqual(shown(mergeNeighbours([a, other, b, last])), ['a.md 0-51', 'b.md 0-4', '0.md 0-4'])
  assert.deepEqual(shown(mergeNeighbours([other, b, a, last])), ['b.md 0-4', 'a.md 0-51', '0.md 0-4'])
})

const at = (start: number, changes: Partial<StoredPassage> = {}) => candidate(start, 'x'.repeat(10), 0.5, changes)

for (const [what, second, isJoined] of [
  ['side by side', at(10), true],
  ['with eight characters between', at(18), true],
  ['with nine characters between', at(19), false],
  ['overlapping', at(9), false],
  ['of another state of the document', at(12, { generation: 'h' }), false],
  ['screened by other rules', at(12, { rules: '2' }), false],
  ['of another document', at(12, { document: 'b.md' }), false],
  ['of another collection', { ...at(12), collection: 'board', key: 'board\na.md\n12' }, false],
  ['together as long as allowed', candidate(12, 'y'.repeat(3990), 0.4), true],
  ['together too long', candidate(12, 'y'.repeat(3991), 0.4), false],
] as const) {
  test(`two passages ${what} are ${isJoined ? 'joined' : 'kept apart'}`, () => {
    const merged = mergeNeighbours([at(0), second])
    assert.equal(merged.length, isJoined ? 1 : 2)
    const [first] = merged
    if (isJoined) assert.equal(first?.passage.text.length, second.passage.end)
    else assert.deepEqual(merged, [at(0), second])
  })
}

test('the best passages that fit the tokens stay; the first whatever its size', () => {
  const sizes = (lengths: readonly number[], maxTokens?: number) =>
    withinTokens(
      lengths.map((length) => candidate(0, 'x'.repeat(length), 1)),
      maxTokens,
    ).map(({ passage }) => passage.text.length)
  assert.deepEqual(sizes([40, 41, 4], 21), [40, 41])
  assert.deepEqual(sizes([40, 41, 4], 20), [40])
  assert.deepEqual(sizes([40, 41, 4], 22), [40, 41, 4])
  assert.deepEqual(sizes([4000, 4], 10), [4000])
  assert.deepEqual(sizes([4000, 4000]), [4000, 4000])
  assert.deepEqual(sizes([]), [])
})
