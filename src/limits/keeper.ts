import type { LedgerStore } from './exchange.ts'
import type { ExchangeAims, Limiter } from './limiter.ts'

export interface KeeperOptions {
  readonly limiter: Limiter
  readonly store: LedgerStore
  /** Told once when the store is lost, with why, and once when it is back (undefined); must not throw. */
  readonly onTrouble: (problem: string | undefined) => void
}

/** What is known of the store. */
export interface KeeperStatus {
  readonly store: string
  /** Why the store can not be used; empty when it can. */
  readonly trouble: string
  /** When the ledger answered last; 0: never. */
  readonly exchangedAtEpochMs: number
}

const EVERY_MS = 1000
/** When a purse runs low: at most twenty a second. */
const SOON_MS = 50
/** A store that says nothing for so long is lost. */
const PATIENCE_MS = 5000
const TIDY_MS = 60_000
/** How long a start waits for a share, when other gateways have to give some up first. */
const START_MS = 3000

/** Tells the ledger behind the path: about once a second, sooner when a purse runs low, one exchange at a time. */
export class Keeper {
  readonly #options: KeeperOptions
  #timer: NodeJS.Timeout | undefined
  #dueMs = 0
  #running: Promise<void> | undefined
  #trouble = ''
  #exchangedAtEpochMs = 0
  #tidiedMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  status(): KeeperStatus {
    return {
      store: this.#options.store.kind,
      trouble: this.#trouble,
      exchangedAtEpochMs: this.#exchangedAtEpochMs,
    }
  }

  /** Resolves when there is a share of new counters, or after three seconds: without the store a start goes on. */
  async start(): Promise<void> {
    const untilMs = performance.now() + START_MS
    do {
      await Promise.race([this.#exchange(), pause(untilMs - performance.now())])
      if (this.#options.limiter.hasShare || this.#trouble !== '') break
      await pause(SOON_MS)
    } while (performance.now() < untilMs)
    this.#schedule(EVERY_MS)
  }

  /** Asks within 50 ms. While the store is lost it is asked as usual. */
  readonly soon = (): void => {
    this.#schedule(this.#trouble === '' ? SOON_MS : EVERY_MS)
  }

  /**
   * Gives back what gateways hold that were not heard of for ten seconds.
   * @throws when the store can not be used.
   */
  async reclaim(): Promise<void> {
    while (this.#running !== undefined) await this.#running
    await this.#exchange({ isReclaiming: true })
    if (this.#trouble !== '') throw new Error(this.#trouble)
    this.soon()
  }

  /** Tells the last of it and gives back what is held. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#running
    if (this.#options.limiter.isJoined && this.#trouble === '') await this.#exchange({ isLeaving: true })
    await this.#options.store.close()
  }

  #schedule(inMs: number): void {
    if (this.#isClosed) return
    const dueMs = performance.now() + inMs
    if (this.#timer !== undefined) {
      if (this.#dueMs <= dueMs) return
      clearTimeout(this.#timer)
    }
    this.#dueMs = dueMs
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#exchange()
    }, inMs).unref()
  }

  #exchange(aims: ExchangeAims = {}): Promise<void> {
    this.#running ??= this.#tell(aims).finally(() => {
      this.#running = undefined
      this.#schedule(EVERY_MS)
    })
    return this.#running
  }

  async #tell(aims: ExchangeAims): Promise<void> {
    const { limiter, store } = this.#options
    const isTidying = performance.now() - this.#tidiedMs > TIDY_MS
    const { request, told } = limiter.report({ ...aims, isTidying })
    try {
      const reply = await within(store.exchange(request))
      if (reply.isReplaced)
        throw new Error(`another gateway goes by the replica id ${limiter.replica}, give each its own data folder`)
      limiter.apply(reply, told)
      this.#exchangedAtEpochMs = limiter.nowEpochMs()
      this.#troubled('')
    } catch (error) {
      limiter.failed(told)
      this.#troubled(error instanceof Error && error.message !== '' ? error.message : String(error))
    }
    if (!isTidying) return
    this.#tidiedMs = performance.now()
    limiter.sweep()
  }

  #troubled(problem: string): void {
    const wasTroubled = this.#trouble !== ''
    this.#trouble = problem
    if (wasTroubled !== (problem !== '')) this.#options.onTrouble(problem === '' ? undefined : problem)
  }
}

async function within<Value>(answer: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the store did not answer within ${PATIENCE_MS} ms`)), PATIENCE_MS)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
