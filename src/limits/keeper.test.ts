import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExchangeReply, ExchangeRequest, LedgerStore } from './exchange.ts'
import { Keeper } from './keeper.ts'
import { Limiter } from './limiter.ts'
import { TestLedger, testRule } from './test-gateways.ts'

const RULE = testRule()

/** A store whose fate is set from outside. */
class FateStore implements LedgerStore {
  readonly kind = 'test'
  readonly ledger = new TestLedger()
  readonly requests: ExchangeRequest[] = []
  fate: 'well' | 'lost' | 'hangs' = 'well'
  isClosed = false

  exchange(request: ExchangeRequest): Promise<ExchangeReply> {
    this.requests.push(structuredClone(request))
    if (this.fate === 'hangs') return new Promise(() => undefined)
    return this.fate === 'lost' ? Promise.reject(new Error('gone')) : this.ledger.ledger.exchange(request)
  }

  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }
}

async function started(fate: FateStore['fate'] = 'well') {
  const store = new FateStore()
  store.fate = fate
  const troubles: (string | undefined)[] = []
  const limiter: Limiter = new Limiter({
    replica: 'one',
    nowEpochMs: () => store.ledger.clock.epochMs,
    onLow: () => keeper.soon(),
  })
  const keeper = new Keeper({ limiter, store, onTrouble: (problem) => troubles.push(problem) })
  await keeper.start()
  const use = (amount: number): boolean => {
    const account = limiter.accountOf({ rule: RULE, subject: 's' })
    const holds = account.purses.map((purse) => ({ account, purse, amount }))
    const isHeld = limiter.hold(holds).length === 0
    if (isHeld) limiter.settle(holds, () => amount)
    return isHeld
  }
  return { store, troubles, limiter, keeper, use }
}

async function until(test: () => boolean, withinMs: number): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!test() && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(test())
}

test('about once a second the ledger is told, and at the end everything is given back', async () => {
  const { store, keeper, use } = await started()
  const before = store.requests.length
  assert.ok(use(10))
  await until(() => store.requests.length === before + 1, 1500)
  assert.equal(store.requests.at(-1)?.reports[0]?.used, 10)
  await keeper.close()
  assert.deepEqual([store.requests.at(-1)?.isLeaving, store.isClosed], [true, true])
})

test('when a purse is short it is told within a twentieth of a second, and not more often than that', async () => {
  const { store, keeper, limiter, use } = await started()
  const other = store.ledger.gateway('other')
  for (let round = 0; round < 3; round += 1) {
    await other.exchange()
    const { request, told } = limiter.report()
    limiter.apply(await store.ledger.ledger.exchange(request), told)
  }
  const before = store.requests.length
  for (let round = 0; round < 100; round += 1) use(60)
  await until(() => store.requests.length > before, 300)
  assert.equal(store.requests.length, before + 1)
  await keeper.close()
})

test('however often it is asked for, an exchange comes every twentieth of a second; with the store lost every second', async () => {
  const { store, keeper, troubles } = await started()
  const hammer = setInterval(keeper.soon, 5)
  const before = store.requests.length
  await new Promise((resolve) => setTimeout(resolve, 500))
  const made = store.requests.length - before
  assert.ok(made >= 3 && made <= 10, `${made} in half a second`)
  store.fate = 'lost'
  await until(() => troubles.length === 1, 500)
  const lost = store.requests.length
  await new Promise((resolve) => setTimeout(resolve, 500))
  assert.ok(store.requests.length - lost <= 1)
  clearInterval(hammer)
  await keeper.close()
})

test('a lost store is said once, what is leased goes on, and what was used is told when it is back', async () => {
  const { store, troubles, keeper, use } = await started()
  assert.ok(use(10))
  store.fate = 'lost'
  assert.ok(use(80))
  const before = store.requests.length
  await until(() => store.requests.length >= before + 2, 3500)
  assert.deepEqual(troubles, ['gone'])
  assert.deepEqual([keeper.status().trouble, keeper.status().store], ['gone', 'test'])
  store.fate = 'well'
  await until(() => troubles.length === 2, 2500)
  assert.deepEqual(troubles, ['gone', undefined])
  assert.equal(store.requests.at(-1)?.reports[0]?.used, 90)
  assert.equal(use(11), false)
  await keeper.close()
})

test('a start goes on without a store, in a few seconds at most, and lets nothing through', async () => {
  const lost = await started('lost')
  assert.equal(lost.use(1), false)
  assert.deepEqual(lost.troubles, ['gone'])
  await lost.keeper.close()
  assert.equal(
    lost.store.requests.some(({ isLeaving }) => isLeaving),
    false,
  )
  const startMs = performance.now()
  const hanging = await started('hangs')
  const tookMs = performance.now() - startMs
  assert.ok(tookMs > 2500 && tookMs < 4000, `${tookMs} ms`)
  assert.equal(hanging.use(1), false)
})

test('a second process by the same replica id is trouble', async () => {
  const { store, troubles, keeper } = await started()
  await store.ledger.gateway('one').exchange()
  await until(() => troubles.length === 1, 1500)
  assert.match(troubles[0] ?? '', /^another gateway goes by the replica id one, give each its own data folder$/)
  await keeper.close()
})

test('what vanished gateways hold is given back on request, or it is said why not', async () => {
  const { store, keeper, use } = await started()
  const gone = store.ledger.gateway('gone')
  await gone.exchange()
  store.ledger.advance(11_000)
  await keeper.reclaim()
  assert.equal(store.requests.at(-1)?.isReclaiming, true)
  assert.ok(use(100))
  store.fate = 'lost'
  await assert.rejects(keeper.reclaim(), { message: 'gone' })
  await keeper.close()
})
