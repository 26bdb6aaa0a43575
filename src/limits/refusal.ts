import type { LimitUnit } from '#contract/limit.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Hold, Limiter } from './limiter.ts'
import { isUsedUp } from './purse.ts'

/** Seconds after which another try makes sense when the limit itself is not used up. */
const SOON_S = 1

/** Why a request may not go on, by the rule that is worst off: the one whose window ends last. */
export function refusalOf(
  short: readonly Hold[],
  limiter: Pick<Limiter, 'nowEpochMs' | 'isJoined'>,
  isCut = false,
): { readonly refusal: Refusal; readonly rule: string } {
  const waits = short.map((hold) => ({ hold, retryAfterS: waitS(hold, limiter) }))
  const [first] = waits.toSorted((a, b) => b.retryAfterS - a.retryAfterS)
  if (first === undefined) throw new Error('nothing is short')
  const { hold, retryAfterS } = first
  const rule = hold.account.rule.name
  const why = said(hold, limiter, isCut)
  const facts = { retryAfterS }
  const refusal =
    hold.purse.unit === 'microUsd'
      ? new Refusal('LIMIT_BUDGET', `rule \`${rule}\` ${why}, try again in ${retryAfterS} s`, facts)
      : new Refusal('LIMIT_RATE', `rule \`${rule}\` ${why}, try again in ${retryAfterS} s`, facts)
  return { refusal, rule }
}

function waitS({ account, purse, amount }: Hold, { nowEpochMs }: Pick<Limiter, 'nowEpochMs'>): number {
  if (!isUsedUp(purse, amount)) return SOON_S
  return Math.max(SOON_S, Math.ceil((account.span.endMs - nowEpochMs()) / 1000))
}

function said({ account, purse, amount }: Hold, { isJoined }: Pick<Limiter, 'isJoined'>, isCut: boolean): string {
  const allowed = `allows ${amountOf(purse.unit, purse.limit)} a ${account.rule.window}`
  if (!isJoined) return `${allowed}, and the store of limits has not answered since this gateway started`
  if (isUsedUp(purse, amount))
    return isCut ? `${allowed}: the answer is cut, since nothing is left` : `${allowed}, and too little of it is left`
  return `${allowed}, and what is left is held for other requests or by other gateways`
}

function amountOf(unit: LimitUnit, amount: number): string {
  return unit === 'microUsd' ? `${amount / 1e6} USD` : `${amount} ${unit}`
}
