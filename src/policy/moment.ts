/** A moment as policies see it: cut to the minute, so that equal minutes are equal inputs. */
export interface Moment {
  readonly epochMs: number
  /** 0 to 23. */
  readonly hour: number
  /** 1 is Monday, 7 is Sunday. */
  readonly weekday: number
}

const MINUTE_MS = 60_000
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

/** Tells the time in one zone. Formatting costs microseconds, so each minute is told once. @throws RangeError for an unknown zone. */
export function createClock(timeZone: string): (epochMs: number) => Moment {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hour: 'numeric', hourCycle: 'h23', weekday: 'short' })
  let last: Moment = { epochMs: -1, hour: 0, weekday: 1 }
  return (epochMs) => {
    const minute = Math.floor(epochMs / MINUTE_MS) * MINUTE_MS
    if (minute !== last.epochMs) {
      const parts = format.formatToParts(minute)
      const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? ''
      last = { epochMs: minute, hour: Number(part('hour')), weekday: WEEKDAYS.indexOf(part('weekday')) + 1 }
    }
    return last
  }
}
