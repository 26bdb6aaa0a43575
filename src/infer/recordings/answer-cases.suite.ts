import { type Event, NO_USAGE, type Usage } from '#contract/event.ts'

/** What an answer says, whatever the pieces that it came in. */
export interface Said {
  readonly text: string
  readonly reasoning: string
  readonly proofs: readonly string[]
  readonly sealed: readonly string[]
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[]
  readonly finish: string
  readonly stopSequence: string
  readonly usage: Usage
}

/** One answer in a vendor's shapes, as a stream and as a document. */
export interface Recording {
  readonly stream: Uint8Array
  readonly whole: string
  /** Where the vendor can't say what others do. */
  readonly differs?: Partial<Said>
}

export type AnswerCase =
  | 'text'
  | 'parallel calls'
  | 'thinking'
  | 'sealed thoughts'
  | 'cached prompt'
  | 'stop sequence'
  | 'length'
  | 'filtered'

export type Recordings = Readonly<Record<AnswerCase, Recording | undefined>>

const NOTHING: Said = {
  text: '',
  reasoning: '',
  proofs: [],
  sealed: [],
  calls: [],
  finish: 'stop',
  stopSequence: '',
  usage: { ...NO_USAGE, input: 12, output: 5 },
}

/** What every vendor's recording of a case says. */
export const SAID: Readonly<Record<AnswerCase, Said>> = {
  text: { ...NOTHING, text: 'Grüße 𝄞 aus Köln' },
  'parallel calls': {
    ...NOTHING,
    text: 'I look.',
    calls: [
      { id: 'call_a', name: 'find', arguments: '{"city":"Köln"}' },
      { id: 'call_b', name: 'list', arguments: '{}' },
    ],
    finish: 'tool-calls',
  },
  thinking: {
    ...NOTHING,
    reasoning: 'Let me see: 6 × 7.',
    proofs: ['c2lnbmF0dXJl'],
    text: '42',
    usage: { ...NO_USAGE, input: 12, output: 5, reasoning: 7 },
  },
  'sealed thoughts': { ...NOTHING, sealed: ['c2VhbGVk'], text: '42' },
  'cached prompt': {
    ...NOTHING,
    text: 'ok',
    usage: { ...NO_USAGE, input: 12, cachedRead: 100, cachedWrite: 20, output: 5 },
  },
  'stop sequence': { ...NOTHING, text: 'one, two', stopSequence: 'three' },
  length: { ...NOTHING, text: 'one, two', finish: 'length' },
  filtered: { ...NOTHING, text: 'I ', finish: 'content-filter' },
}

/** Adds up what events say. */
export function summary(events: readonly Event[]): Said {
  const calls: { id: string; name: string; arguments: string }[] = []
  const texts = (type: 'text-delta' | 'reasoning-delta') =>
    events.map((event) => (event.type === type ? event.text : '')).join('')
  for (const event of events) {
    if (event.type === 'tool-call-start') calls[event.index] = { id: event.id, name: event.name, arguments: '' }
    const call = event.type === 'tool-call-delta' ? calls[event.index] : undefined
    if (event.type === 'tool-call-delta' && call !== undefined) call.arguments += event.arguments
  }
  const finish = events.find((event) => event.type === 'finish')
  return {
    text: texts('text-delta'),
    reasoning: texts('reasoning-delta'),
    proofs: events.flatMap((event) => (event.type === 'reasoning-signature' ? [event.signature] : [])),
    sealed: events.flatMap((event) => (event.type === 'reasoning-sealed' ? [event.data] : [])),
    calls,
    finish: finish?.reason ?? '',
    stopSequence: finish?.stopSequence ?? '',
    usage: events.findLast((event) => event.type === 'usage')?.usage ?? NO_USAGE,
  }
}

/** A stream of server-sent events. */
export function sse(...events: readonly (object | string | readonly [name: string, data: object])[]): Uint8Array {
  const text = events.map((event) => {
    if (typeof event === 'string') return `data: ${event}\n\n`
    return Array.isArray(event)
      ? `event: ${event[0] as string}\ndata: ${JSON.stringify(event[1])}\n\n`
      : `data: ${JSON.stringify(event)}\n\n`
  })
  return Buffer.from(text.join(''))
}
