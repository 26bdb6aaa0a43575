import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hold, meets, ndcg, percentile, recall, reciprocalRank } from './measures.ts'
import type { Grade, Judgement } from './measures.ts'

const passage = (document: string, text = '') => ({ document, text })
const judgement = (document: string, grade: Grade, contains?: string): Judgement => ({
  documents: [document],
  grade,
  contains,
})
const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`)

test('nDCG discounts by log2 of the place and divides by the best order', () => {
  const judgements = [judgement('a', 3), judgement('b', 2), judgement('c', 1)]
  const met = hold([passage('b'), passage('x'), passage('a'), passage('c')], judgements)
  assert.deepEqual(met, { places: [3, 1, 4], gains: [3, 0, 7, 1] })
  // By hand: (3/1 + 0 + 7/2 + 1/2.321928) / (7/1 + 3/1.584963 + 1/2).
  near(ndcg(met, judgements, 10), (3 + 3.5 + 1 / 2.321928094887362) / (7 + 3 / 1.584962500721156 + 0.5))
  near(ndcg(met, judgements, 1), 3 / 7)
  near(ndcg(met, judgements, 2), 3 / (7 + 3 / 1.584962500721156))
})

test('the best order is worth 1, a ranking without a right passage 0', () => {
  const judgements = [judgement('a', 1), judgement('b', 3)]
  near(ndcg(hold([passage('b'), passage('a')], judgements), judgements, 10), 1)
  assert.equal(ndcg(hold([passage('x')], judgements), judgements, 10), 0)
  assert.equal(ndcg(hold([], judgements), judgements, 10), 0)
})

test('several passages of one document meet one judgement once', () => {
  const judgements = [judgement('a', 3)]
  const met = hold([passage('a', 'one'), passage('a', 'two')], judgements)
  assert.deepEqual(met, { places: [1], gains: [7, 0] })
  near(ndcg(met, judgements, 10), 1)
})

test('a passage that meets several judgements meets all of them and gains by the best', () => {
  const judgements = [judgement('a', 2, 'first half'), judgement('a', 3, 'second half')]
  const met = hold([passage('a', 'first half\nsecond half')], judgements)
  assert.deepEqual(met, { places: [1, 1], gains: [7] })
  assert.equal(recall(met, 1), 1)
  near(ndcg(met, judgements, 10), 7 / (7 + 3 / Math.log2(3)))
})

test('recall is the share of judgements, the reciprocal rank looks for the first', () => {
  const judgements = ['a', 'b', 'c', 'd'].map((name) => judgement(name, 1))
  const met = hold([passage('x'), passage('c'), passage('x'), passage('a'), passage('b')], judgements)
  assert.deepEqual(
    [1, 2, 4, 5].map((k) => recall(met, k)),
    [0, 0.25, 0.5, 0.75],
  )
  assert.equal(reciprocalRank(met, 10), 0.5)
  assert.equal(reciprocalRank(met, 1), 0)
})

test('a phrase is looked for whatever the white space, in the documents that are named', () => {
  const wanted: Judgement = { documents: ['a', 'copy of a'], contains: 'eight  days', grade: 3 }
  assert.ok(meets(passage('copy of a', 'within eight\n days of'), wanted))
  assert.ok(!meets(passage('a', 'within nine days'), wanted))
  assert.ok(!meets(passage('b', 'within eight days'), wanted))
})

test('percentiles are values that there were', () => {
  const values = [10, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  assert.deepEqual(
    [0.5, 0.95, 0.1, 1].map((share) => percentile(values, share)),
    [5, 10, 1, 10],
  )
  assert.equal(percentile([], 0.5), Number.NaN)
})
