import type { Batch, Event } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import type { FindingCount, GuardAction } from '#contract/screened.ts'
import { scan } from '#detect/scan.ts'
import { OutputScreen } from './output-screen.ts'
import type { GuardProfile } from './profile.ts'
import { FindingTally } from './redact.ts'

/** What was found in an answer: complete when the answer has ended. */
export interface OutputFound {
  readonly found: () => readonly FindingCount[]
}

/**
 * Screens what a model says, as it says it: text, reasoning and the arguments of tool calls, each stream of text for
 * itself. Runs before placeholders are put back, so that the caller's own values are not what it finds. Only what may
 * still become a finding is held back; text without a candidate never is.
 * @throws {Refusal} GUARD_BLOCKED, inside the answer, where the profile blocks what was found.
 */
export function screenOutput(
  batches: AsyncIterable<Batch>,
  profile: GuardProfile,
): OutputFound & { readonly batches: AsyncIterable<Batch> } {
  const tally = new FindingTally()
  if (!isActive(profile.output)) return { batches, found: () => tally.list() }
  const state = new OutputState(profile, tally)
  return {
    found: () => tally.list(),
    batches: {
      [Symbol.asyncIterator]: () => {
        const source = batches[Symbol.asyncIterator]()
        return {
          next: async () => {
            const step = await source.next()
            if (step.done === true) return step
            try {
              return { done: false, value: state.batch(step.value) }
            } catch (error) {
              // The model is told to stop: what follows would not be given out.
              await source.return?.()
              throw error
            }
          },
          return: async () => {
            await source.return?.()
            return { done: true, value: undefined }
          },
        }
      },
    },
  }
}

function isActive(actions: GuardProfile['output']): boolean {
  return Object.values(actions).some((action) => action !== 'allow')
}

interface OpenText {
  readonly screen: OutputScreen
  readonly make: (text: string) => Event
  /** Log-probabilities of text that is held back. */
  readonly waiting: Event[]
}

/** One screen for each stream of text. */
class OutputState {
  readonly #profile: GuardProfile
  readonly #tally: FindingTally
  readonly #open = new Map<string, OpenText>()

  constructor(profile: GuardProfile, tally: FindingTally) {
    this.#profile = profile
    this.#tally = tally
  }

  batch(batch: Batch): Batch {
    const out: Event[] = []
    for (const event of batch) this.#event(event, out)
    return out
  }

  #event(event: Event, out: Event[]): void {
    switch (event.type) {
      case 'text-delta': {
        const { choice } = event
        this.#push(`text ${choice}`, event.text, (text) => ({ type: 'text-delta', choice, text }), out)
        return
      }
      case 'reasoning-delta': {
        const { choice } = event
        this.#push(`reasoning ${choice}`, event.text, (text) => ({ type: 'reasoning-delta', choice, text }), out)
        return
      }
      case 'tool-call-delta': {
        const { choice, index } = event
        const make = (text: string): Event => ({ type: 'tool-call-delta', choice, index, arguments: text })
        this.#push(`tool ${choice} ${index}`, event.arguments, make, out)
        return
      }
      case 'tool-call-start':
      case 'finish':
      case 'end':
        // What was held must come before it.
        this.#flush(out)
        out.push(event)
        return
      case 'reasoning-signature':
      case 'reasoning-sealed':
        this.#flush(out)
        out.push(event)
        return
      case 'logprobs':
        this.#tokens(event, out)
        return
      case 'embedding':
      case 'token-count':
      case 'start':
      case 'usage':
        out.push(event)
    }
  }

  /** Tokens spell the text: they wait with it, and go with what is taken out of it. */
  #tokens(event: Extract<Event, { type: 'logprobs' }>, out: Event[]): void {
    const open = this.#open.get(`text ${event.choice}`)
    if (open?.screen.isHolding === true) open.waiting.push(event)
    else if (open?.screen.hasReplaced !== true) out.push(event)
  }

  #push(key: string, text: string, make: (text: string) => Event, out: Event[]): void {
    let open = this.#open.get(key)
    if (open === undefined) {
      open = { screen: new OutputScreen(scan, (type) => this.#treat(type)), make, waiting: [] }
      this.#open.set(key, open)
    }
    const ready = open.screen.push(text)
    if (ready !== '') out.push(make(ready))
    if (!open.screen.isHolding) settle(open, out)
  }

  #flush(out: Event[]): void {
    for (const open of this.#open.values()) {
      const rest = open.screen.end()
      if (rest !== '') out.push(open.make(rest))
      settle(open, out)
    }
  }

  /** What stands in place of a finding; undefined: it stays. */
  #treat({ type, score }: { readonly type: string; readonly score: number }): string | undefined {
    const { output, minScore, shadow } = this.#profile
    if (score < minScore) return undefined
    const action: GuardAction = output[type] ?? output['default'] ?? 'allow'
    if (action === 'allow') return undefined
    this.#tally.add(type, action, 'answer', shadow)
    if (action === 'flag' || shadow) return undefined
    if (action === 'block')
      throw new Refusal('GUARD_BLOCKED', `the model's answer holds ${type}, which this profile does not give out`)
    // There is no vault for what a model makes up: what is taken out of an answer can not be put back.
    return `[${type}]`
  }
}

/** The text that tokens waited for is out, as it was or not. */
function settle({ screen, waiting }: OpenText, out: Event[]): void {
  if (waiting.length === 0) return
  if (!screen.hasReplaced) out.push(...waiting)
  waiting.length = 0
}
