import type { OpenCall, Traffic } from '#contract/route.ts'
import type { Target } from '#contract/target.ts'
import { HedgeBudget } from './hedge-budget.ts'
import { WarmKeeper } from './keep-warm.ts'
import { PrefixIndex } from './prefix.ts'
import { startScraping } from './scrape.ts'
import { TargetState } from './target-state.ts'
import { type WakeDeps, Waker } from './wake.ts'
import { Fleet } from './warmth.ts'

export interface RouterOptions extends WakeDeps {
  /** Round trip to a place in milliseconds, as far as a table knows. */
  readonly rttMs: (target: Target) => number
  /** 0 to below 1. */
  readonly random: () => number
  readonly nowEpochMs: () => number
}

/** What is known of all targets, from the calls that were made: outlives a reload of the configuration. In memory of this process. */
export class Router implements Traffic {
  readonly options: RouterOptions
  readonly waker: Waker
  readonly keeper: WarmKeeper
  readonly prefixes = new PrefixIndex()
  readonly #states = new Map<string, TargetState>()
  readonly #byTarget = new WeakMap<Target, TargetState>()
  readonly #fleets = new Map<string, Fleet>()
  readonly #hedges = new Map<string, HedgeBudget>()

  constructor(options: RouterOptions) {
    this.options = options
    this.waker = new Waker(options)
    const stateOf = (target: Target): TargetState => this.stateOf(target)
    const { clock, nowEpochMs } = options
    this.keeper = new WarmKeeper({ waker: this.waker, stateOf, clock, nowEpochMs })
  }

  open(target: Target, isStream: boolean): OpenCall | undefined {
    return this.stateOf(target).open(isStream)
  }

  stateOf(target: Target): TargetState {
    let state = this.#byTarget.get(target)
    if (state !== undefined) return state
    const key = stateKey(target)
    state = this.#states.get(key)
    if (state === undefined) {
      state = new TargetState(target, {
        rttMs: this.options.rttMs(target),
        clock: this.options.clock,
        fleet: this.#fleetOf(target),
        onColdStart: () => this.prefixes.forget(target.name),
      })
      this.#states.set(key, state)
    }
    this.#byTarget.set(target, state)
    return state
  }

  /** Targets with the same sleep in the same cloud. */
  #fleetOf({ place, scaling }: Target): Fleet {
    const key = `${place.cloud} ${scaling?.idleMs ?? 0}`
    let fleet = this.#fleets.get(key)
    if (fleet === undefined) {
      fleet = new Fleet()
      this.#fleets.set(key, fleet)
    }
    return fleet
  }

  hedgesOf(alias: string): HedgeBudget {
    let budget = this.#hedges.get(alias)
    if (budget === undefined) {
      budget = new HedgeBudget()
      this.#hedges.set(alias, budget)
    }
    return budget
  }

  /** Keeps targets awake that are to be, and reads the metrics of those in use. @returns how to stop. */
  attend(targets: () => Iterable<Target>): () => void {
    const { cross, trip, clock } = this.options
    const stops = [
      this.keeper.start(targets),
      startScraping({ cross, trip, clock, stateOf: (target) => this.stateOf(target) }, targets),
    ]
    return () => {
      for (const stop of stops) stop()
      this.waker.close()
    }
  }
}

/** What was learnt holds for a deployment, not for its name. */
function stateKey({ name, endpoint, model, scaling, vllm }: Target): string {
  return JSON.stringify([name, endpoint, model, scaling, vllm])
}
