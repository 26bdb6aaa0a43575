import { CrossFault, type Trip } from '#contract/crossing.ts'
import type { Attempt } from '#contract/entry.ts'
import type { Batch } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Leg, OpenCall, Plan, Traffic } from '#contract/route.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import { estimatedTokens } from './estimate.ts'

/** An answer that has begun: its first content is here, so no other target will be asked. */
export interface Answer extends Begun {
  readonly target: Target
}

export interface Begun {
  /** Fields of the request that the target did not get, by the names of the caller's dialect. */
  readonly dropped: readonly string[]
  readonly batches: AsyncIterable<Batch>
}

/** Asks one target, up to its first content. `signal` aborts this leg alone. */
export type AskLeg = (leg: Leg, call: OpenCall, signal: AbortSignal | undefined) => Promise<Begun>

export interface RaceOptions {
  readonly traffic: Traffic
  readonly plan: Plan
  readonly ask: AskLeg
  readonly screened: Screened
  readonly trip: Trip
  readonly attempts: Attempt[]
  /** Whether a second leg may be asked beside the first. */
  readonly canRace: boolean
}

type Outcome = { readonly running: Running } & ({ readonly begun: Begun } | { readonly error: unknown })

interface Running {
  readonly leg: Leg
  readonly startedMs: number
  readonly role: 'hedge' | undefined
  /** Aborts this leg alone; undefined where none can race. */
  readonly stop: AbortController | undefined
  call: OpenCall | undefined
  readonly outcome: Promise<Outcome>
}

/** One request's legs: one after the other, or two side by side when the first is late. Never after content. */
export class Race {
  readonly #options: RaceOptions
  #next = 0
  #running: Running[] = []
  #last: Refusal | undefined

  constructor(options: RaceOptions) {
    this.#options = options
  }

  /** @throws {Refusal} of the last leg that failed, when none answered. */
  async run(): Promise<Answer> {
    const { plan, canRace } = this.#options
    const isRace = canRace && plan.hedgeAfterMs !== undefined && plan.legs.length > 1
    const alarm = isRace ? new Alarm(plan.hedgeAfterMs ?? 0) : undefined
    try {
      this.#start(undefined, isRace)
      for (;;) {
        const [first] = this.#running
        if (first === undefined) {
          if (this.#next >= plan.legs.length) throw this.#last ?? beingTried()
          this.#start(undefined, isRace)
          continue
        }
        const outcome = await (alarm === undefined ? first.outcome : this.#either(alarm))
        if (outcome === undefined) this.#hedge()
        else if ('begun' in outcome) return this.#won(outcome.running, outcome.begun)
        else this.#failed(outcome.running, outcome.error)
      }
    } finally {
      alarm?.clear()
    }
  }

  /** What comes first: an outcome, or the time to ask a second target as well. */
  #either(alarm: Alarm): Promise<Outcome | undefined> {
    const outcomes = this.#running.map(({ outcome }) => outcome)
    return Promise.race(alarm.isRung ? outcomes : [...outcomes, alarm.rings])
  }

  #start(role: Running['role'], isRace: boolean): void {
    const leg = this.#options.plan.legs[this.#next]
    this.#next += 1
    if (leg === undefined) return
    const stop = isRace ? new AbortController() : undefined
    const settle = Promise.withResolvers<Outcome>()
    const running: Running = {
      leg,
      startedMs: performance.now(),
      role,
      stop,
      call: undefined,
      outcome: settle.promise,
    }
    this.#running.push(running)
    this.#ask(running).then(
      (begun) => settle.resolve({ running, begun }),
      (error: unknown) => settle.resolve({ running, error }),
    )
  }

  async #ask(running: Running): Promise<Begun> {
    const { traffic, screened, ask, trip } = this.#options
    const { leg, stop } = running
    if (leg.awake !== undefined) await leg.awake(trip.signal)
    running.call = traffic.open(leg.target, screened.ask.stream)
    if (running.call === undefined) throw new NotAdmitted()
    const begun = await ask(leg, running.call, stop?.signal)
    running.call.began()
    return begun
  }

  #hedge(): void {
    const { plan } = this.#options
    if (this.#running.length !== 1 || this.#next >= plan.legs.length || !plan.takeHedge()) return
    this.#start('hedge', true)
  }

  #won(winner: Running, { dropped, batches }: Begun): Answer {
    for (const loser of this.#running) if (loser !== winner) this.#giveUp(loser, 'LOST_RACE')
    this.#note(winner, '')
    return { target: winner.leg.target, dropped, batches }
  }

  #failed(running: Running, error: unknown): void {
    this.#running = this.#running.filter((other) => other !== running)
    if (error instanceof NotAdmitted) return
    const { call } = running
    if (!(error instanceof Refusal)) {
      call?.dropped(false)
      this.#note(running, error instanceof CrossFault ? error.kind : 'INTERNAL')
      this.#giveUpAll()
      throw error
    }
    this.#note(running, error.code)
    // That a target can not do what this request asks, or does not like it, says nothing against it.
    if (!error.fallOver || error.code === 'INFER_UNSUPPORTED' || error.blameless) call?.dropped(false)
    else call?.failed(error.retryAfterS)
    this.#last = error
    if (error.fallOver) return
    this.#giveUpAll()
    throw error
  }

  #giveUpAll(): void {
    for (const running of this.#running) this.#giveUp(running, 'GIVEN_UP')
  }

  #giveUp(running: Running, error: 'LOST_RACE' | 'GIVEN_UP'): void {
    const { price } = running.leg.target
    const tokens = running.call === undefined ? 0 : estimatedTokens(this.#options.screened.ask)
    // First what became of it, then the abort: its outcome is of no interest any more.
    running.call?.dropped(error === 'LOST_RACE')
    running.stop?.abort()
    this.#note(running, error, Math.round(tokens * price.usdPerMillionInput * 1000) / 1000)
  }

  #note({ leg, startedMs, role }: Running, error: string, lostMicroUsd = 0): void {
    // Keys in canonical order: this object is written into the audit entry as it stands.
    this.#options.attempts.push({
      error,
      ...(lostMicroUsd === 0 ? undefined : { lostMicroUsd }),
      ms: Math.round((performance.now() - startedMs) * 1000) / 1000,
      ...(role === undefined ? undefined : { role }),
      target: leg.target.name,
    })
  }
}

/** The breaker let no call through: another request is trying the target. */
class NotAdmitted extends Error {}

function beingTried(): Refusal {
  return new Refusal('ROUTE_NO_TARGET', 'every target is being tried by another request, try again in 1 s', {
    retryAfterS: 1,
  })
}

/** Rings once. */
class Alarm {
  readonly rings: Promise<undefined>
  isRung = false
  readonly #timer: NodeJS.Timeout

  constructor(afterMs: number) {
    const bell = Promise.withResolvers<undefined>()
    this.rings = bell.promise
    this.#timer = setTimeout(() => {
      this.isRung = true
      bell.resolve(undefined)
    }, afterMs)
  }

  clear(): void {
    clearTimeout(this.#timer)
  }
}
