import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testAsk } from '#contract/test-ask.ts'
import { PrefixIndex, bid, prefixOf } from './prefix.ts'

function promptOf(system: string, question: string) {
  return testAsk({
    messages: [
      { role: 'system', parts: [{ type: 'text', text: system }] },
      { role: 'user', parts: [{ type: 'text', text: question }] },
    ],
  })
}

const LONG = 'All work is done by the rules of the house. '.repeat(60)

test('prompts share the numbers of what they share, from the beginning on', () => {
  const one = prefixOf(promptOf(LONG, 'What is the rule? '.repeat(40)), 'salt')
  const other = prefixOf(promptOf(LONG, 'Who is the master? '.repeat(40)), 'salt')
  const shared = one.findIndex((block, at) => block !== other[at])
  assert.equal(shared, Math.floor((LONG.length + 'systemuser'.length) / 256))
  assert.ok(one.slice(shared).every((block, at) => block !== other[shared + at]))
})

test('another tenant shares nothing, and what is shorter than a block has no number', () => {
  const one = prefixOf(promptOf(LONG, 'x'), 'a')
  const other = prefixOf(promptOf(LONG, 'x'), 'b')
  assert.ok(one.every((block) => !other.includes(block)))
  assert.deepEqual(prefixOf(promptOf('short', 'x'), 'a'), [])
})

test('how the text is cut into parts makes no difference', () => {
  const whole = prefixOf(testAsk({ messages: [{ role: 'user', parts: [{ type: 'text', text: LONG }] }] }), 's')
  const parts = LONG.split('').map((text) => ({ type: 'text' as const, text }))
  assert.deepEqual(prefixOf(testAsk({ messages: [{ role: 'user', parts }] }), 's'), whole)
})

test('a shard holds what was placed there, until its instance goes', () => {
  const index = new PrefixIndex()
  const prefix = prefixOf(promptOf(LONG, 'x'), 's')
  index.placed('a', prefix)
  assert.deepEqual([index.match('a', prefix), index.match('b', prefix)], [1, 0])
  const longer = [...prefix, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  assert.equal(index.match('a', longer), prefix.length / longer.length)
  assert.equal(index.match('a', [0, ...prefix]), 0, 'the beginning counts, not what comes later')
  index.forget('a')
  assert.equal(index.match('a', prefix), 0)
})

test('bids spread prompts evenly, and one shard less moves its own prompts only', () => {
  const shards = ['a', 'b', 'c', 'd']
  const winner = (among: readonly string[], prefix: readonly number[]): string =>
    among.toSorted((x, y) => bid(y, prefix) - bid(x, prefix))[0] ?? ''
  const won = new Map<string, number>()
  for (let prompt = 0; prompt < 2000; prompt += 1) {
    const prefix = prefixOf(promptOf(`${prompt} ${LONG}`, 'x'), 's')
    const first = winner(shards, prefix)
    won.set(first, (won.get(first) ?? 0) + 1)
    if (first !== 'd') assert.equal(winner(['a', 'b', 'c'], prefix), first)
  }
  for (const shard of shards) assert.ok(Math.abs((won.get(shard) ?? 0) - 500) < 100, `${shard}: ${won.get(shard)}`)
})
