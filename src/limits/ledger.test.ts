import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Hold } from './limiter.ts'
import type { Purse } from './purse.ts'
import { type Fate, type TestGateway, TestLedger, testRule } from './test-gateways.ts'

const SUBJECTS = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const LIMIT = 60
const RULE = testRule({ amounts: { tokens: LIMIT } })

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('hold'),
      at: fc.nat(3),
      subject: fc.nat(5),
      amount: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(0)),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('settle'),
      at: fc.nat(3),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('exchange'),
      at: fc.nat(3),
      fate: fc.constantFrom('answered', 'answered', 'late', 'answer-lost', 'lost'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance'), ms: fc.integer({ min: 100, max: 15_000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('jump'),
      at: fc.nat(3),
      ms: fc.constantFrom(-60_000, -5000, 5000, 60_000, 0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('vanish', 'restart', 'leave'), at: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('join') }) },
) as fc.Arbitrary<Step>

type Step =
  | { readonly kind: 'hold'; readonly at: number; readonly subject: number; readonly amount: number }
  | { readonly kind: 'settle'; readonly at: number; readonly part: number }
  | { readonly kind: 'exchange'; readonly at: number; readonly fate: Fate }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'jump'; readonly at: number; readonly ms: number }
  | { readonly kind: 'vanish' | 'restart' | 'leave'; readonly at: number }
  | { readonly kind: 'join' }

/** Gateways that come, go and lose what they say, and what all of them have really used. */
class Model {
  readonly ledger = new TestLedger()
  readonly gateways: { readonly gateway: TestGateway; readonly name: string; readonly holds: (readonly Hold[])[] }[] =
    []
  /** What gateways that are gone used, by counter. */
  readonly gone = new Map<string, number>()
  /** Used and held, as far as the ledger had heard of it. */
  readonly heard = new Map<Purse, number>()
  #names = 0

  async run(one: Step): Promise<void> {
    const here = 'at' in one ? this.gateways[one.at % Math.max(1, this.gateways.length)] : undefined
    if ('at' in one && here === undefined) return
    switch (one.kind) {
      case 'hold': {
        const subject = SUBJECTS[one.subject] ?? 'a'
        const [purse] = here?.gateway.limiter.accountOf({ rule: RULE, subject }).purses ?? []
        // Nothing stands for all that there is.
        const all = purse === undefined ? 0 : purse.granted - purse.used - purse.reserved
        const amount = one.amount === 0 ? all : one.amount
        const holds = amount <= 0 ? undefined : here?.gateway.hold(RULE, subject, amount)
        if (holds !== undefined) here?.holds.push(holds)
        break
      }
      case 'settle': {
        const holds = here?.holds.shift()
        if (holds !== undefined) here?.gateway.settle(holds, Math.floor((holds[0]?.amount ?? 0) * one.part))
        break
      }
      case 'exchange':
        if (here !== undefined) await this.exchange(here.gateway, one.fate)
        break
      case 'advance':
        await this.advance(one.ms)
        break
      case 'jump':
        if (here !== undefined) here.gateway.offsetMs = one.ms
        break
      case 'join':
        if (this.gateways.length < 4) this.add(`g${(this.#names += 1)}`)
        break
      case 'vanish':
      case 'restart':
      case 'leave':
        if (here !== undefined) await this.end(here, one.kind)
    }
  }

  add(name: string): void {
    this.gateways.push({ gateway: this.ledger.gateway(name), name, holds: [] })
  }

  async exchange(gateway: TestGateway, fate: Fate): Promise<void> {
    const now = new Map<Purse, number>()
    for (const { purses } of gateway.limiter.accounts())
      for (const purse of purses) now.set(purse, purse.used + purse.reserved)
    const reply = await gateway.exchange(fate)
    if (reply === undefined) return
    for (const { counter } of reply.grants)
      for (const [purse, amount] of now) if (purse.counter === counter) this.heard.set(purse, amount)
  }

  /** In steady state everybody who lives is heard of every few seconds. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 4000) {
      this.ledger.advance(Math.min(4000, left))
      for (const { gateway } of this.gateways) await this.exchange(gateway, 'answered')
    }
  }

  async end(one: Model['gateways'][number], how: 'vanish' | 'restart' | 'leave'): Promise<void> {
    if (how === 'leave') {
      one.gateway.deliver()
      for (const holds of one.holds.splice(0)) one.gateway.settle(holds, 0)
      await this.exchange(one.gateway, 'answered')
      await one.gateway.exchange('answered', { isLeaving: true })
    }
    for (const { purses } of one.gateway.limiter.accounts()) {
      for (const purse of purses) {
        // What nobody was told before the process died is not known to anybody: the bound that the guide names.
        const known = this.heard.get(purse) ?? 0
        const used = how === 'restart' || !this.heard.has(purse) ? known : purse.used + purse.reserved
        this.gone.set(purse.counter, (this.gone.get(purse.counter) ?? 0) + used)
      }
    }
    this.gateways.splice(this.gateways.indexOf(one), 1)
    if (how === 'restart') this.add(one.name)
  }

  /** By counter: what was used and is held, over all gateways. */
  totals(): ReadonlyMap<string, number> {
    const totals = new Map(this.gone)
    for (const { gateway } of this.gateways)
      for (const { purses } of gateway.limiter.accounts())
        for (const { counter, used, reserved } of purses)
          totals.set(counter, (totals.get(counter) ?? 0) + used + reserved)
    return totals
  }
}

test('over all gateways no limit is exceeded, whoever joins, vanishes, restarts, loses answers or has a wrong clock', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 120, size: 'max' }), async (steps) => {
      const model = new Model()
      model.add('g0')
      for (const one of steps) {
        await model.run(one)
        for (const [counter, total] of model.totals()) assert.ok(total <= LIMIT, `${counter}: ${total}`)
      }
      // However they end, nothing stays reserved.
      for (const { gateway, holds } of model.gateways) {
        for (const each of holds) gateway.settle(each, 0)
        for (const { purses, open } of gateway.limiter.accounts()) {
          assert.equal(open, 0)
          for (const { reserved } of purses) assert.equal(reserved, 0)
        }
      }
    }),
    { numRuns: 300 },
  )
})
