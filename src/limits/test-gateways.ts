import type { LimitUnit } from '#contract/limit.ts'
import type { ExchangeReply } from './exchange.ts'
import { type ExchangeAims, type Hold, Limiter } from './limiter.ts'
import type { LimitRule } from './rule.ts'
import { type SqliteLedger, openSqliteLedger } from './sqlite.ts'

/** For tests: a rule with changes. */
export function testRule(changes: Partial<LimitRule> = {}): LimitRule {
  return { name: 'r', per: 'caller', window: 'minute', amounts: { tokens: 100 }, cutOff: false, ...changes }
}

/** For tests: a ledger in memory with a clock that is moved, and gateways on it. */
export class TestLedger {
  readonly clock = { beatMs: 1_000_000, epochMs: Date.UTC(2026, 10, 25, 12) }
  readonly ledger: SqliteLedger = openSqliteLedger(':memory:', () => ({ ...this.clock }))

  advance(ms: number): void {
    this.clock.beatMs += ms
    this.clock.epochMs += ms
  }

  gateway(replica: string): TestGateway {
    return new TestGateway(this, replica)
  }
}

/** What becomes of an exchange: the answer comes, comes later, is lost, or the ledger never hears of it. */
export type Fate = 'answered' | 'late' | 'answer-lost' | 'lost'

export class TestGateway {
  readonly limiter: Limiter
  /** Milliseconds by which its clock is wrong. */
  offsetMs = 0
  lows = 0
  readonly #ledger: TestLedger
  #late: (() => void) | undefined

  constructor(ledger: TestLedger, replica: string, capacity?: number) {
    this.#ledger = ledger
    this.limiter = new Limiter({
      replica,
      nowEpochMs: () => ledger.clock.epochMs + this.offsetMs,
      onLow: () => (this.lows += 1),
      ...(capacity === undefined ? {} : { capacity }),
    })
  }

  async exchange(fate: Fate = 'answered', aims: ExchangeAims = {}): Promise<ExchangeReply | undefined> {
    this.deliver()
    const { request, told } = this.limiter.report(aims)
    const reply = fate === 'lost' ? undefined : await this.#ledger.ledger.exchange(structuredClone(request))
    if (reply === undefined || fate === 'answer-lost') this.limiter.failed(told)
    else {
      this.#late = () => this.limiter.apply(reply, told)
      if (fate === 'answered') this.deliver()
    }
    return reply
  }

  /** Hands over the answer that is under way. */
  deliver(): void {
    this.#late?.()
    this.#late = undefined
  }

  /** Holds `amount` of each purse of one subject; undefined when there is no room. */
  hold(rule: LimitRule, subject: string, amount: number): readonly Hold[] | undefined {
    const account = this.limiter.accountOf({ rule, subject })
    const holds = account.purses.map((purse) => ({ account, purse, amount: purse.unit === 'requests' ? 1 : amount }))
    return this.limiter.hold(holds).length === 0 ? holds : undefined
  }

  settle(holds: readonly Hold[], amount: number): void {
    this.limiter.settle(holds, (unit: LimitUnit) => (unit === 'requests' ? 1 : amount))
  }

  /** Uses it at once. */
  use(rule: LimitRule, subject: string, amount: number): boolean {
    const holds = this.hold(rule, subject, amount)
    if (holds !== undefined) this.settle(holds, amount)
    return holds !== undefined
  }
}
