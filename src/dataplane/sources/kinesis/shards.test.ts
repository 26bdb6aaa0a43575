import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Lease } from './leases.ts'
import { readableShards } from './shards.ts'
import type { From, Shard } from './shards.ts'

const open = (id: string, ...parents: string[]): Shard => ({ id, parents, isClosed: false })
const closed = (id: string, ...parents: string[]): Shard => ({ id, parents, isClosed: true })
const lease = (isEnded: boolean): Lease => ({
  owner: undefined,
  counter: 1,
  checkpoint: '1',
  sinceEpochMs: undefined,
  isEnded,
})

function names(shards: readonly Shard[], leases: Readonly<Record<string, boolean>>, from: From): string[] {
  const known = new Map(Object.entries(leases).map(([id, isEnded]) => [id, lease(isEnded)]))
  return readableShards(shards, known, from).map(({ shard, begin }) => `${shard} ${begin}`)
}

test('a child waits for both of its parents', () => {
  const family = [closed('a'), closed('b'), open('c', 'a', 'b')]
  assert.deepEqual(names(family, {}, 'trim-horizon'), ['a oldest', 'b oldest'])
  assert.deepEqual(names(family, { a: true, b: false }, 'trim-horizon'), ['b oldest'])
  assert.deepEqual(names(family, { a: true, b: true }, 'trim-horizon'), ['c oldest'])
})

test('parents that are listed no more are no obstacle', () => {
  assert.deepEqual(names([open('c', 'a', 'b')], {}, 'trim-horizon'), ['c oldest'])
})

test('from the latest on, closed shards are left out, and the children of what was read are read whole', () => {
  const family = [closed('a'), closed('b'), open('c', 'a', 'b'), open('d')]
  assert.deepEqual(names(family, {}, 'latest'), ['c now', 'd now'])
  assert.deepEqual(names(family, { a: true, b: true }, 'latest'), ['c oldest', 'd now'])
  const grown = [closed('a'), closed('b', 'a'), open('c', 'b')]
  assert.deepEqual(names(grown, { a: true }, 'latest'), ['b oldest'])
  assert.deepEqual(names(grown, { a: true, b: true }, 'latest'), ['c oldest'])
  // The parent is listed no more, its lease is still known.
  assert.deepEqual(names([closed('b', 'a'), open('c', 'b')], { a: true }, 'latest'), ['b oldest'])
})
