import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PassageWithVector } from '#dataplane/index/store.ts'
import { aboveFloor, fuse, rank, select, wordsOf } from './rank.ts'
import type { CollectionHits } from './rank.ts'

const FLOOR = 0.27

function passage(document: string, start: number, text: string, vector: readonly number[] = [1, 0]): PassageWithVector {
  const known = {
    title: '',
    heading: '',
    page: 0,
    record: 0,
    lastRecord: 0,
    access: 'open',
    findings: '[]',
    rules: '1',
    generation: 'g',
  }
  const rest = { ...known, end: start + text.length }
  return { document, start, text, ...rest, vector: Float32Array.from(vector) }
}

const hit = (document: string, start: number, score: number, text = `${document} ${start} text`) => ({
  passage: passage(document, start, text),
  score,
})

const question = (words: string, vector: readonly number[] | undefined = [1, 0]) => ({
  words: wordsOf(words),
  vector: vector === undefined ? undefined : Float32Array.from(vector),
})
/** A passage of which the question `[1, 0]` has this cosine. */
const close = (document: string, cosine: number, text: string, score = cosine) => ({
  passage: passage(document, 0, text, [cosine, Math.sqrt(1 - cosine ** 2)]),
  score,
})
const list = (...hits: ReturnType<typeof close>[]): CollectionHits[] => [{ collection: 'c', hits }]
const documentsOf = (candidates: readonly { passage: PassageWithVector }[]) =>
  candidates.map(({ passage: { document } }) => document)

test('a passage that both searches rank well comes before one that only one of them knows', () => {
  const [a, b, d] = [close('a', 0.6, 'rain'), close('b', 0.55, 'blue valve'), close('d', 0.1, 'blue')]
  const ranked = rank(question('blue valve'), list(a, b), list({ ...b, score: 12 }, { ...d, score: 3 }))
  assert.deepEqual(documentsOf(ranked), ['b', 'a', 'd'])
  // Cosine, a fifth for all words of the question, a fifth for the first text hit that has them all.
  assert.ok(Math.abs((ranked[0]?.score ?? 0) - 0.95) < 1e-6)
})

test('a code that one passage alone contains puts it first, far as it is in meaning', () => {
  const [near, right] = [close('near', 0.3, 'codes of errors'), close('right', 0.1, 'see 711-0011')]
  const ranked = rank(question('711-0011'), list(near), list({ ...right, score: 9 }))
  assert.deepEqual(documentsOf(ranked), ['right', 'near'])
})

test('a text hit counts for less when it has few of the words: it met them by chance', () => {
  const [meant, chance] = [close('meant', 0.5, 'leave'), close('chance', 0.35, 'fever chart')]
  const ranked = rank(question('kid with fever at home today'), list(meant), list({ ...chance, score: 20 }))
  assert.deepEqual(documentsOf(ranked), ['meant', 'chance'])
})

test('text scores are compared over all collections', () => {
  const [a, b] = [close('a', 0.3, 'blue valve'), close('b', 0.3, 'blue valve')]
  const lists = [
    { collection: 'poor', hits: [{ ...a, score: 1 }] },
    { collection: 'rich', hits: [{ ...b, score: 10 }] },
  ]
  assert.deepEqual(documentsOf(rank(question('blue valve'), [], lists)), ['b', 'a'])
})

test('without vectors the words decide', () => {
  const [a, b] = [close('a', 0.9, 'nothing of it'), close('b', 0, 'blue valve')]
  const asked = question('blue valve', undefined)
  assert.deepEqual(documentsOf(rank({ ...asked, vector: undefined }, [], list(a, { ...b, score: 3 }))), ['b', 'a'])
})

test('several questions are put together by rank: none is drowned by one with higher scores', () => {
  const sure = rank(question('x'), list(close('a', 0.9, 'a'), close('b', 0.8, 'b')), [])
  const unsure = rank(question('x'), list(close('c', 0.4, 'c'), close('b', 0.35, 'b')), [])
  const fused = fuse([sure, unsure])
  assert.deepEqual(documentsOf(fused), ['b', 'a', 'c'])
  assert.equal(fused[0]?.score, 2 / 62)
  assert.equal(fused[2]?.score, 1 / 61)
})

test('at most three passages of one document, unless there is room left', () => {
  const own = Array.from({ length: 5 }, (_, at) => hit('a', at, 5 - at, `unlike ${at} the ${at} others ${at}`))
  const list = [{ collection: 'c', hits: [...own, hit('b', 0, 0.1)] }]
  const documents = (topK: number) =>
    select(fuse([rank(question('x'), list, [])]), topK).map(({ passage: { document } }) => document)
  assert.deepEqual(documents(4), ['a', 'a', 'a', 'b'])
  assert.deepEqual(documents(9), ['a', 'a', 'a', 'a', 'a', 'b'])
})

test('a near-duplicate is dropped, another number is no duplicate', () => {
  const long = Array.from({ length: 40 }, (_, at) => `word${at}`).join(' ')
  const list = [
    {
      collection: 'c',
      hits: [
        hit('a', 0, 3, long),
        hit('b', 0, 2, `${long} copied`),
        hit('d', 0, 1, 'gold answers in 4 hours'),
        hit('e', 0, 0, 'gold answers in 8 hours'),
      ],
    },
  ]
  assert.deepEqual(
    select(fuse([rank(question('x'), list, [])]), 9).map(({ passage: { document } }) => document),
    ['a', 'd', 'e'],
  )
})

test('the floor takes meaning, words add to it, and words alone do without a model', () => {
  const kept = (words: string, cosine?: number) => {
    const hit = close('a', cosine ?? 0, 'Tidewater deletes data')
    const asked = { ...question(words), ...(cosine === undefined ? { vector: undefined } : {}) }
    return aboveFloor(rank(asked, [], list(hit)), asked, FLOOR).length === 1
  }
  assert.ok(kept('something else', 0.28))
  assert.ok(!kept('something else', 0.26))
  assert.ok(kept('what is Tidewater', 0.08))
  assert.ok(!kept('what is Tidewater', 0.05))
  assert.ok(kept('what is Tidewater'))
  assert.ok(!kept('who won the cup'))
})

test('when the best is above the floor, the others need half of it', () => {
  const of = (...cosines: number[]) => {
    const ranked = rank(question('x'), list(...cosines.map((cosine, at) => close(`${at}`, cosine, 'y'))), [])
    return aboveFloor(ranked, question('x'), FLOOR).length
  }
  assert.equal(of(0.3, 0.16, 0.14), 2)
  assert.equal(of(0.26, 0.16, 0.14), 0)
  // Far above the floor, whatever is above it stays as well.
  assert.equal(of(0.9, 0.3, 0.26), 2)
})
