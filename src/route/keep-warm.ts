import type { Target, WarmWindow } from '#contract/target.ts'
import type { TargetState } from './target-state.ts'
import type { Waker } from './wake.ts'

/** A target that is kept awake is asked again when so much of its idle time has passed. */
const ASK_AFTER = 0.6
const LOOK_MS = 1000
const DAY_MINUTES = 1440

/** Keeps targets awake: in the windows of their calendars, and for as long as somebody asked for. */
export class WarmKeeper {
  readonly #waker: Waker
  readonly #stateOf: (target: Target) => TargetState
  readonly #clock: () => number
  readonly #nowEpochMs: () => number
  /** By target, in epoch milliseconds. */
  readonly #asked = new Map<string, number>()

  constructor(options: {
    readonly waker: Waker
    readonly stateOf: (target: Target) => TargetState
    readonly clock: () => number
    readonly nowEpochMs: () => number
  }) {
    this.#waker = options.waker
    this.#stateOf = options.stateOf
    this.#clock = options.clock
    this.#nowEpochMs = options.nowEpochMs
  }

  /** Wakes it now and keeps it awake for so long; 0 minutes: no longer. @returns until when, in epoch milliseconds. */
  keep(target: Target, minutes: number): number {
    const until = this.#nowEpochMs() + minutes * 60_000
    if (minutes === 0) this.#asked.delete(target.name)
    else {
      this.#asked.set(target.name, until)
      this.#waker.wake(target, this.#stateOf(target))
    }
    return until
  }

  /** Until when somebody asked for it, or its calendar wants it; undefined: it may sleep. */
  keptUntilEpochMs(target: Target): number | undefined {
    const now = this.#nowEpochMs()
    const asked = this.#asked.get(target.name) ?? 0
    const calendar = Math.max(0, ...(target.scaling?.calendar ?? []).map((window) => endOf(window, now)))
    const until = Math.max(asked, calendar)
    return until > now ? until : undefined
  }

  /** Looks at all targets about once a second. @returns how to stop. */
  start(targets: () => Iterable<Target>): () => void {
    const timer = setInterval(() => this.look(targets()), LOOK_MS).unref()
    return () => clearInterval(timer)
  }

  look(targets: Iterable<Target>): void {
    for (const target of targets) {
      const { scaling } = target
      if (scaling === undefined) continue
      const state = this.#stateOf(target)
      const { warmth } = state
      if (warmth === undefined || state.inFlight > 0) continue
      const leadMs = warmth.startQuantile(0.95)
      const isWanted =
        this.keptUntilEpochMs(target) !== undefined || beginsWithin(scaling.calendar, this.#nowEpochMs(), leadMs)
      if (isWanted && warmth.idleMs(this.#clock()) > ASK_AFTER * scaling.idleMs) this.#waker.wake(target, state)
    }
  }
}

/** When the window that is open now ends, in epoch milliseconds; 0 when it is not open. */
export function endOf(window: WarmWindow, epochMs: number): number {
  const { day, minute, second } = momentIn(window.timeZone, epochMs)
  const { fromMinute, toMinute, days } = window
  const isOverMidnight = toMinute <= fromMinute
  const isToday = days.includes(day) && minute >= fromMinute && (isOverMidnight || minute < toMinute)
  const isSinceYesterday = isOverMidnight && days.includes((day + 6) % 7) && minute < toMinute
  if (!isToday && !isSinceYesterday) return 0
  const left = isToday && isOverMidnight ? DAY_MINUTES - minute + toMinute : toMinute - minute
  return epochMs + (left * 60 - second) * 1000
}

function beginsWithin(calendar: readonly WarmWindow[], epochMs: number, leadMs: number): boolean {
  return calendar.some((window) => endOf(window, epochMs) === 0 && endOf(window, epochMs + leadMs) > 0)
}

const formats = new Map<string, Intl.DateTimeFormat>()

function momentIn(timeZone: string, epochMs: number): { day: number; minute: number; second: number } {
  let format = formats.get(timeZone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    })
    formats.set(timeZone, format)
  }
  const parts = Object.fromEntries(format.formatToParts(epochMs).map(({ type, value }) => [type, value]))
  return {
    day: WEEKDAYS.indexOf(parts['weekday'] ?? ''),
    minute: Number(parts['hour']) * 60 + Number(parts['minute']),
    second: Number(parts['second']),
  }
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
