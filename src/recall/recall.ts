import type { Ask, Message, Part } from '#contract/ask.ts'
import type { Batch, Event } from '#contract/event.ts'
import type { Permit } from '#contract/permit.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Answers, KeepLimits } from './answers.ts'

export interface RecallDeps {
  readonly answers: Answers
  readonly limits: KeepLimits
}

/**
 * The request with the conversation that it goes on from in front of it, as its own caller had it.
 * @throws {Refusal} WIRE_MALFORMED for a result of a call that nobody made; RECALL_UNKNOWN when that is not known here (any more), or is somebody else's.
 */
export function recall({ answers }: RecallDeps, principal: Principal, ask: Ask): Ask {
  if (ask.previous === undefined) return answered(ask)
  const earlier = answers.get(keyOf(principal, ask.previous))
  if (earlier === undefined) {
    throw new Refusal(
      'RECALL_UNKNOWN',
      'the answer that `previous_response_id` names is not kept here: send the whole conversation as `input`',
      { param: 'previous_response_id' },
    )
  }
  // Instructions hold for one request: those of this one stand before everything.
  const own = ask.messages.findIndex(({ role }) => role !== 'system')
  const lead = own === -1 ? ask.messages.length : own
  return answered({ ...ask, messages: [...ask.messages.slice(0, lead), ...earlier, ...ask.messages.slice(lead)] })
}

/** Every vendor refuses a result of a call that nobody made, each in its own words and some after minutes. */
function answered(ask: Ask): Ask {
  if (!ask.messages.some(({ role }) => role === 'tool')) return ask
  const called = new Set<string>()
  for (const { parts } of ask.messages) {
    for (const part of parts) {
      if (part.type === 'tool-call') called.add(part.id)
      else if (part.type === 'tool-result' && !called.has(part.id)) {
        const param = ask.dialect === 'openai-responses' ? 'input' : 'messages'
        const id = part.id.replaceAll(/[^\w.:-]/g, '?').slice(0, 64)
        throw new Refusal(
          'WIRE_MALFORMED',
          `\`${param}\` holds a result of the call \`${id}\`, which no message before it makes: send the call too`,
          { param },
        )
      }
    }
  }
  return ask
}

/** Whether policy and configuration let the answer be kept, and the caller wants it to be. */
export function isKept({ limits }: RecallDeps, permit: Permit, ask: Ask): boolean {
  return ask.store === true && limits.minutes > 0 && permit.retentionDays !== 0
}

/** Keeps what the caller was given, once it is whole, under the id that the caller knows it by. */
export function keep(
  { answers, limits }: RecallDeps,
  principal: Principal,
  { ask, id }: { readonly ask: Ask; readonly id: string },
  batches: AsyncIterable<Batch>,
): AsyncIterable<Batch> {
  const parts = new AnswerParts()
  const end = (): void => {
    const said: Message = { role: 'assistant', parts: parts.all() }
    const conversation = ask.messages.filter(({ role }) => role !== 'system')
    answers.set(keyOf(principal, id), [...conversation, said], limits)
  }
  return {
    [Symbol.asyncIterator]: () => {
      const source = batches[Symbol.asyncIterator]()
      return {
        next: async () => {
          const step = await source.next()
          if (step.done !== true) {
            for (const event of step.value) parts.take(event)
            if (step.value.some(({ type }) => type === 'end')) end()
          }
          return step
        },
        return: async () => {
          await source.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

function keyOf({ tenant, subject }: Principal, id: string): string {
  return `${tenant}\n${subject}\n${id}`
}

/** One answer as a message of the history. */
class AnswerParts {
  readonly #parts: Part[] = []
  readonly #calls = new Map<number, number>()

  take(event: Event): void {
    const last = this.#parts.at(-1)
    switch (event.type) {
      case 'text-delta':
        if (last?.type === 'text') this.#replaceLast({ ...last, text: last.text + event.text })
        else this.#parts.push({ type: 'text', text: event.text })
        return
      case 'reasoning-delta':
        if (last?.type === 'reasoning' && last.signature === '')
          this.#replaceLast({ ...last, text: last.text + event.text })
        else this.#parts.push({ type: 'reasoning', text: event.text, signature: '', data: '', family: '' })
        return
      case 'reasoning-signature': {
        const { signature, family } = event
        if (last?.type === 'reasoning' && last.signature === '') this.#replaceLast({ ...last, signature, family })
        else this.#parts.push({ type: 'reasoning', text: '', signature, data: '', family })
        return
      }
      case 'reasoning-sealed':
        this.#parts.push({ type: 'reasoning', text: '', signature: '', data: event.data, family: event.family })
        return
      case 'tool-call-start': {
        const { id, name, signature } = event
        const call: Part = { type: 'tool-call', id, name, arguments: '' }
        this.#calls.set(event.index, this.#parts.length)
        this.#parts.push(signature === undefined ? call : { ...call, signature })
        return
      }
      case 'tool-call-delta': {
        const at = this.#calls.get(event.index) ?? -1
        const call = this.#parts[at]
        if (call?.type === 'tool-call') this.#parts[at] = { ...call, arguments: call.arguments + event.arguments }
        return
      }
      case 'start':
      case 'logprobs':
      case 'finish':
      case 'usage':
      case 'embedding':
      case 'token-count':
      case 'end':
    }
  }

  all(): readonly Part[] {
    return this.#parts
  }

  #replaceLast(part: Part): void {
    this.#parts[this.#parts.length - 1] = part
  }
}
