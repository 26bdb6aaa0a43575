import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PassageWithVector } from '#dataplane/index/store.ts'
import { fuse, isRelevant, select, wordsOf } from './rank.ts'

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

test('a passage that both searches rank well comes before one that only one of them knows', () => {
  const byMeaning = [{ collection: 'c', hits: [hit('a', 0, 0.9), hit('b', 0, 0.8)] }]
  const byWords = [{ collection: 'c', hits: [hit('b', 0, 12), hit('d', 0, 3)] }]
  const fused = fuse([byMeaning, byWords])
  assert.deepEqual(
    fused.map(({ passage: { document } }) => document),
    ['b', 'a', 'd'],
  )
  assert.equal(fused[0]?.score, 1 / 61 + 1 / 62)
})

test('within one search, collections are compared by score', () => {
  const list = [
    { collection: 'poor', hits: [hit('a', 0, 0.2)] },
    { collection: 'rich', hits: [hit('a', 0, 0.9), hit('b', 0, 0.8)] },
  ]
  assert.deepEqual(
    fuse([list]).map(({ collection }) => collection),
    ['rich', 'rich', 'poor'],
  )
})

test('at most three passages of one document, unless there is room left', () => {
  const own = Array.from({ length: 5 }, (_, at) => hit('a', at, 5 - at, `unlike ${at} the ${at} others ${at}`))
  const list = [{ collection: 'c', hits: [...own, hit('b', 0, 0.1)] }]
  const documents = (topK: number) => select(fuse([list]), topK).map(({ passage: { document } }) => document)
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
    select(fuse([list]), 9).map(({ passage: { document } }) => document),
    ['a', 'd', 'e'],
  )
})

test('the floor takes meaning, words add to it, and words alone do without a model', () => {
  const found = passage('a', 0, 'Tidewater deletes data')
  const question = (words: string, cosine?: number) => [
    { words: wordsOf(words), vector: cosine === undefined ? undefined : Float32Array.from([cosine, 0]) },
  ]
  assert.ok(isRelevant(found, question('something else', 0.31)))
  assert.ok(!isRelevant(found, question('something else', 0.29)))
  assert.ok(isRelevant(found, question('what is Tidewater', 0.12)))
  assert.ok(!isRelevant(found, question('what is Tidewater', 0.05)))
  assert.ok(isRelevant(found, question('what is Tidewater')))
  assert.ok(!isRelevant(found, question('who won the cup')))
})
