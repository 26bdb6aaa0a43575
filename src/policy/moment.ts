/** A moment as policies see it: cut to the minute, so that equal minutes are equal inputs. */
export interface Moment {
  readonly epochMs: number
  /** 0 to 23. */
  readonly hour: number
  /** 1 is Monday, 7 is Sunday. */
  readonly weekday: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

/** Tells the time in one zone. Formatting costs microseconds, so each minute is told once. @throws RangeError for an unknown zone. */
export function createClock(timeZone: string): (epochMs: number) => Moment {
  // UTC needs no calendar, and loading one costs a start tens of milliseconds.
  const tell = timeZone === 'UTC' ? utc : zoned(timeZone)
  let last: Moment = { epochMs: -1, hour: 0, weekday: 1 }
  return (epochMs) => {
    const minute = Math.floor(epochMs / MINUTE_MS) * MINUTE_MS
    if (minute !== last.epochMs) {
      last = { epochMs: minute, ...tell(minute) }
    }
    return last
  }
}

type Told = Omit<Moment, 'epochMs'>

/** 1 January 1970 was a Thursday. */
function utc(epochMs: number): Told {
  const hours = Math.floor(epochMs / HOUR_MS)
  return { hour: ((hours % 24) + 24) % 24, weekday: ((((Math.floor(hours / 24) + 3) % 7) + 7) % 7) + 1 }
}

function zoned(timeZone: string): (epochMs: number) => Told {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hour: 'numeric', hourCycle: 'h23', weekday: 'short' })
  return (epochMs) => {
    const parts = format.formatToParts(epochMs)
    const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? ''
    return { hour: Number(part('hour')), weekday: WEEKDAYS.indexOf(part('weekday')) + 1 }
  }
}
