import type { Ask, Message } from '#contract/ask.ts'
import { type Trip, detached } from '#contract/crossing.ts'
import type { Event, Usage } from '#contract/event.ts'
import type { Target } from '#contract/target.ts'

/** Calls to one target that may be under way before requests wait to go together. */
const SIDE_BY_SIDE = 4
/** Texts that go in one call: every vendor takes as many, or says so when it encodes. */
const MAX_TEXTS = 96

interface Waiting {
  readonly ask: Ask
  readonly trip: Trip
  readonly call: EmbedCall
  readonly resolve: (events: Event[]) => void
  readonly reject: (error: unknown) => void
}

interface Lane {
  underWay: number
  readonly waiting: Waiting[]
}

/** Asks one target for the vectors of a request's texts. */
export type EmbedCall = (ask: Ask, trip: Trip) => Promise<Event[]>

/**
 * Embedding requests that meet go to a target together. Nobody waits while it is idle; behind `SIDE_BY_SIDE` calls,
 * those who wait share the next one. The crossing stands in the entry of the first of them.
 */
export class EmbedBatches {
  readonly #lanes = new Map<string, Lane>()

  /** @throws what `call` throws, for each request that shared it. */
  ask(target: Target, ask: Ask, trip: Trip, call: EmbedCall): Promise<Event[]> {
    // A call in the caller's own name is the caller's alone.
    if (target.credential.kind === 'token' && trip.caller !== undefined) return call(ask, trip)
    const key = `${target.name}\n${ask.dimensions ?? ''}\n${JSON.stringify(ask.rest)}`
    const lane = this.#lanes.get(key) ?? { underWay: 0, waiting: [] }
    this.#lanes.set(key, lane)
    if (lane.underWay < SIDE_BY_SIDE) return this.#run(key, lane, () => call(ask, trip))
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { ask, trip, call, resolve, reject }
      lane.waiting.push(waiting)
      trip.signal.addEventListener('abort', () => leave(lane, waiting), { once: true })
    })
  }

  async #run<Result>(key: string, lane: Lane, work: () => Promise<Result>): Promise<Result> {
    lane.underWay += 1
    try {
      return await work()
    } finally {
      lane.underWay -= 1
      this.#next(key, lane)
    }
  }

  #next(key: string, lane: Lane): void {
    const group = takeGroup(lane.waiting)
    const [first] = group
    if (first === undefined) {
      if (lane.underWay === 0) this.#lanes.delete(key)
      return
    }
    const ask = { ...first.ask, messages: group.flatMap((waiting) => waiting.ask.messages) }
    // The call does not end when one of several leaves.
    const trip = group.length === 1 ? first.trip : detached(first.trip)
    this.#run(key, lane, () => first.call(ask, trip)).then(
      (events) => share(events, group),
      (error: unknown) => {
        for (const { reject } of group) reject(error)
      },
    )
  }
}

function leave(lane: Lane, waiting: Waiting): void {
  const at = lane.waiting.indexOf(waiting)
  if (at === -1) return
  lane.waiting.splice(at, 1)
  waiting.reject(waiting.trip.signal.reason)
}

function takeGroup(waiting: Waiting[]): Waiting[] {
  let texts = 0
  let count = 0
  for (const { ask } of waiting) {
    if (count > 0 && texts + ask.messages.length > MAX_TEXTS) break
    texts += ask.messages.length
    count += 1
  }
  return waiting.splice(0, count)
}

/** Each gets its own vectors, numbered from 0, and its share of the tokens by the length of its texts. */
function share(events: readonly Event[], group: readonly Waiting[]): void {
  const all = group.reduce((sum, { ask }) => sum + charsOf(ask.messages), 0)
  let from = 0
  let counted = 0
  for (const { ask, resolve } of group) {
    const count = ask.messages.length
    const before = all === 0 ? 0 : counted / all
    counted += charsOf(ask.messages)
    const after = all === 0 ? 0 : counted / all
    const begin = from
    resolve(
      events.flatMap((event): Event[] => {
        if (event.type === 'embedding') {
          const index = event.index - begin
          return index >= 0 && index < count ? [{ ...event, index }] : []
        }
        return event.type === 'usage' ? [{ type: 'usage', usage: between(event.usage, before, after) }] : [event]
      }),
    )
    from += count
  }
}

/** Rounded so that the shares add up. */
function between(usage: Usage, before: number, after: number): Usage {
  return { ...usage, input: Math.round(usage.input * after) - Math.round(usage.input * before) }
}

function charsOf(messages: readonly Message[]): number {
  let chars = 0
  for (const { parts } of messages) for (const part of parts) if (part.type === 'text') chars += part.text.length
  return chars
}
