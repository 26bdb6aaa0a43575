import type { LimitsWorld } from '#bin/limits-world.ts'
import type { LimitUnit } from '#contract/limit.ts'
import type { Account, Purse } from '#limits/purse.ts'

/** The counters of the windows that run, the fullest first, as this gateway knows them. */
export function shownLimits(world: LimitsWorld | undefined, most: number, nowEpochMs: number): object {
  if (world === undefined) return { counters: [] }
  const { limiter, keeper } = world
  const rows: Row[] = []
  for (const account of limiter.accounts()) {
    if (account.span.startMs > nowEpochMs || account.span.endMs <= nowEpochMs) continue
    for (const purse of account.purses) rows.push({ account, purse, part: partOf(purse) })
  }
  return {
    store: keeper.status(),
    replica: limiter.replica,
    replicas: limiter.replicas,
    counters: rows
      .toSorted((a, b) => b.part - a.part)
      .slice(0, most)
      .map(shownRow),
  }
}

interface Row {
  readonly account: Account
  readonly purse: Purse
  readonly part: number
}

function partOf({ limit, used, others }: Purse): number {
  return limit === 0 ? 1 : (used + others) / limit
}

/** Money is shown in USD. `spent` is over all gateways, `reserved` and `leased` are of this one. */
function shownRow({ account: { rule, subject, span }, purse }: Row): object {
  const { unit, limit, used, others, reserved, granted } = purse
  return {
    rule: rule.name,
    per: rule.per,
    subject,
    window: rule.window,
    endsAtEpochMs: span.endMs,
    unit: unit === 'microUsd' ? 'usd' : unit,
    limit: shown(unit, limit),
    spent: shown(unit, used + others),
    reserved: shown(unit, reserved),
    leased: shown(unit, Math.max(0, granted - used)),
  }
}

function shown(unit: LimitUnit, amount: number): number {
  return unit === 'microUsd' ? amount / 1e6 : amount
}
