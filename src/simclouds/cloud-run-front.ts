import type { Clock } from './clock.ts'
import { type Random, lognormal, lognormalMean, seeded } from './seeded.ts'

/** How a service scales. Every time is in milliseconds of the model, before `timeScale`. */
export interface ScalingOptions {
  /** Requests that one instance takes at once. Default 80, as gcloud sets it; far more than a GPU likes. */
  readonly concurrency: number
  /** Default 1: a shard of a pool. */
  readonly maxInstances: number
  /** Median of the time from the first request to ready. Default 25,000: an 8B model on an L4. */
  readonly coldStartMs: number
  /** Spread of the lognormal that cold starts are drawn from. Default 0.35; 0: each takes the median. */
  readonly sigma: number
  /** How long an instance is kept after its last request has ended. Default 900,000, the most that Cloud Run keeps it. */
  readonly idleMs: number
  /** Share of the starts that fail, 0 to 1. Default 0. */
  readonly coldStartFailures: number
  /** Default 1. The same seed draws the same starts. */
  readonly seed: number
}

const SCALING: ScalingOptions = {
  concurrency: 80,
  maxInstances: 1,
  coldStartMs: 25_000,
  sigma: 0.35,
  idleMs: 900_000,
  coldStartFailures: 0,
  seed: 1,
}

/** "Up to 3.5 times the average start-up time, but at least 10 seconds": Cloud Run, about instance autoscaling. */
const PATIENCE_IN_STARTS = 3.5
const MIN_PATIENCE_MS = 10_000

/** What the front has done since it was made. */
export interface FrontStats {
  readonly state: 'asleep' | 'starting' | 'ready'
  /** Starting and ready ones. */
  readonly instances: number
  readonly starts: number
  readonly failedStarts: number
  /** From the beginning of each start to its end or to the instance's: what an instance-based bill counts. */
  readonly billedS: number
  /** Mean of the starts so far; the distribution's mean before the first. */
  readonly averageStartMs: number
  readonly requests: number
  /** Those that had to wait, for a start or for a free place. */
  readonly held: number
  /** Those that waited too long: 429. */
  readonly refused: number
  /** Those whose start failed: 503. */
  readonly failed: number
  /** Those whose client left while they waited. */
  readonly left: number
  readonly inFlight: number
  readonly waiting: number
}

/** Where a request went: into an instance, or to a page of the front's own. `left`: nobody reads the answer. */
export type Entry<Container> = { readonly container: Container } | { readonly status: 429 | 503 } | 'left'

interface Instance<Container> {
  readonly sinceMs: number
  /** Undefined while it starts. */
  container: Container | undefined
  inFlight: number
  keepNoLonger: () => void
}

interface Ready<Container> extends Instance<Container> {
  container: Container
}

interface Waiter<Container> {
  readonly signal: AbortSignal
  readonly settle: (entry: Entry<Container>) => void
}

/**
 * Cloud Run's front: starts instances when requests come, holds requests until there is room, and lets instances go
 * when nothing came for long. It knows nothing of what runs in them. Simpler than the real one in that a further
 * instance starts as soon as requests wait, not at 60 % of concurrency over a minute.
 */
export class Front<Container> {
  readonly #options: ScalingOptions
  readonly #clock: Clock
  readonly #makeContainer: () => Container
  readonly #random: Random
  readonly #instances = new Set<Instance<Container>>()
  readonly #waiting = new Set<Waiter<Container>>()
  readonly #counts = { starts: 0, failedStarts: 0, requests: 0, held: 0, refused: 0, failed: 0, left: 0 }
  readonly #startsMs: number[] = []
  #billedMs = 0

  constructor(options: Partial<ScalingOptions>, clock: Clock, makeContainer: () => Container) {
    this.#options = { ...SCALING, ...options }
    this.#clock = clock
    this.#makeContainer = makeContainer
    this.#random = seeded(this.#options.seed)
  }

  /** Resolves when the request has its place, which it keeps until the signal aborts: when its answer has ended or its client left. */
  enter(signal: AbortSignal): Promise<Entry<Container>> {
    this.#counts.requests += 1
    if (signal.aborted) return Promise.resolve('left')
    const free = this.#roomiest()
    if (free !== undefined) return Promise.resolve(this.#occupy(free, signal))
    return this.#hold(signal)
  }

  /** What runs in the instances that are ready. */
  containers(): readonly Container[] {
    return [...this.#instances].filter(isReady).map(({ container }) => container)
  }

  stats(): FrontStats {
    const instances = [...this.#instances]
    const runningMs = instances.reduce((sum, { sinceMs }) => sum + this.#clock.nowMs() - sinceMs, 0)
    return {
      ...this.#counts,
      state: instances.some(isReady) ? 'ready' : instances.length > 0 ? 'starting' : 'asleep',
      instances: instances.length,
      billedS: (this.#billedMs + runningMs) / 1000,
      averageStartMs: this.#averageStartMs(),
      inFlight: instances.reduce((sum, { inFlight }) => sum + inFlight, 0),
      waiting: this.#waiting.size,
    }
  }

  #hold(signal: AbortSignal): Promise<Entry<Container>> {
    this.#counts.held += 1
    const { promise, resolve } = Promise.withResolvers<Entry<Container>>()
    const leave = (): void => {
      this.#counts.left += 1
      waiter.settle('left')
    }
    const patienceMs = Math.max(PATIENCE_IN_STARTS * this.#averageStartMs(), MIN_PATIENCE_MS)
    const stopWaiting = this.#clock.after(patienceMs, () => {
      this.#counts.refused += 1
      waiter.settle({ status: 429 })
    })
    const waiter: Waiter<Container> = {
      signal,
      settle: (entry) => {
        this.#waiting.delete(waiter)
        signal.removeEventListener('abort', leave)
        stopWaiting()
        resolve(entry)
      },
    }
    signal.addEventListener('abort', leave, { once: true })
    this.#waiting.add(waiter)
    this.#scaleUp()
    return promise
  }

  /** Lets those in who waited longest, as long as there is room. */
  #admit(): void {
    for (const waiter of this.#waiting) {
      const instance = this.#roomiest()
      if (instance === undefined) return
      waiter.settle(this.#occupy(instance, waiter.signal))
    }
  }

  #roomiest(): Ready<Container> | undefined {
    return [...this.#instances]
      .filter(isReady)
      .filter(({ inFlight }) => inFlight < this.#options.concurrency)
      .toSorted((a, b) => a.inFlight - b.inFlight)[0]
  }

  #occupy(instance: Ready<Container>, signal: AbortSignal): Entry<Container> {
    instance.keepNoLonger()
    instance.inFlight += 1
    const release = (): void => {
      instance.inFlight -= 1
      this.#admit()
      if (instance.inFlight === 0) this.#keepFor(instance)
    }
    signal.addEventListener('abort', release, { once: true })
    return { container: instance.container }
  }

  /** Any request at all keeps an instance for another while, also one for its metrics. */
  #keepFor(instance: Instance<Container>): void {
    instance.keepNoLonger()
    instance.keepNoLonger = this.#clock.after(this.#options.idleMs, () => this.#end(instance))
  }

  #scaleUp(): void {
    const { concurrency, maxInstances } = this.#options
    const inFlight = [...this.#instances].reduce((sum, each) => sum + each.inFlight, 0)
    const wanted = Math.ceil((inFlight + this.#waiting.size) / concurrency)
    while (this.#instances.size < Math.min(wanted, maxInstances)) this.#start()
  }

  /** A start goes on when the clients that it was for have left. */
  #start(): void {
    const { coldStartMs, sigma, coldStartFailures } = this.#options
    const takesMs = lognormal(this.#random, coldStartMs, sigma)
    const fails = this.#random() < coldStartFailures
    const instance: Instance<Container> = {
      sinceMs: this.#clock.nowMs(),
      container: undefined,
      inFlight: 0,
      keepNoLonger: () => {},
    }
    this.#counts.starts += 1
    this.#instances.add(instance)
    this.#clock.after(takesMs, () => (fails ? this.#startFailed(instance) : this.#started(instance, takesMs)))
  }

  #started(instance: Instance<Container>, tookMs: number): void {
    this.#startsMs.push(tookMs)
    instance.container = this.#makeContainer()
    this.#keepFor(instance)
    this.#admit()
  }

  #startFailed(instance: Instance<Container>): void {
    this.#counts.failedStarts += 1
    this.#end(instance)
    if (this.#instances.size > 0) return
    for (const waiter of this.#waiting) {
      this.#counts.failed += 1
      waiter.settle({ status: 503 })
    }
  }

  #end(instance: Instance<Container>): void {
    this.#instances.delete(instance)
    this.#billedMs += this.#clock.nowMs() - instance.sinceMs
  }

  #averageStartMs(): number {
    const { coldStartMs, sigma } = this.#options
    if (this.#startsMs.length === 0) return lognormalMean(coldStartMs, sigma)
    return this.#startsMs.reduce((sum, ms) => sum + ms, 0) / this.#startsMs.length
  }
}

function isReady<Container>(instance: Instance<Container>): instance is Ready<Container> {
  return instance.container !== undefined
}
