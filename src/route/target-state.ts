import type { OpenCall } from '#contract/route.ts'
import type { Target } from '#contract/target.ts'
import { Breaker } from './breaker.ts'
import { Sketch } from './sketch.ts'
import { Slowness } from './slowness.ts'
import type { VllmReading } from './vllm-metrics.ts'
import { type Fleet, Warmth } from './warmth.ts'

/** A time to the first content that was seen this long ago counts half. */
const HALF_LIFE_MS = 3_600_000
/** Expected at the target itself, beside the way there, before anything is seen: low, so that it is tried. */
const PRIOR_STREAM_MS = 200
const PRIOR_WHOLE_MS = 1000
/** A reading of metrics older than so many of its periods says nothing. */
const STALE_PERIODS = 3
/** The part of a median cold start beyond which a first content is one. */
const COLD_PART = 0.3
/** Probability of being cold from which a failure is put down to that. */
const MAY_BE_COLD = 0.05
/** Weight of the latest in the mean length of a call. */
const MEAN_WEIGHT = 0.1

export interface StateOptions {
  /** Round trip to the target in milliseconds. */
  readonly rttMs: number
  readonly clock: () => number
  /** What targets that scale in the same way have in common. */
  readonly fleet: Fleet
  /** The target lost what it had in memory. */
  readonly onColdStart: () => void
}

/** What is known of one target from the calls to it. */
export class TargetState {
  readonly breaker = new Breaker()
  readonly slowness = new Slowness()
  readonly warmth: Warmth | undefined
  /** Times to the first content: of streams, and of answers in one piece. */
  readonly streams: Sketch
  readonly wholes: Sketch
  inFlight = 0
  /** The last reading of its metrics, and what was wrong with the last try. */
  reading: (VllmReading & { readonly atMs: number }) | undefined
  readingTrouble = ''
  wakeTrouble = ''
  /** When content last began or ended. */
  lastContentMs = Number.NEGATIVE_INFINITY
  /** Calls without content yet, the oldest first. */
  readonly #waiting = new Set<Call>()
  readonly #target: Target
  readonly #rttMs: number
  readonly #clock: () => number
  readonly #onColdStart: () => void
  #meanCallMs = 1000
  /** Latest requests that wanted it, for `wakeAtRequests`. */
  #wantedAtMs: number[] = []

  constructor(target: Target, { rttMs, clock, fleet, onColdStart }: StateOptions) {
    this.#target = target
    this.#rttMs = rttMs
    this.#clock = clock
    this.#onColdStart = onColdStart
    this.warmth = target.scaling && new Warmth(target.scaling, fleet)
    this.streams = new Sketch(HALF_LIFE_MS, clock())
    this.wholes = new Sketch(HALF_LIFE_MS, clock())
  }

  open(isStream: boolean): OpenCall | undefined {
    const now = this.#clock()
    if (!this.breaker.admits(now)) return undefined
    this.slowness.opened(now)
    const call = new Call(this, now, isStream ? this.streams : this.wholes, this.isAsleep(now))
    this.inFlight += 1
    this.#waiting.add(call)
    return call
  }

  /** Expected milliseconds to the first content of a target that is awake. */
  expectMs(isStream: boolean, now: number): number {
    const sketch = isStream ? this.streams : this.wholes
    const samples = sketch.samples(now)
    const prior = this.#rttMs + (isStream ? PRIOR_STREAM_MS : PRIOR_WHOLE_MS)
    const known = samples === 0 ? prior : (samples * sketch.p50 + prior) / (samples + 1)
    return Math.max(known + this.#queueMs(now), this.#slowMs(samples, sketch, now))
  }

  /** Whether it has become much slower than it was, and no call has to find out now whether that is over. */
  isSlowNow(isStream: boolean, now: number): boolean {
    const sketch = isStream ? this.streams : this.wholes
    return this.#slowMs(sketch.samples(now), sketch, now) > 0
  }

  /** Milliseconds that a hedge waits for it: the 95th percentile; NaN while too little is known. */
  hedgeMs(isStream: boolean, now: number): number {
    const sketch = isStream ? this.streams : this.wholes
    return sketch.samples(now) < 10 ? Number.NaN : sketch.p95
  }

  /** Probability that whoever asks now waits for a cold start. */
  coldNow(now: number): number {
    if (this.warmth === undefined || this.inFlight > this.#waiting.size) return 0
    const oldest = this.#oldest()
    if (oldest !== undefined && this.isColdTime(now - oldest.startedMs, oldest.sketch)) return 1
    return this.warmth.coldNow(now)
  }

  /** Expected milliseconds of a cold start, times its probability. */
  coldWaitMs(now: number): number {
    if (this.warmth === undefined) return 0
    return this.coldNow(now) * this.warmth.startMs(now)
  }

  /** How long it has done nothing; undefined when somebody waits for it already, so that a start says nothing new. */
  isAsleep(now: number): number | undefined {
    return this.warmth === undefined || this.inFlight > 0 || this.warmth.state(now) === 'waking'
      ? undefined
      : this.warmth.idleMs(now)
  }

  /** Whether so long a wait, for a stream's first content unless `sketch` is another, can only have been a cold start. */
  isColdTime(ms: number, sketch = this.streams): boolean {
    // A whole answer may take long without one.
    const part = sketch === this.wholes ? 1 : COLD_PART
    if (this.warmth === undefined || ms < part * this.warmth.startQuantile(0.5)) return false
    return Number.isNaN(sketch.p95) || ms > 2 * sketch.p95
  }

  /** How full it is, from nothing to 1 and above: requests at once against what it holds. */
  fullness(now: number): number {
    const most = this.#target.vllm?.maxConcurrent ?? MANY
    const reading = this.freshReading(now)
    const running = reading === undefined ? 0 : reading.running + reading.waiting
    return Math.max(this.inFlight, running) / most
  }

  freshReading(now: number): VllmReading | undefined {
    const everyMs = this.#target.vllm?.everyMs ?? 0
    return this.reading !== undefined && now - this.reading.atMs <= STALE_PERIODS * everyMs ? this.reading : undefined
  }

  /** One more request would have it; whether so many do that waking it is worthwhile. */
  wanted(now: number): boolean {
    const { scaling } = this.#target
    if (scaling === undefined) return false
    if (scaling.wakeAtRequests === 1) return true
    this.#wantedAtMs = [...this.#wantedAtMs.filter((at) => now - at <= scaling.idleMs), now].slice(
      -scaling.wakeAtRequests,
    )
    return this.#wantedAtMs.length >= scaling.wakeAtRequests
  }

  /** It turned out to be cold: what it kept is gone. */
  coldStarted(): void {
    this.#onColdStart()
  }

  left(call: Call): void {
    this.#waiting.delete(call)
  }

  callEnded(ms: number): void {
    this.#meanCallMs += (ms - this.#meanCallMs) * MEAN_WEIGHT
  }

  now(): number {
    return this.#clock()
  }

  thresholdOf(sketch: Sketch, now: number): number {
    return Slowness.threshold(sketch.samples(now), sketch.p50, sketch.p95)
  }

  #oldest(): Call | undefined {
    return this.#waiting.size === 0 ? undefined : this.#waiting.values().next().value
  }

  /** Waiting for those that are before us, at the pace at which calls end. */
  #queueMs(now: number): number {
    const { vllm } = this.#target
    if (vllm === undefined) return 0
    const reading = this.freshReading(now)
    const before =
      reading !== undefined && reading.waiting > 0
        ? reading.waiting
        : Math.max(0, this.inFlight + 1 - vllm.maxConcurrent)
    return before === 0 ? 0 : (before / vllm.maxConcurrent) * this.#meanCallMs
  }

  #slowMs(samples: number, sketch: Sketch, now: number): number {
    const oldest = this.#oldest()
    if (oldest === undefined && !this.slowness.isSlow) return 0
    const threshold = Slowness.threshold(samples, sketch.p50, sketch.p95)
    let late = 0
    for (const call of this.#waiting) {
      if (call.sketch !== sketch) continue
      if (now - call.startedMs <= threshold || late === 3) break
      late += 1
    }
    return this.slowness.expectMs(late, late === 0 || oldest === undefined ? 0 : now - oldest.startedMs, now)
  }
}

/** Requests at once of a target that says nothing about itself: managed services take many. */
const MANY = 1000

class Call implements OpenCall {
  readonly startedMs: number
  readonly #state: TargetState
  readonly sketch: Sketch
  /** How long the target had done nothing; undefined: it was not asleep. */
  readonly #idleMs: number | undefined
  #phase: 'waiting' | 'flowing' | 'over' = 'waiting'

  constructor(state: TargetState, startedMs: number, sketch: Sketch, idleMs: number | undefined) {
    this.#state = state
    this.startedMs = startedMs
    this.sketch = sketch
    this.#idleMs = idleMs
  }

  began(): void {
    if (this.#phase !== 'waiting') return
    this.#phase = 'flowing'
    const state = this.#state
    const now = state.now()
    const ms = now - this.startedMs
    state.left(this)
    state.breaker.succeeded()
    state.lastContentMs = now
    const { warmth } = state
    const isCold = warmth !== undefined && state.isColdTime(ms, this.sketch)
    if (warmth !== undefined) {
      if (this.#idleMs !== undefined) warmth.observed(this.#idleMs, isCold)
      if (isCold && this.#idleMs !== undefined) warmth.started(ms)
      if (isCold) state.coldStarted()
      warmth.used(now)
    }
    if (isCold) return
    state.slowness.saw(ms, state.thresholdOf(this.sketch, now), now)
    this.sketch.add(ms, now)
  }

  ended(): void {
    if (this.#phase === 'over') return
    if (this.#phase === 'waiting') this.began()
    this.#phase = 'over'
    const now = this.#state.now()
    this.#state.inFlight -= 1
    this.#state.callEnded(now - this.startedMs)
    this.#state.lastContentMs = now
    this.#state.warmth?.used(now)
  }

  failed(retryAfterS?: number): void {
    const { warmth, breaker } = this.#state
    if (!this.#leave()) return
    // Cloud Run says 429, 503 or 504 while nothing is there: that is no illness.
    if (warmth !== undefined && this.#idleMs !== undefined && warmth.coldAfter(this.#idleMs) > MAY_BE_COLD) {
      warmth.observed(this.#idleMs, true)
      warmth.asleep()
      breaker.released()
    } else breaker.failed(this.#state.now(), retryAfterS)
  }

  dropped(lost: boolean): void {
    const { warmth } = this.#state
    if (!this.#leave()) return
    this.#state.breaker.released()
    const waitedMs = this.#state.now() - this.startedMs
    if (warmth !== undefined && this.#idleMs !== undefined && this.#state.isColdTime(waitedMs, this.sketch)) {
      warmth.observed(this.#idleMs, true)
      warmth.waking(this.startedMs)
    }
    if (!lost) return
    // It would have taken longer than this: without such times the quantiles would be those of the fast ones alone.
    const now = this.#state.now()
    const ms = now - this.startedMs
    if (this.#state.isColdTime(ms, this.sketch)) return
    const threshold = this.#state.thresholdOf(this.sketch, now)
    if (ms > threshold) this.#state.slowness.saw(ms, threshold, now)
    this.sketch.add(ms, now)
  }

  /** Before content: whether it was still open. */
  #leave(): boolean {
    if (this.#phase === 'over') return false
    this.#state.left(this)
    this.#state.inFlight -= 1
    this.#phase = 'over'
    this.#state.slowness.released()
    return true
  }
}
