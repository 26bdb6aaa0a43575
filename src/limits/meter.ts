import type { Batch, Event, Usage } from '#contract/event.ts'
import type { Held } from './reserve.ts'

const CHARS_PER_TOKEN = 4

/**
 * Counts the answer while it comes. Without a reservation it is handed on as it is.
 * @throws {Refusal} LIMIT_RATE, LIMIT_BUDGET when a rule that cuts has nothing left; the call upstream ends then.
 */
export function meter(held: Held | undefined, batches: AsyncIterable<Batch>): AsyncIterable<Batch> {
  return held === undefined ? batches : metered(held, batches)
}

async function* metered(held: Held, batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  let chars = 0
  for await (const batch of batches) {
    let reported = 0
    let isEnd = false
    for (const event of batch) {
      chars += charsOf(event)
      if (event.type === 'usage') reported = outputOf(event.usage)
      isEnd ||= event.type === 'end'
    }
    const cut = held.meter(Math.max(Math.ceil(chars / CHARS_PER_TOKEN), reported))
    // An answer that is here as a whole is given out: cutting it would save nothing.
    if (cut !== undefined && !isEnd) throw cut
    yield batch
  }
}

function charsOf(event: Event): number {
  if (event.type === 'text-delta' || event.type === 'reasoning-delta') return event.text.length
  return event.type === 'tool-call-delta' ? event.arguments.length : 0
}

function outputOf({ output, reasoning }: Usage): number {
  const sum = output + reasoning
  return Number.isFinite(sum) ? sum : 0
}
