import type { Batch, Event } from '#contract/event.ts'
import type { Vault } from '#contract/screened.ts'
import { Restorer, jsonEscape } from './restorer.ts'

export interface RestoreOptions {
  /** The text of the answer is one JSON document (structured output): originals are escaped like JSON strings. */
  readonly jsonText: boolean
}

/**
 * Puts the caller's own values back into an answer: text, reasoning and the arguments of tool calls, each stream of
 * text for itself, however it was cut into pieces.
 */
export function restore(batches: AsyncIterable<Batch>, vault: Vault, options: RestoreOptions): AsyncIterable<Batch> {
  if (vault.size === 0) return batches
  const state = new RestoreState(vault, options)
  return {
    [Symbol.asyncIterator]: () => {
      const source = batches[Symbol.asyncIterator]()
      return {
        next: async () => {
          const step = await source.next()
          return step.done === true ? step : { done: false, value: state.batch(step.value) }
        },
        return: async () => {
          await source.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

/** One restorer for each stream of text: a choice's text, its reasoning, each of its tool calls. */
class RestoreState {
  readonly #vault: Vault
  readonly #options: RestoreOptions
  readonly #open = new Map<string, { readonly restorer: Restorer; readonly make: (text: string) => Event }>()

  constructor(vault: Vault, options: RestoreOptions) {
    this.#vault = vault
    this.#options = options
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
        this.#push(
          `text ${choice}`,
          event.text,
          this.#options.jsonText,
          (text) => ({ type: 'text-delta', choice, text }),
          out,
        )
        return
      }
      case 'reasoning-delta': {
        const { choice } = event
        this.#push(`reasoning ${choice}`, event.text, false, (text) => ({ type: 'reasoning-delta', choice, text }), out)
        return
      }
      case 'tool-call-delta': {
        const { choice, index } = event
        this.#push(
          `tool ${choice} ${index}`,
          event.arguments,
          true,
          (text) => ({ type: 'tool-call-delta', choice, index, arguments: text }),
          out,
        )
        return
      }
      case 'tool-call-start':
        // Text before a tool call is complete: what was held must come before it.
        this.#flush(out)
        out.push(event)
        return
      case 'finish':
      case 'end':
        this.#flush(out)
        out.push(event)
        return
      case 'reasoning-signature':
      case 'reasoning-sealed':
        // What was thought is complete where its proof comes.
        this.#flush(out)
        out.push(event)
        return
      // Tokens stay as the model said them: a placeholder among them is not put back.
      case 'logprobs':
      case 'embedding':
      case 'token-count':
      case 'start':
      case 'usage':
        out.push(event)
    }
  }

  #push(key: string, text: string, isJson: boolean, make: (text: string) => Event, out: Event[]): void {
    let open = this.#open.get(key)
    if (open === undefined) {
      open = { restorer: new Restorer(this.#vault, isJson ? jsonEscape : undefined), make }
      this.#open.set(key, open)
    }
    const ready = open.restorer.push(text)
    if (ready !== '') out.push(make(ready))
  }

  #flush(out: Event[]): void {
    for (const { restorer, make } of this.#open.values()) {
      const rest = restorer.end()
      if (rest !== '') out.push(make(rest))
    }
  }
}
