import type { Principal } from '#contract/principal.ts'
import type { Alias } from '#contract/target.ts'
import { Lru } from '#kit/lru.ts'
import type { BudgetState } from './question.ts'

/** What of an audit entry says who spent how much on what. */
export interface Spending {
  readonly atEpochMs: number
  readonly alias: string
  readonly principal: { readonly tenant: string; readonly subject: string } | undefined
  readonly cost: { readonly modelMicroUsd: number; readonly egressMicroUsd: number }
}

/** What callers have spent today, counted from audit entries: policies read how near a caller is to the alias's budget. */
export interface Spend {
  /** Counts one entry; those of other days are ignored. */
  entry(entry: Spending): void
  state(principal: Principal, alias: Alias): BudgetState
}

const DAY_MS = 86_400_000
const MICRO = 1e6
/** From this part of the budget on, it is `near`. */
const NEAR = 0.8
/** Callers and aliases that are counted; the least recent are forgotten. */
const COUNTED = 100_000

/** Days are UTC. */
export function createSpend(nowEpochMs: () => number): Spend {
  let day = dayOf(nowEpochMs())
  let microUsd = new Lru<string, number>(COUNTED)
  const turn = (): void => {
    const today = dayOf(nowEpochMs())
    if (today === day) return
    day = today
    microUsd = new Lru(COUNTED)
  }
  return {
    entry: ({ atEpochMs, alias, principal, cost }) => {
      const spent = cost.modelMicroUsd + cost.egressMicroUsd
      if (principal === undefined || spent === 0) return
      turn()
      if (dayOf(atEpochMs) !== day) return
      const key = `${principal.tenant}\n${principal.subject}\n${alias}`
      microUsd.set(key, (microUsd.get(key) ?? 0) + spent)
    },
    state: (principal, alias) => {
      if (alias.usdPerCallerAndDay === undefined) return 'none'
      turn()
      const spent = microUsd.get(`${principal.tenant}\n${principal.subject}\n${alias.name}`) ?? 0
      const part = spent / (alias.usdPerCallerAndDay * MICRO)
      return part >= 1 ? 'over' : part >= NEAR ? 'near' : 'under'
    },
  }
}

function dayOf(epochMs: number): number {
  return Math.floor(epochMs / DAY_MS)
}
