import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LedgerStore } from './exchange.ts'
import { Keeper } from './keeper.ts'
import { Limiter } from './limiter.ts'
import { testRule } from './test-gateways.ts'

/** What every store of the ledger must do. `open` gives a store of one and the same ledger each time. */
export function storeSuite(name: string, open: () => Promise<LedgerStore>, skip: string | undefined): void {
  const options = skip === undefined ? {} : { skip }
  const rule = testRule({ window: 'month', amounts: { requests: 1_000_000, tokens: 1e12, microUsd: 1e12 } })

  /** A gateway with a share, and how it uses something. */
  async function gateway(replica: string, subject: string) {
    const limiter = new Limiter({ replica, nowEpochMs: Date.now })
    const store = await open()
    const exchange = async (isLeaving = false): Promise<void> => {
      const { request, told } = limiter.report({ isLeaving, isTidying: true })
      limiter.apply(await store.exchange(request), told)
    }
    const use = (amount: number): boolean => {
      const account = limiter.accountOf({ rule, subject })
      const holds = account.purses.map((purse) => ({ account, purse, amount }))
      const isHeld = limiter.hold(holds).length === 0
      if (isHeld) limiter.settle(holds, () => amount)
      return isHeld
    }
    const spent = (): readonly number[] =>
      limiter.accountOf({ rule, subject }).purses.map(({ used, others }) => used + others)
    return { limiter, store, exchange, use, spent }
  }

  test(`${name}: gateways share what was used, in amounts beyond 32 bits, and find it again`, options, async () => {
    const [one, other] = [await gateway(`${name}-1`, 'a'), await gateway(`${name}-2`, 'a')]
    try {
      for (let round = 0; round < 3; round += 1) for (const each of [one, other]) await each.exchange()
      assert.deepEqual([one.limiter.replicas, other.limiter.hasShare], [2, true])
      assert.ok(one.use(300_000) && other.use(40_000))
      for (const each of [other, one]) await each.exchange()
      assert.deepEqual(one.spent(), [340_000, 340_000, 340_000])
      for (const each of [one, other]) await each.exchange(true)
    } finally {
      await one.store.close()
      await other.store.close()
    }
    const again = await gateway(`${name}-3`, 'a')
    try {
      await again.exchange()
      assert.equal(again.limiter.replicas, 1)
      assert.deepEqual(again.spent(), [340_000, 340_000, 340_000])
      assert.ok(again.use(660_000))
      assert.equal(again.use(1), false)
      await again.exchange(true)
    } finally {
      await again.store.close()
    }
  })

  test(`${name}: gateways that ask at the same time are served one after the other`, options, async () => {
    const gateways = await Promise.all(['4', '5', '6'].map((id) => gateway(`${name}-${id}`, 'b')))
    try {
      for (let round = 0; round < 4; round += 1) await Promise.all(gateways.map(({ exchange }) => exchange()))
      for (const { limiter } of gateways) assert.deepEqual([limiter.replicas, limiter.hasShare], [3, true])
      for (let round = 0; round < 20; round += 1) {
        for (const { use } of gateways) use(10_000)
        await Promise.all(gateways.map(({ exchange }) => exchange()))
      }
      const [first] = gateways
      first?.use(0)
      await first?.exchange()
      assert.deepEqual(first?.spent().slice(0, 1), [600_000])
    } finally {
      for (const { exchange, store } of gateways) {
        await exchange(true)
        await store.close()
      }
    }
  })

  test(`${name}: thousands of counters in one exchange`, options, async () => {
    const one = await gateway(`${name}-7`, 'c')
    try {
      await one.exchange()
      for (let at = 0; at < 2000; at += 1) {
        const account = one.limiter.accountOf({ rule, subject: `many-${at}` })
        const holds = account.purses.map((purse) => ({ account, purse, amount: 1 }))
        one.limiter.hold(holds)
        one.limiter.settle(holds, () => 1)
      }
      await one.exchange()
      await one.exchange(true)
    } finally {
      await one.store.close()
    }
  })

  test(`${name}: a keeper starts, tells what was used when it is closed, and has no trouble`, options, async () => {
    const limiter = new Limiter({ replica: `${name}-8`, nowEpochMs: Date.now })
    const troubles: (string | undefined)[] = []
    const keeper = new Keeper({ limiter, store: await open(), onTrouble: (problem) => troubles.push(problem) })
    await keeper.start()
    assert.ok(limiter.hasShare)
    const account = limiter.accountOf({ rule, subject: 'd' })
    const holds = account.purses.map((purse) => ({ account, purse, amount: 7 }))
    assert.equal(limiter.hold(holds).length, 0)
    limiter.settle(holds, () => 7)
    await keeper.close()
    assert.deepEqual(troubles, [])
    const next = await gateway(`${name}-9`, 'd')
    try {
      await next.exchange()
      assert.deepEqual(next.spent(), [7, 7, 7])
      await next.exchange(true)
    } finally {
      await next.store.close()
    }
  })
}
