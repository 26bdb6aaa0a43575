import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { ingest } from '#dataplane/ingest/ingest.ts'
import { createPreparer } from '#dataplane/ingest/preparer.ts'
import { collectionOf, createWordEmbedder, engineIn, folderWith, skipWithoutIndex } from '#dataplane/test-agent.ts'
import { evaluate } from './evaluate.ts'
import { parseJudgements } from './judgements.ts'
import type { Reranker } from './rerank.ts'

const skip = skipWithoutIndex
const FILES = {
  'leave.md': '# Leave\n\nEight days of vacation can be taken over into March.',
  'travel.md': '# Travel\n\nHotels in Oslo cost 210 euros at most.',
  'parts.md': '# Parts\n\nThe seal kit 711-0011 fits the large pump.',
}

async function indexed(t: TestContext) {
  const dataDir = await folderWith({})
  const embedder = createWordEmbedder()
  const preparer = createPreparer()
  const collection = collectionOf(await folderWith(FILES))
  const index = await openCollection(collection, { dataDir, engine: engineIn(dataDir), embedder })
  t.after(async () => await Promise.all([index.close(), preparer.close()]))
  await ingest(index, { embedder, preparer })
  return { index, embedder }
}

const judged = (...lines: object[]) => parseJudgements(lines.map((line) => JSON.stringify(line)).join('\n'))

test('each way is measured by what it finds, and silence where nothing answers', { skip }, async (t) => {
  const { index, embedder } = await indexed(t)
  const queries = judged(
    { query: 'hotels in Oslo', kind: 'easy', relevant: [{ document: 'travel.md', contains: '210 euros' }] },
    { query: '711-0011', kind: 'code', relevant: [{ document: 'parts.md' }, { document: 'leave.md', grade: 1 }] },
    { query: 'football champions', relevant: [] },
  )
  const {
    ways,
    passages,
    answerable,
    unanswerable,
    floor,
    queries: each,
  } = await evaluate(index, queries, { embedder })
  assert.deepEqual([passages, answerable, unanswerable], [3, 2, 1])
  assert.deepEqual(
    ways.map(({ way }) => way),
    ['full text', 'vector', 'fused'],
  )
  const [text, , fused] = ways
  // The second query: 7 of 7 + 1 / log2(3), for nothing finds the document that does not hold the number.
  const code = 7 / (7 + 1 / Math.log2(3))
  assert.deepEqual(fused?.ndcgByKind, { easy: 1, code })
  assert.equal(fused?.ndcg, (1 + code) / 2)
  assert.deepEqual(text?.recallAt, { 1: 0.75, 5: 0.75, 10: 0.75 })
  assert.equal(fused?.mrr, 1)
  assert.equal(fused?.silent, 1)
  assert.ok((fused?.p95Ms ?? 0) > 0)
  // The vector search returns everything: two of its three passages the floor may cut, the last judgement is one of them.
  assert.deepEqual(floor, { found: 3, cut: 1 })
  assert.equal(each[2]?.returned.fused, 0)
})

test('a reranker is a way of its own', { skip }, async (t) => {
  const { index, embedder } = await indexed(t)
  const asked: string[] = []
  const reranker: Reranker = {
    model: 'backwards',
    candidates: 10,
    score: async (query, texts) => {
      asked.push(query)
      return await Promise.resolve(texts.map((text) => (text.includes('Leave') ? 1 : 0)))
    },
  }
  const queries = judged({ query: 'hotels in Oslo, vacation days taken over', relevant: [{ document: 'leave.md' }] })
  const { ways } = await evaluate(index, queries, { embedder, reranker }, 5)
  assert.deepEqual(
    ways.map(({ way }) => way),
    ['full text', 'vector', 'fused', 'reranked'],
  )
  assert.equal(ways.at(-1)?.mrr, 1)
  assert.equal(asked.length, 1)
})

test('judgements that the index can not meet are named with their lines', { skip }, async (t) => {
  const { index, embedder } = await indexed(t)
  const queries = judged(
    { query: 'a', relevant: [{ document: 'gone.md' }] },
    { query: 'b', relevant: [{ document: 'leave.md', contains: 'nine days' }] },
  )
  await assert.rejects(evaluate(index, queries, { embedder }), {
    name: 'JudgementsError',
    problems: [
      'line 1 names `gone.md`, which the collection does not have: write its path there',
      'line 2 looks for `nine days`, which no passage of `leave.md` holds: write words that stand together there',
    ],
  })
})
