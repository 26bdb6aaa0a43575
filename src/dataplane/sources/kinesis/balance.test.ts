import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseShards } from './balance.ts'
import type { HeldShard } from './balance.ts'

function shards(...owners: readonly (string | undefined)[]): HeldShard[] {
  return owners.map((owner, at) => ({ shard: `s${at}`, owner }))
}

test('who is alone takes everything that is free', () => {
  assert.deepEqual(chooseShards(shards(undefined, undefined, undefined), 'a'), {
    free: ['s0', 's1', 's2'],
    stolen: undefined,
  })
})

test('who is not alone takes its share of what is free, and steals nothing while something is', () => {
  assert.deepEqual(chooseShards(shards('b', 'b', undefined, undefined, undefined), 'a'), {
    free: ['s2', 's3', 's4'],
    stolen: undefined,
  })
  assert.deepEqual(chooseShards(shards('b', 'c', undefined, undefined, undefined), 'a').free, ['s2', 's3'])
  assert.deepEqual(chooseShards(shards('a', 'a', 'b', undefined), 'a'), { free: [], stolen: undefined })
})

test('one is stolen from whoever has most, and none for a difference of one', () => {
  assert.deepEqual(chooseShards(shards('b', 'b', 'b', 'c'), 'a'), { free: [], stolen: 's0' })
  assert.deepEqual(chooseShards(shards('c', 'b', 'b', 'b', 'a'), 'a'), { free: [], stolen: 's1' })
  assert.deepEqual(chooseShards(shards('b', 'b', 'a'), 'a').stolen, undefined)
  assert.deepEqual(chooseShards(shards('b'), 'a').stolen, undefined)
})

test('whatever the consumers and the shards, they come to equal shares and then stay', () => {
  for (const [consumers, count] of [
    [1, 7],
    [3, 7],
    [5, 3],
    [4, 16],
  ] as const) {
    const owners: (string | undefined)[] = Array.from({ length: count }, () => 'gone')
    owners.fill(undefined, 0, count - 1)
    const names = Array.from({ length: consumers }, (_, at) => `c${at}`)
    for (let round = 0; round < 40; round += 1) {
      const before = owners.join()
      for (const me of names) {
        // The one that is gone expires after a while.
        const seen = owners.map((owner) => (owner === 'gone' && round > 2 ? undefined : owner))
        const { free, stolen } = chooseShards(shards(...seen), me)
        for (const shard of [...free, ...(stolen === undefined ? [] : [stolen])]) owners[Number(shard.slice(1))] = me
      }
      if (round > 30) assert.equal(owners.join(), before)
    }
    const counts = names.map((name) => owners.filter((owner) => owner === name).length)
    assert.equal(
      counts.reduce((sum, each) => sum + each),
      count,
    )
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join())
  }
})
