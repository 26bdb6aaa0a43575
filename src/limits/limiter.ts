import { hash, randomBytes } from 'node:crypto'
import type { LimitUnit } from '#contract/limit.ts'
import { Lru } from '#kit/lru.ts'
import { Accounts } from './accounts.ts'
import type { ExchangeReply, ExchangeRequest, Inherited, Report } from './exchange.ts'
import { KEPT_MS } from './ledger-tables.ts'
import { type Account, type Purse, fits, isLow } from './purse.ts'
import type { Claim, LimitRule } from './rule.ts'
import { impliedLease } from './share.ts'
import { windowAt } from './window.ts'

export interface LimiterOptions {
  readonly replica: string
  readonly nowEpochMs: () => number
  /** Told when the ledger should be asked sooner than at its usual time; must not throw. */
  readonly onLow?: () => void
  /** Accounts in memory. Default 100,000. */
  readonly capacity?: number
}

/** What an exchange is for, beside telling what was used. */
export type ExchangeAims = Partial<Pick<ExchangeRequest, 'isLeaving' | 'isTidying' | 'isReclaiming'>>

/** How much of one unit a request is likely to need: what is sure, and a guess that a small limit cuts short. */
export interface Need {
  readonly sure: number
  readonly guess: number
}

/** What is held of one purse. */
export interface Hold {
  readonly account: Account
  readonly purse: Purse
  amount: number
}

const UNITS: readonly LimitUnit[] = ['requests', 'tokens', 'microUsd']
const CAPACITY = 100_000
/** Accounts that one exchange tells of; more wait for the next. */
const MAX_REPORTED = 2000
/** Exchanges that a need is kept for. */
const MAX_TRIES = 5

/**
 * What may still be used, in memory: reserving, settling and growing never wait. It holds a lease of every counter and
 * tells the ledger behind the path what became of it.
 */
export class Limiter {
  readonly replica: string
  readonly run = randomBytes(8).toString('hex')
  readonly nowEpochMs: () => number
  readonly #onLow: () => void
  readonly #accounts: Accounts
  readonly #purses = new Map<string, { readonly account: Account; readonly purse: Purse }>()
  /** What is known of counters that have no purse here: the ledger told it, or the purse was forgotten. */
  readonly #inherited: Lru<string, Inherited>
  /** Counters without a purse that others want: their lease goes back. */
  readonly #yields = new Map<string, number>()
  #dirty = new Set<Account>()
  #share = 0
  /** The largest share that a purse which the ledger does not know was made with. */
  #shareInUse = 0
  #replicas = 1
  #isJoined = false
  #isTroubled = false
  #holders = 0

  constructor({ replica, nowEpochMs, onLow = () => undefined, capacity = CAPACITY }: LimiterOptions) {
    this.replica = replica
    this.nowEpochMs = nowEpochMs
    this.#onLow = onLow
    this.#inherited = new Lru(2 * capacity)
    this.#accounts = new Accounts(capacity, {
      nowEpochMs,
      onForgotten: (account) => {
        this.#dirty.delete(account)
        for (const purse of account.purses) this.#forgotten(purse, account.span.endMs)
      },
    })
  }

  /** Whether the ledger has told this process what there is. Before that nothing may be used. */
  get isJoined(): boolean {
    return this.#isJoined
  }

  /** Whether it has a share of counters that are new. */
  get hasShare(): boolean {
    return this.#share > 0
  }

  get replicas(): number {
    return this.#replicas
  }

  accounts(): Iterable<Account> {
    return this.#accounts.all()
  }

  accountOf({ rule, subject }: Claim): Account {
    const span = windowAt(rule.window, this.nowEpochMs())
    const key = `${rule.name}\n${span.startMs}\n${subject}`
    const known = this.#accounts.get(key)
    if (known !== undefined) {
      if (known.rule !== rule) this.#renew(known, rule)
      return known
    }
    const account: Account = { key, subject, span, rule, purses: [], open: 0, isDirty: false }
    account.purses = this.#pursesOf(account, [])
    this.#accounts.add(account)
    this.#touch(account)
    return account
  }

  /** All of it or nothing. @returns the purses that have no room, none when it is held. */
  hold(holds: readonly Hold[]): readonly Hold[] {
    let short: Hold[] | undefined
    for (const hold of holds) if (!fits(hold.purse, hold.amount)) (short ??= []).push(hold)
    if (short !== undefined) {
      for (const { account, purse, amount } of short) this.#ask(account, purse, amount)
      return short
    }
    for (const { account, purse, amount } of holds) {
      purse.reserved += amount
      this.#touch(account)
      if (isLow(purse, amount)) this.#onLow()
    }
    for (const account of accountsIn(holds)) account.open += 1
    return NOTHING_SHORT
  }

  /** Holds more for a request that is under way. @returns whether there was room. */
  grow(hold: Hold, amount: number): boolean {
    if (!fits(hold.purse, amount)) {
      this.#ask(hold.account, hold.purse, amount)
      return false
    }
    this.overdraw(hold, amount)
    if (isLow(hold.purse, amount)) this.#onLow()
    return true
  }

  /** The same without asking for room: it was used already. */
  overdraw(hold: Hold, amount: number): void {
    hold.amount += amount
    hold.purse.reserved += amount
    this.#touch(hold.account)
  }

  /** Gives back what is held and counts what was used. */
  settle(holds: readonly Hold[], used: (unit: LimitUnit) => number): void {
    for (const hold of holds) {
      hold.purse.reserved -= hold.amount
      hold.purse.used += used(hold.purse.unit)
      this.#touch(hold.account)
    }
    for (const account of accountsIn(holds)) account.open -= 1
  }

  /** Rules of a new configuration, by name: what was used stays used. */
  useRules(rules: readonly LimitRule[]): void {
    const byName = new Map(rules.map((rule) => [rule.name, rule]))
    for (const account of this.#accounts.all()) {
      const rule = byName.get(account.rule.name)
      if (rule !== undefined && rule.window === account.rule.window) this.#renew(account, rule)
    }
  }

  /** What the ledger is to be told next. Leases that are given up are given up from now on. */
  report(aims: ExchangeAims = {}): { readonly request: ExchangeRequest; readonly told: readonly Account[] } {
    const { isLeaving = false, isTidying = false, isReclaiming = false } = aims
    const told = [...this.#dirty].slice(0, isLeaving ? undefined : MAX_REPORTED)
    for (const account of told) {
      this.#dirty.delete(account)
      account.isDirty = false
    }
    const reports = told.flatMap(({ purses, span }) => purses.map((purse) => this.#reportOf(purse, span.endMs)))
    for (const [counter, endMs] of this.#yields) reports.push(yielded(counter, endMs))
    // Purses that wait for the next exchange were made with the share before.
    if (this.#dirty.size === 0) this.#shareInUse = this.#share
    const { replica, run } = this
    const own = { replica, run, share: this.#shareInUse, isJoining: !this.#isJoined }
    return { request: { ...own, isLeaving, isTidying, isReclaiming, reports }, told }
  }

  /** What the ledger answered. */
  apply(reply: ExchangeReply, told: readonly Account[]): void {
    this.#isTroubled = false
    if (reply.isReplaced) return
    this.#yields.clear()
    for (const { counter, granted, others } of reply.grants) {
      const known = this.#purses.get(counter)
      if (known !== undefined) grant(known.purse, granted, others)
    }
    for (const account of told) if (account.purses.some(({ need }) => need > 0)) this.#touch(account)
    for (const inherited of reply.inherited) this.#inherit(inherited)
    for (const { counter, endMs } of reply.wanted) this.#want(counter, endMs)
    this.#share = reply.share
    this.#shareInUse = Math.max(this.#shareInUse, reply.share)
    this.#replicas = reply.replicas
    this.#isJoined = true
  }

  /** Nobody knows whether the ledger heard: everything is told again, and nothing more is given up. */
  failed(told: readonly Account[]): void {
    this.#isTroubled = true
    for (const account of told) this.#touch(account)
  }

  /** Forgets windows that are long over. */
  sweep(): void {
    const before = this.nowEpochMs() - KEPT_MS
    this.#accounts.forget(({ span }) => span.endMs < before)
  }

  #pursesOf(account: Account, before: readonly Purse[]): readonly Purse[] {
    return UNITS.flatMap((unit) => {
      const limit = account.rule.amounts[unit]
      if (limit === undefined) return []
      const kept = before.find((purse) => purse.unit === unit)
      if (kept === undefined) return [this.#newPurse(account, unit, limit)]
      kept.limit = limit
      kept.granted = Math.min(kept.granted, Math.max(limit, kept.used + kept.reserved))
      return [kept]
    })
  }

  #newPurse(account: Account, unit: LimitUnit, limit: number): Purse {
    const { rule, subject, span } = account
    // Who it is stays here: the ledger knows a digest.
    const who = hash('sha256', subject, 'hex').slice(0, 32)
    const counter = `${rule.name}/${unit}/${span.startMs}/${who}`
    const inherited = this.#inherited.get(counter)
    this.#inherited.delete(counter)
    this.#yields.delete(counter)
    this.#holders += 1
    this.#shareInUse = Math.max(this.#shareInUse, this.#share)
    const purse: Purse = {
      unit,
      counter,
      holder: `${this.run}.${this.#holders}`,
      limit,
      granted: Math.min(limit, inherited?.granted ?? impliedLease(limit, this.#share)),
      used: 0,
      reserved: 0,
      others: inherited?.others ?? 0,
      need: 0,
      tries: 0,
      sent: 0,
      pace: 0,
      isWanted: false,
    }
    this.#purses.set(counter, { account, purse })
    return purse
  }

  #forgotten({ counter, granted, used, others }: Purse, endMs: number): void {
    this.#purses.delete(counter)
    this.#inherited.set(counter, { counter, endMs, granted: Math.max(0, granted - used), others: others + used })
  }

  #renew(account: Account, rule: LimitRule): void {
    const isChanged = UNITS.some((unit) => rule.amounts[unit] !== account.rule.amounts[unit])
    account.rule = rule
    if (!isChanged) return
    account.purses = this.#pursesOf(account, account.purses)
    this.#touch(account)
  }

  #touch(account: Account): void {
    if (account.isDirty) return
    account.isDirty = true
    this.#dirty.add(account)
  }

  #ask(account: Account, purse: Purse, amount: number): void {
    if (purse.others + purse.used + purse.reserved + amount > purse.limit) return
    if (purse.need === 0) purse.tries = 0
    purse.need = Math.max(purse.need, amount)
    this.#touch(account)
    this.#onLow()
  }

  #reportOf(purse: Purse, endMs: number): Report {
    const { counter, holder, limit, used, reserved, need } = purse
    const floor = used + reserved
    purse.pace = Math.max(floor - purse.sent, Math.floor(purse.pace / 2))
    purse.sent = floor
    const isAlone = this.#replicas === 1
    const slice = Math.max(purse.pace * 2, need, purse.isWanted ? 0 : fairSlice(purse, this.#replicas))
    const isKeeping = isAlone || this.#isTroubled
    purse.granted = isKeeping ? purse.granted : Math.min(purse.granted, floor + slice)
    purse.isWanted = false
    const want = isAlone ? limit : floor + slice
    return { counter, holder, endMs, limit, used, open: reserved, keep: purse.granted, want, need }
  }

  #inherit(inherited: Inherited): void {
    const known = this.#purses.get(inherited.counter)
    if (known === undefined) this.#inherited.set(inherited.counter, inherited)
    else this.#touch(known.account)
  }

  #want(counter: string, endMs: number): void {
    const known = this.#purses.get(counter)
    if (known !== undefined) {
      known.purse.isWanted = true
      this.#touch(known.account)
    } else {
      this.#inherited.set(counter, { counter, endMs, granted: 0, others: 0 })
      this.#yields.set(counter, endMs)
    }
    this.#onLow()
  }
}

const NOTHING_SHORT: readonly Hold[] = []

/** Each account once: its purses stand side by side. */
function* accountsIn(holds: readonly Hold[]): Generator<Account> {
  let last: Account | undefined
  for (const { account } of holds) {
    if (account !== last) yield account
    last = account
  }
}

/** A quarter of an equal part of what is left: little is lost with a gateway that vanishes, and more can be had soon. */
function fairSlice({ limit, others, used }: Purse, replicas: number): number {
  return Math.max(0, Math.floor((limit - others - used) / (4 * replicas)))
}

function grant(purse: Purse, granted: number, others: number): void {
  purse.granted = granted
  purse.others = others
  if (purse.need === 0) return
  purse.tries += 1
  if (granted >= purse.used + purse.reserved + purse.need || purse.tries >= MAX_TRIES) purse.need = 0
}

function yielded(counter: string, endMs: number): Report {
  return { counter, holder: '', endMs, limit: 0, used: 0, open: 0, keep: 0, want: 0, need: 0 }
}
