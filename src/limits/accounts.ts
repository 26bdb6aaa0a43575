import type { Account } from './purse.ts'

interface AccountsOptions {
  readonly nowEpochMs: () => number
  readonly onForgotten: (account: Account) => void
}

/**
 * Accounts by key, bounded: what was not used for long is forgotten, but never one that holds something of a request
 * or that the ledger has not been told of. Two generations, as in kit/lru.
 */
export class Accounts {
  readonly #half: number
  readonly #options: AccountsOptions
  #young = new Map<string, Account>()
  #old = new Map<string, Account>()

  constructor(capacity: number, options: AccountsOptions) {
    this.#half = Math.max(1, Math.floor(capacity / 2))
    this.#options = options
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): Account | undefined {
    const account = this.#young.get(key)
    if (account !== undefined) return account
    const kept = this.#old.get(key)
    if (kept === undefined) return undefined
    this.#old.delete(key)
    this.add(kept)
    return kept
  }

  add(account: Account): void {
    if (this.#young.size >= this.#half) this.#turn()
    this.#young.set(account.key, account)
  }

  *all(): Generator<Account> {
    yield* this.#young.values()
    yield* this.#old.values()
  }

  /** Forgets those of which `test` holds, unless they are busy. */
  forget(test: (account: Account) => boolean): void {
    for (const generation of [this.#young, this.#old]) {
      for (const [key, account] of generation) {
        if (isBusy(account, this.#options.nowEpochMs()) || !test(account)) continue
        generation.delete(key)
        this.#options.onForgotten(account)
      }
    }
  }

  #turn(): void {
    const leaving = this.#old
    this.#old = this.#young
    this.#young = new Map()
    const now = this.#options.nowEpochMs()
    for (const [key, account] of leaving) {
      if (isBusy(account, now)) this.#old.set(key, account)
      else this.#options.onForgotten(account)
    }
  }
}

/** What was used in a window that is over matters to nobody: with the store lost, such accounts would pile up. */
function isBusy({ open, isDirty, span }: Account, nowEpochMs: number): boolean {
  return open > 0 || (isDirty && span.endMs > nowEpochMs)
}
