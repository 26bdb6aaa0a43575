import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PrefixCache, blockHashes, tokensOf } from './prefix-cache.ts'

/** So many blocks of a text that is like no other's. */
const text = (name: string, blocks: number) => name.repeat(64 * blocks).slice(0, 64 * blocks)

/** A request from its beginning to its end: how many tokens it found. */
function ask(cache: PrefixCache, prompt: string, salt?: string): number | undefined {
  const hashes = blockHashes(prompt, salt)
  const lease = cache.take(hashes, tokensOf(prompt), Math.ceil(tokensOf(prompt) / 16))
  lease?.commit(hashes)
  lease?.release()
  return lease?.cachedTokens
}

test('a prompt finds the full blocks that it begins with as another did, and computes the last token itself', () => {
  const cache = new PrefixCache(100)
  const begin = text('a', 3)
  assert.equal(ask(cache, `${begin}how are you`), 0)
  assert.equal(ask(cache, `${begin}something else`), 48)
  assert.equal(ask(cache, begin), 32, 'all of it is known, and one block is computed for its last token')
  assert.equal(ask(cache, `${begin.slice(0, 130)}other than before`.padEnd(300)), 32)
})

test('another beginning or another salt finds nothing behind it', () => {
  const cache = new PrefixCache(100)
  const tail = text('b', 3)
  ask(cache, text('a', 1) + tail)
  assert.equal(ask(cache, text('c', 1) + tail), 0)
  assert.equal(ask(cache, `${text('a', 1)}${tail}`, 'tenant'), 0)
  assert.equal(ask(cache, `${text('a', 1)}${tail}`, 'tenant'), 48)
  assert.equal(ask(cache, `${text('a', 1)}${tail}`, 'other'), 0)
})

test('what was used least recently makes room, ends before beginnings', () => {
  const cache = new PrefixCache(8)
  ask(cache, text('a', 3))
  ask(cache, text('b', 3))
  ask(cache, `${text('a', 3)}!`)
  assert.equal(ask(cache, text('c', 4)), 0)
  assert.equal(ask(cache, `${text('a', 3)}?`), 48, 'used again later than b')
  assert.equal(ask(cache, `${text('b', 3)}?`), 0)
  const small = new PrefixCache(4)
  ask(small, text('a', 3))
  ask(small, text('b', 2))
  assert.equal(ask(small, `${text('a', 3)}?`), 32, 'the beginning was kept')
})

test('blocks in use are counted once, are never given away, and are found only when they are computed', () => {
  const cache = new PrefixCache(8)
  const prompt = `${text('a', 3)}!`
  const hashes = blockHashes(prompt, undefined)
  const first = cache.take(hashes, tokensOf(prompt), 4)
  const early = cache.take(hashes, tokensOf(prompt), 4)
  assert.deepEqual([early?.cachedTokens, cache.usage], [0, 1], 'not computed yet')
  assert.equal(cache.take([], 16, 1), undefined, 'full')
  early?.release()
  first?.commit(hashes)
  const late = cache.take(hashes, tokensOf(prompt), 4)
  assert.deepEqual([late?.cachedTokens, cache.usage], [48, 5 / 8], 'three shared, one each')
  first?.release()
  assert.equal(ask(cache, text('z', 5)), undefined, 'the other still uses them')
  assert.equal(cache.usage, 4 / 8)
  late?.release()
  assert.equal(cache.usage, 0)
  assert.equal(ask(cache, prompt), 48, 'kept as long as nobody needs the place')
})

test('what is found again takes a place like what is new', () => {
  const cache = new PrefixCache(4)
  const prompt = `${text('a', 3)}!`
  ask(cache, prompt)
  const other = cache.take([], 16, 1)
  assert.equal(ask(cache, prompt), undefined, 'three found, one new, and one is taken')
  other?.release()
  assert.equal(ask(cache, prompt), 48)
})

test('who computed the same at the same time has a copy of its own', () => {
  const cache = new PrefixCache(8)
  const prompt = `${text('a', 3)}!`
  const hashes = blockHashes(prompt, undefined)
  const leases = [cache.take(hashes, tokensOf(prompt), 4), cache.take(hashes, tokensOf(prompt), 4)]
  for (const lease of leases) lease?.commit(hashes)
  assert.equal(cache.usage, 1)
  leases[1]?.release()
  assert.equal(cache.usage, 0.5)
  leases[0]?.release()
  assert.equal(cache.usage, 0)
})
