import { type Cross, CrossFault, type Trip } from '#contract/crossing.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import type { TargetState } from './target-state.ts'

export interface WakeDeps {
  readonly cross: Cross
  /** A trip of the process itself. */
  readonly trip: () => Trip
  /** Milliseconds on the router's clock. */
  readonly clock: () => number
}

/** Statuses by which Cloud Run says that no instance is there yet. */
const NOT_YET: ReadonlySet<number> = new Set([429, 500, 502, 503, 504])
/** Statuses that say that nobody let us in: nothing is known of the server behind. */
const NOT_LET_IN: ReadonlySet<number> = new Set([401, 403])
const CONNECT_MS = 5000
/** Cloud Run's own limit on the startup probe of a GPU service is 30 minutes. */
const MAX_WAKE_MS = 1_800_000
const RETRY_MS = 500
const MAX_RETRY_MS = 10_000
/** After a wake that failed, the next one waits so long. */
const PAUSE_MS = 10_000

/** Wakes targets: one call each at a time, whoever wants it, and everybody waits for the same one. */
export class Waker {
  readonly #deps: WakeDeps
  readonly #underWay = new Map<string, Promise<boolean>>()
  readonly #pausedUntilMs = new Map<string, number>()
  readonly #closing = new AbortController()

  constructor(deps: WakeDeps) {
    this.#deps = deps
  }

  /** Begins to wake it, unless that is under way. @returns whether it is being woken. */
  wake(target: Target, state: TargetState): boolean {
    if (this.#underWay.has(target.name)) return true
    if ((this.#pausedUntilMs.get(target.name) ?? 0) > this.#deps.clock()) return false
    const wake = this.#run(target, state).finally(() => this.#underWay.delete(target.name))
    this.#underWay.set(target.name, wake)
    return true
  }

  /**
   * Resolves when it is awake.
   * @throws {Refusal} INFER_COLD after `maxWaitMs`, or when it can not be woken, with when to come back.
   */
  async awake(target: Target, state: TargetState, maxWaitMs: number, signal: AbortSignal): Promise<void> {
    this.wake(target, state)
    const wake = this.#underWay.get(target.name)
    const isAwake = wake === undefined ? false : await within(maxWaitMs, signal, wake)
    if (signal.aborted) throw new CrossFault('aborted', 'given up while it was held')
    if (isAwake === true) return
    const startS = Math.max(1, Math.ceil((state.warmth?.startMs(this.#deps.clock()) ?? 1000) / 1000))
    const why =
      isAwake === undefined
        ? `is starting and was not ready within ${maxWaitMs} ms`
        : `could not be woken (${state.wakeTrouble})`
    throw new Refusal('INFER_COLD', `target \`${target.name}\` ${why}, try again in ${startS} s`, {
      retryAfterS: startS,
      blameless: true,
    })
  }

  close(): void {
    this.#closing.abort()
  }

  /** Whether it came up. */
  async #run(target: Target, state: TargetState): Promise<boolean> {
    const { clock } = this.#deps
    const { warmth } = state
    const started = clock()
    const idleMs = state.isAsleep(started)
    warmth?.waking(started)
    const until = started + Math.min(MAX_WAKE_MS, Math.max(120_000, 10 * (warmth?.startQuantile(0.95) ?? 0)))
    for (let wait = RETRY_MS; !this.#closing.signal.aborted; wait = Math.min(MAX_RETRY_MS, wait * 2)) {
      const outcome = await this.#ask(target, until - clock())
      const now = clock()
      if (outcome === 'awake') {
        state.wakeTrouble = ''
        const isCold = state.isColdTime(now - started)
        if (idleMs !== undefined) warmth?.observed(idleMs, isCold)
        if (isCold) {
          warmth?.started(now - started)
          state.coldStarted()
        }
        warmth?.used(now)
        return true
      }
      state.wakeTrouble = outcome.trouble
      if (outcome.isFinal || now + wait >= until) break
      await pause(wait, this.#closing.signal)
    }
    warmth?.notWaking()
    this.#pausedUntilMs.set(target.name, clock() + PAUSE_MS)
    return false
  }

  async #ask(
    target: Target,
    totalMs: number,
  ): Promise<'awake' | { readonly trouble: string; readonly isFinal: boolean }> {
    const patience = Math.max(1, totalMs)
    try {
      const answer = await this.#deps.cross(this.#deps.trip(), {
        layer: 'probe',
        to: target.place,
        method: 'GET',
        url: `${target.endpoint}${target.scaling?.wakePath ?? '/health'}`,
        headers: {},
        credential: target.credential,
        connectMs: CONNECT_MS,
        firstByteMs: patience,
        idleMs: 5000,
        totalMs: patience,
        maxAnswerBytes: 65_536,
        signal: this.#closing.signal,
      })
      await answer.text()
      if (NOT_LET_IN.has(answer.status)) return { trouble: `it answered ${answer.status}`, isFinal: true }
      return NOT_YET.has(answer.status) ? { trouble: `it answered ${answer.status}`, isFinal: false } : 'awake'
    } catch (error) {
      const isCredential = error instanceof Refusal || (error instanceof CrossFault && error.kind === 'credential')
      return { trouble: error instanceof CrossFault ? error.kind : 'no credential', isFinal: isCredential }
    }
  }
}

/** What the promise gives, or undefined when the time is up or the signal aborts first. */
async function within<Value>(ms: number, signal: AbortSignal, promise: Promise<Value>): Promise<Value | undefined> {
  const waiting = new AbortController()
  const either = AbortSignal.any([signal, waiting.signal])
  try {
    return await Promise.race([promise, pause(ms, either).then(() => undefined)])
  } finally {
    waiting.abort()
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
