import type { Batch, FinishReason, TokenLogprob, Usage } from '#contract/event.ts'
import { carriedId } from '#wire/proofs.ts'
import { sealThought } from './thought.ts'

/** The items of an answer, as far as they have come; the stream and the whole answer are both made from them. */
export type Item =
  | { type: 'reasoning'; id: string; text: string; sealed: string; isDone: boolean }
  | { type: 'message'; id: string; text: string; logprobs: TokenLogprob[]; isDone: boolean }
  | {
      type: 'function_call'
      id: string
      callId: string
      name: string
      arguments: string
      index: number
      isDone: boolean
    }

/** What an event did to the items: for the stream to tell. */
export type Step =
  | { readonly kind: 'opened'; readonly at: number; readonly item: Item }
  | {
      readonly kind: 'grew'
      readonly at: number
      readonly item: Item
      readonly delta: string
      readonly logprobs?: readonly TokenLogprob[]
    }
  | { readonly kind: 'done'; readonly at: number; readonly item: Item }

/** Collects one answer: text and thoughts follow each other, tool calls may grow side by side. */
export class Items {
  readonly all: Item[] = []
  finish: FinishReason = 'stop'
  usage: Usage | undefined
  readonly #requestId: string

  constructor(requestId: string) {
    this.#requestId = requestId
  }

  take(batch: Batch): Step[] {
    const steps: Step[] = []
    for (const event of batch) this.#take(event, steps)
    return steps
  }

  #take(event: Batch[number], steps: Step[]): void {
    switch (event.type) {
      case 'text-delta':
        return this.#grow('message', event.text, steps)
      case 'reasoning-delta':
        return this.#grow('reasoning', event.text, steps)
      case 'reasoning-signature':
      case 'reasoning-sealed':
        return this.#seal(event, steps)
      case 'logprobs': {
        const at = this.all.findLastIndex(({ type }) => type === 'message')
        const item = this.all[at]
        if (item?.type !== 'message') return
        item.logprobs.push(...event.tokens)
        if (!item.isDone) steps.push({ kind: 'grew', at, item, delta: '', logprobs: event.tokens })
        return
      }
      case 'tool-call-start':
        this.#closeTexts(steps)
        this.#open(
          {
            type: 'function_call',
            id: '',
            callId: carriedId(event.id, event.signature),
            name: event.name,
            arguments: '',
            index: event.index,
            isDone: false,
          },
          steps,
        )
        return
      case 'tool-call-delta': {
        const at = this.all.findIndex((item) => item.type === 'function_call' && item.index === event.index)
        const item = this.all[at]
        if (item?.type !== 'function_call') return
        item.arguments += event.arguments
        steps.push({ kind: 'grew', at, item, delta: event.arguments })
        return
      }
      case 'finish':
        this.finish = event.reason
        this.#closeAll(steps)
        return
      case 'usage':
        this.usage = event.usage
        return
      case 'start':
      case 'end':
      case 'embedding':
      case 'token-count':
    }
  }

  #grow(type: 'message' | 'reasoning', delta: string, steps: Step[]): void {
    const last = this.all.at(-1)
    if (last?.type !== type || last.isDone) {
      this.#closeTexts(steps)
      this.#open(
        type === 'message'
          ? { type, id: '', text: '', logprobs: [], isDone: false }
          : { type, id: '', text: '', sealed: '', isDone: false },
        steps,
      )
    }
    const at = this.all.length - 1
    const item = this.all[at]
    if (item === undefined || item.type === 'function_call') return
    item.text += delta
    steps.push({ kind: 'grew', at, item, delta })
  }

  #seal(event: Extract<Batch[number], { type: 'reasoning-signature' | 'reasoning-sealed' }>, steps: Step[]): void {
    const last = this.all.at(-1)
    if (last?.type !== 'reasoning' || last.isDone) {
      this.#closeTexts(steps)
      this.#open({ type: 'reasoning', id: '', text: '', sealed: '', isDone: false }, steps)
    }
    const item = this.all.at(-1)
    if (item?.type !== 'reasoning') return
    const { family } = event
    item.sealed =
      event.type === 'reasoning-signature'
        ? sealThought({ signature: event.signature, data: '', family })
        : sealThought({ signature: '', data: event.data, family })
    this.#close(this.all.length - 1, steps)
  }

  #open(item: Item, steps: Step[]): void {
    const at = this.all.length
    const kinds = { message: 'msg', reasoning: 'rs', function_call: 'fc' } as const
    item.id = `${kinds[item.type]}_${this.#requestId}_${at}`
    this.all.push(item)
    steps.push({ kind: 'opened', at, item })
  }

  /** Text and thoughts end where something else begins. */
  #closeTexts(steps: Step[]): void {
    for (const [at, item] of this.all.entries()) if (item.type !== 'function_call') this.#close(at, steps)
  }

  #closeAll(steps: Step[]): void {
    for (const at of this.all.keys()) this.#close(at, steps)
  }

  #close(at: number, steps: Step[]): void {
    const item = this.all[at]
    if (item === undefined || item.isDone) return
    item.isDone = true
    steps.push({ kind: 'done', at, item })
  }
}
