import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Hold } from './limiter.ts'
import { TestGateway, TestLedger, testRule } from './test-gateways.ts'

const MINUTE = testRule()

async function alone(): Promise<{ readonly ledger: TestLedger; readonly one: TestGateway }> {
  const ledger = new TestLedger()
  const one = ledger.gateway('one')
  await one.exchange()
  return { ledger, one }
}

/** Two gateways that know of each other. */
async function two() {
  const { ledger, one } = await alone()
  const other = ledger.gateway('other')
  for (let round = 0; round < 3; round += 1) for (const each of [one, other]) await each.exchange()
  return { ledger, one, other }
}

test('a gateway that is alone never refuses while something is left, and always when nothing is', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('hold'), amount: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant('settle'), amount: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ kind: fc.constantFrom('exchange', 'answer-lost', 'lost', 'restart'), amount: fc.constant(0) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }), async (steps) => {
      const { ledger, one: first } = await alone()
      let one = first
      let used = 0
      let held: (readonly Hold[])[] = []
      for (const { kind, amount } of steps) {
        if (kind === 'hold') {
          const reserved = held.reduce((sum, [hold]) => sum + (hold?.amount ?? 0), 0)
          const holds = one.hold(MINUTE, 's', amount)
          assert.equal(holds !== undefined, used + reserved + amount <= 100, `${used} ${reserved} ${amount}`)
          if (holds !== undefined) held.push(holds)
        } else if (kind === 'settle') {
          const [holds, ...rest] = held
          if (holds === undefined) continue
          const real = Math.min(amount, holds[0]?.amount ?? 0)
          one.settle(holds, real)
          used += real
          held = rest
        } else if (kind === 'restart') {
          for (const holds of held.splice(0)) one.settle(holds, 0)
          await one.exchange('answered', { isLeaving: true })
          one = ledger.gateway('one')
          await one.exchange()
        } else await one.exchange(kind === 'exchange' ? 'answered' : (kind as 'answer-lost' | 'lost'))
      }
    }),
    { numRuns: 100 },
  )
})

test('nothing may be used before the ledger has answered, and the refusal asks it at once', () => {
  const one = new TestLedger().gateway('one')
  assert.equal(one.use(MINUTE, 's', 1), false)
  assert.equal(one.limiter.isJoined, false)
  assert.ok(one.lows > 0)
})

test('several purses: all or none', async () => {
  const { one } = await alone()
  const wide = testRule({ name: 'wide', amounts: { requests: 9, tokens: 1000 } })
  const narrow = testRule({ name: 'narrow', amounts: { tokens: 10 } })
  const holds = [wide, narrow].flatMap((rule) => {
    const account = one.limiter.accountOf({ rule, subject: 's' })
    return account.purses.map((purse): Hold => ({ account, purse, amount: purse.unit === 'requests' ? 1 : 11 }))
  })
  assert.deepEqual(
    one.limiter.hold(holds).map(({ account }) => account.rule.name),
    ['narrow'],
  )
  for (const { account, purse } of holds) assert.deepEqual([account.open, purse.reserved], [0, 0])
})

test('what an idle gateway holds goes to one that is short, within a few exchanges', async () => {
  const { one, other } = await two()
  assert.ok(other.use(MINUTE, 's', 1))
  let used = 1
  for (let round = 0; round < 6; round += 1) {
    while (one.use(MINUTE, 's', 3)) used += 3
    for (const each of [one, other]) await each.exchange()
  }
  assert.ok(used >= 97, `${used} of 100`)
  assert.equal(other.use(MINUTE, 's', 50), false)
})

test('a counter that only one gateway is asked for can be used up by it, though the other never heard of it', async () => {
  const { one, other } = await two()
  let used = 0
  for (let round = 0; round < 5; round += 1) {
    while (one.use(MINUTE, 's', 5)) used += 5
    for (const each of [one, other]) await each.exchange()
  }
  assert.equal(used, 100)
  assert.equal(other.use(MINUTE, 's', 1), false, 'it has given up its share of it')
})

test('a share that became smaller goes to others when it is out of use only', async () => {
  const { ledger, one } = await alone()
  const other = ledger.gateway('other')
  await other.exchange()
  // The first one has not heard yet that it is not alone any more.
  await one.exchange('late')
  await other.exchange()
  assert.ok(one.use(MINUTE, 's', 100))
  assert.equal(other.use(MINUTE, 's', 1), false)
  one.deliver()
  await one.exchange()
  await other.exchange()
  assert.equal(other.use(MINUTE, 's', 1), false)
  assert.ok(other.use(MINUTE, 'another', 50))
  assert.ok(one.use(MINUTE, 'another', 50))
})

test('purses of the share before count with it until the ledger knows them, also untouched ones and more than one exchange holds', async () => {
  const { ledger, one } = await alone()
  const other = ledger.gateway('other')
  await other.exchange()
  for (let at = 0; at < 4001; at += 1) one.limiter.accountOf({ rule: MINUTE, subject: `s${at}` })
  for (let round = 0; round < 2; round += 1) {
    await one.exchange()
    await other.exchange()
  }
  assert.ok(one.use(MINUTE, 's4000', 100))
  assert.equal(other.use(MINUTE, 's4000', 1), false)
})

test('a share that grows is one of counters to come: what is there already is told by itself', async () => {
  const { ledger, one, other } = await two()
  const third = ledger.gateway('third')
  const all = [one, other, third]
  for (let round = 0; round < 4; round += 1) for (const each of all) await each.exchange()
  assert.ok(third.use(MINUTE, 's', 10))
  await third.exchange('answered', { isLeaving: true })
  // Its share is a third until the answer is here, which says a half.
  await one.exchange('late')
  assert.ok(one.use(MINUTE, 's', 33))
  let used = 43
  for (let round = 0; round < 3; round += 1) {
    while (other.use(MINUTE, 's', 1)) used += 1
    await other.exchange()
  }
  one.deliver()
  assert.ok(used <= 100, String(used))
})

test('a gateway whose clock is a window behind joins and knows what was used there', async () => {
  const { ledger, one } = await alone()
  assert.ok(one.use(MINUTE, 's', 100))
  await one.exchange('answered', { isLeaving: true })
  ledger.advance(60_000)
  const late = ledger.gateway('late')
  late.offsetMs = -60_000
  await late.exchange()
  assert.equal(late.use(MINUTE, 's', 1), false)
})

test('a gateway lives for ten seconds after it was heard of last, and not longer', async () => {
  const { ledger, one } = await two()
  ledger.advance(9_900)
  assert.equal((await one.exchange())?.replicas, 2)
  ledger.advance(200)
  assert.equal((await one.exchange())?.replicas, 1)
})

test('after a reboot, which sets the beat of a machine back, nobody of before lives', async () => {
  const { ledger } = await two()
  ledger.clock.beatMs = 1000
  assert.equal((await ledger.gateway('new').exchange())?.replicas, 1)
})

test('windows that are over for an hour are forgotten when somebody tidies, others are not', async () => {
  const { ledger, one } = await alone()
  assert.ok(one.use(MINUTE, 's', 10) && one.use(testRule({ name: 'd', window: 'day' }), 's', 10))
  await one.exchange('answered', { isLeaving: true })
  ledger.advance(3_700_000)
  await ledger.gateway('tidy').exchange('answered', { isTidying: true })
  ledger.advance(-3_700_000)
  const reply = await ledger.gateway('new').exchange()
  assert.deepEqual(
    reply?.inherited.map(({ counter }) => counter.split('/')[0]),
    ['d'],
  )
})

test('one that has used something and is alone again may use all the rest', async () => {
  const { one, other } = await two()
  assert.ok(one.use(MINUTE, 's', 10))
  await one.exchange()
  await other.exchange('answered', { isLeaving: true })
  for (let round = 0; round < 2; round += 1) await one.exchange()
  assert.ok(one.use(MINUTE, 's', 90))
  assert.equal(one.use(MINUTE, 's', 1), false)
})

test('a gateway that vanishes: what it held counts as used, until it comes back by the same id', async () => {
  const { ledger, one, other } = await two()
  const used = 10
  assert.ok(other.use(MINUTE, 's', used))
  await other.exchange()
  await one.exchange()
  ledger.advance(11_000)
  let left = 0
  for (let round = 0; round < 4; round += 1) {
    while (one.use(MINUTE, 's', 1)) left += 1
    await one.exchange()
  }
  // A quarter of its part of what was left, which is the bound that the guide names.
  const lost = Math.floor((100 - used) / 8)
  assert.ok(left >= 100 - used - Math.max(lost, 2 * used) && left < 100 - used, `${left} left`)
  assert.equal(one.limiter.replicas, 1)
  const back = ledger.gateway('other')
  await back.exchange()
  let claimed = 0
  while (back.use(MINUTE, 's', 1)) claimed += 1
  assert.equal(left + used + claimed, 100)
})

test('what somebody who vanished held is given back when it is said that they are gone for good', async () => {
  const { ledger, one } = await alone()
  assert.ok(one.use(MINUTE, 's', 10))
  await one.exchange()
  ledger.advance(11_000)
  const next = ledger.gateway('next')
  await next.exchange()
  assert.equal(next.use(MINUTE, 's', 1), false)
  await next.exchange('answered', { isReclaiming: true })
  assert.ok(next.use(MINUTE, 's', 90))
  assert.equal(next.use(MINUTE, 's', 1), false)
})

test('what a gateway that lives holds is not given back', async () => {
  const { one, other } = await two()
  assert.ok(other.hold(MINUTE, 's', 50))
  await other.exchange()
  await one.exchange('answered', { isReclaiming: true })
  assert.equal(one.use(MINUTE, 's', 51), false)
})

test('one that ends in order gives back all of it at once', async () => {
  const { one, other } = await two()
  assert.ok(other.use(MINUTE, 's', 10))
  await other.exchange('answered', { isLeaving: true })
  await one.exchange()
  assert.ok(one.use(MINUTE, 's', 50))
  await one.exchange()
  assert.ok(one.use(MINUTE, 's', 40))
  assert.equal(one.use(MINUTE, 's', 1), false)
})

test('a second process by the same replica id takes over, and the first one is told', async () => {
  const { ledger, one } = await alone()
  assert.ok(one.use(MINUTE, 's', 10))
  await one.exchange()
  const copy = ledger.gateway('one')
  await copy.exchange()
  assert.equal((await one.exchange())?.isReplaced, true)
})

test('clocks: back loses nothing of what was used, forth begins a window, forth and back leaves nothing stuck', async () => {
  const { one } = await alone()
  assert.ok(one.use(MINUTE, 's', 100))
  one.offsetMs = 60_000
  assert.ok(one.use(MINUTE, 's', 60))
  await one.exchange()
  one.limiter.sweep()
  one.offsetMs = 0
  assert.equal(one.use(MINUTE, 's', 1), false)
  one.offsetMs = -60_000
  assert.ok(one.use(MINUTE, 's', 100))
  one.offsetMs = 60_000
  assert.ok(one.use(MINUTE, 's', 40))
  assert.equal(one.use(MINUTE, 's', 1), false)
  one.offsetMs = 86_400_000
  assert.ok(one.use(MINUTE, 's', 100))
})

test('with the store lost what is leased goes on, and new windows have their share', async () => {
  const { ledger, one } = await two()
  await one.exchange('lost')
  await one.exchange('lost')
  assert.ok(one.use(MINUTE, 's', 50))
  await one.exchange('lost')
  assert.equal(one.use(MINUTE, 's', 1), false)
  ledger.advance(60_000)
  assert.ok(one.use(MINUTE, 's', 50))
  // What was used meanwhile is told once it is back.
  await one.exchange()
  const third = ledger.gateway('third')
  const reply = await third.exchange()
  assert.equal(reply?.inherited.find(({ others }) => others > 0)?.others, 50)
})

test('what is forgotten for lack of room is still known to the ledger; what is in use is not forgotten', async () => {
  const ledger = new TestLedger()
  const one = new TestGateway(ledger, 'one', 4)
  await one.exchange()
  const held = one.hold(MINUTE, 'held', 30)
  assert.ok(one.use(MINUTE, 's', 60) && held !== undefined)
  await one.exchange()
  for (let at = 0; at < 40; at += 1) {
    assert.ok(one.use(MINUTE, `other${at}`, 1))
    await one.exchange()
  }
  const subjects = [...one.limiter.accounts()].map(({ subject }) => subject)
  assert.ok(subjects.length <= 6 && subjects.includes('held') && !subjects.includes('s'), subjects.join())
  one.limiter.accountOf({ rule: MINUTE, subject: 's' })
  await one.exchange()
  assert.ok(one.use(MINUTE, 's', 40))
  assert.equal(one.use(MINUTE, 's', 1), false)
  one.settle(held, 0)
})

test('a rule that changes keeps what was used', async () => {
  const { one } = await alone()
  assert.ok(one.use(MINUTE, 's', 60))
  one.limiter.useRules([testRule({ amounts: { tokens: 50, requests: 5 } })])
  assert.equal(one.use(MINUTE, 's', 1), false)
  one.limiter.useRules([testRule({ amounts: { tokens: 80 } })])
  await one.exchange()
  assert.ok(one.use(testRule({ amounts: { tokens: 80 } }), 's', 20))
  assert.equal(one.use(testRule({ amounts: { tokens: 80 } }), 's', 1), false)
})

test('an amount of nothing has no room, not even for a request that costs nothing', async () => {
  const { one } = await alone()
  assert.equal(one.use(testRule({ amounts: { microUsd: 0 } }), 's', 0), false)
  assert.equal(one.use(testRule({ name: 'some', amounts: { microUsd: 1 } }), 's', 0), true)
})

test('ten thousand subjects are held and settled in microseconds each', async () => {
  const { one } = await alone()
  const rule = testRule({ amounts: { requests: 1000, tokens: 1e6, microUsd: 1e9 } })
  const startMs = performance.now()
  for (let round = 0; round < 5; round += 1)
    for (let at = 0; at < 10_000; at += 1) assert.ok(one.use(rule, `subject-${at}`, 10))
  const each = ((performance.now() - startMs) * 1000) / 50_000
  assert.ok(each < 100, `${each} µs`)
})

test('what is leased does not shrink while the store is lost', async () => {
  const { one } = await two()
  assert.ok(one.use(MINUTE, 's', 20))
  for (let round = 0; round < 5; round += 1) await one.exchange('lost')
  assert.ok(one.use(MINUTE, 's', 30))
})

test('with the store lost accounts of windows that are over give way, whatever the ledger knows of them', async () => {
  const ledger = new TestLedger()
  const one = new TestGateway(ledger, 'one', 10)
  await one.exchange()
  for (let at = 0; at < 100; at += 1) {
    assert.ok(one.use(MINUTE, 's', 1))
    await one.exchange('lost')
    ledger.advance(60_000)
  }
  assert.ok([...one.limiter.accounts()].length <= 11)
})

test('a counter is reported once, also when it was to be given up and is used again', async () => {
  const { one, other } = await two()
  while (one.use(MINUTE, 's', 5));
  await one.exchange()
  await other.exchange()
  other.use(MINUTE, 's', 1)
  const { request } = other.limiter.report()
  assert.deepEqual(
    request.reports.map(({ holder }) => holder !== ''),
    [true],
  )
})

test('what was forgotten for lack of room is remembered with what was left of it', async () => {
  const ledger = new TestLedger()
  const one = new TestGateway(ledger, 'one', 4)
  await one.exchange()
  assert.ok(one.use(MINUTE, 's', 60))
  for (let at = 0; at < 5; at += 1) {
    await one.exchange()
    assert.ok(one.use(MINUTE, `other${at}`, 1))
  }
  assert.equal(
    [...one.limiter.accounts()].some(({ subject }) => subject === 's'),
    false,
  )
  assert.equal(one.use(MINUTE, 's', 41), false)
  assert.ok(one.use(MINUTE, 's', 40))
})

test('the ledger is asked ahead when little is left of a lease and more may be had', async () => {
  const { one } = await two()
  one.lows = 0
  assert.ok(one.use(MINUTE, 's', 5))
  assert.equal(one.lows, 0)
  assert.ok(one.use(MINUTE, 's', 30))
  assert.equal(one.lows, 1)
  const { one: single } = await alone()
  single.lows = 0
  assert.ok(single.use(MINUTE, 's', 99))
  assert.equal(single.lows, 0)
})
