import type { LimitUnit } from '#contract/limit.ts'
import type { LimitRule } from './rule.ts'
import type { Span } from './window.ts'

/** One amount of one rule, for one subject in one window. Whole numbers, counted since the purse was made. */
export interface Purse {
  readonly unit: LimitUnit
  /** Its name in the ledger, the same in every gateway. */
  readonly counter: string
  /** Tells this purse from earlier ones of the same counter. */
  readonly holder: string
  limit: number
  /** What may be used here without asking. */
  granted: number
  used: number
  /** Held for requests that are under way. */
  reserved: number
  /** What was used elsewhere, or by earlier purses, as the ledger said last. */
  others: number
  /** What could not be had: the ledger is asked for it. */
  need: number
  /** Exchanges that did not bring it. */
  tries: number
  /** Used and reserved, as last reported. */
  sent: number
  /** What was used between two exchanges lately. */
  pace: number
  /** Other gateways are short of it. */
  isWanted: boolean
}

/** What one rule counts for one subject in one window. */
export interface Account {
  readonly key: string
  readonly subject: string
  readonly span: Span
  rule: LimitRule
  purses: readonly Purse[]
  /** Requests that hold something of it. */
  open: number
  /** Whether the ledger does not know its state yet. */
  isDirty: boolean
}

/** Whether an amount fits into what may be used without asking. A limit of nothing has no room for anything. */
export function fits(purse: Purse, amount: number): boolean {
  return purse.limit > 0 && (amount === 0 || purse.used + purse.reserved + amount <= purse.granted)
}

/** What is left of the limit, as far as it is known here. */
export function remaining({ limit, used, reserved, others }: Purse): number {
  return Math.max(0, limit - others - used - reserved)
}

/** Whether so much is not left in any gateway; requests under way may still give some back. */
export function isUsedUp({ limit, used, others }: Purse, amount: number): boolean {
  return limit === 0 || others + used + amount > limit
}

/** Whether it will soon hold less than what was just taken, and more may be had. */
export function isLow(purse: Purse, amount: number): boolean {
  const left = purse.granted - purse.used - purse.reserved
  return left < amount * 4 && purse.granted + purse.others < purse.limit
}
