import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Ask, Family, Message, Part } from '#contract/ask.ts'
import type { Event } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import type { Read } from './adapter-readers.suite.ts'
import type { Decoder, Provider } from './provider.ts'
import { type AnswerCase, type Recordings, SAID, summary } from './recordings/answer-cases.suite.ts'
import { testAsk, testScreened } from './test-asks.ts'

/** One adapter, with what a test has to know of its vendor. */
export interface Adapter {
  readonly name: string
  readonly provider: Provider
  readonly target: Target
  readonly recordings: Recordings
  /** A stream that says `I ` and then reports an error. */
  readonly failing: Uint8Array
  /** Reads a request as the vendor does. */
  readonly read: (body: unknown) => Read
  /** Whether its streams are server-sent events, so that their lines may end in CRLF too. */
  readonly isSse: boolean
  /** Whether blank text is refused there, so that it is left out. */
  readonly refusesBlank: boolean
  /** Whether calls in the history want tools to be defined. */
  readonly wantsTools: boolean
  /** Whether images may be given by https URL. */
  readonly imageUrls: boolean
  /** Whose proofs it can read; empty: nobody's. */
  readonly family: Family
}

const SIZES = [1, 2, 3, 7, 16, 64, 1 << 20]

/** The cases that every adapter has to pass. */
export function adapterSuite(adapter: Adapter): void {
  answers(adapter)
  breakages(adapter)
  requests(adapter)
  histories(adapter)
  thoughts(adapter)
  errors(adapter)
}

function read(decoder: Decoder, bytes: Uint8Array, size: number): Event[] {
  const events: Event[] = []
  for (let at = 0; at < bytes.length; at += size) {
    events.push(...decoder.push(bytes.subarray(at, at + size)))
    if (decoder.failure !== undefined) throw decoder.failure
  }
  return [...events, ...decoder.end()]
}

function decoded({ provider }: Adapter, stream: boolean, bytes: Uint8Array, size = 1 << 20): Event[] {
  return read(provider.decoder(testAsk({ stream })), bytes, size)
}

function casesOf({ recordings }: Adapter) {
  return (Object.keys(SAID) as AnswerCase[]).flatMap((name) => {
    const recording = recordings[name]
    return recording === undefined ? [] : [{ name, recording, said: { ...SAID[name], ...recording.differs } }]
  })
}

function answers(adapter: Adapter): void {
  for (const { name, recording, said } of casesOf(adapter)) {
    test(`${adapter.name}: ${name} says the same as a stream and as a document, with the end behind it`, () => {
      for (const [stream, bytes] of [
        [true, recording.stream],
        [false, Buffer.from(recording.whole)],
      ] as const) {
        const events = decoded(adapter, stream, bytes)
        assert.deepEqual(summary(events), said)
        assert.equal(events[0]?.type, 'start')
        assert.deepEqual(
          events.slice(-3).map(({ type }) => type),
          ['finish', 'usage', 'end'],
        )
      }
    })
    test(`${adapter.name}: ${name} gives the same events however its bytes are cut`, () => {
      const whole = decoded(adapter, true, recording.stream)
      for (const size of SIZES) assert.deepEqual(decoded(adapter, true, recording.stream, size), whole, `${size} bytes`)
      if (!adapter.isSse) return
      const crlf = Buffer.from(Buffer.from(recording.stream).toString('utf8').replaceAll('\n', '\r\n'))
      for (const size of SIZES) assert.deepEqual(decoded(adapter, true, crlf, size), whole, `CRLF, ${size} bytes`)
    })
  }
}

function breakages(adapter: Adapter): void {
  test(`${adapter.name}: an answer that is cut at any byte is never whole`, () => {
    for (const { name, recording } of casesOf(adapter)) {
      for (const [stream, bytes] of [
        [true, recording.stream],
        [false, Buffer.from(recording.whole)],
      ] as const) {
        for (let at = 0; at < bytes.length; at += 1) {
          assert.throws(
            () => decoded(adapter, stream, bytes.subarray(0, at)),
            (error) => error instanceof Refusal && ['INFER_CUT', 'INFER_UNAVAILABLE'].includes(error.code),
            `${name}, stream ${stream}, cut at ${at} of ${bytes.length}`,
          )
        }
      }
    }
  })
  test(`${adapter.name}: an error behind content keeps the content and ends the answer`, () => {
    const own = adapter.provider.decoder(testAsk({ stream: true }))
    const events = own.push(adapter.failing)
    assert.equal(summary(events).text, 'I ')
    assert.ok(own.failure !== undefined && own.failure.code.startsWith('INFER_'))
    assert.ok(!events.some(({ type }) => type === 'end' || type === 'finish'))
    assert.throws(() => own.end(), { name: 'Refusal', code: 'INFER_CUT' })
  })
  test(`${adapter.name}: broken bytes are refused and never throw anything else`, () => {
    const recorded = casesOf(adapter).flatMap(({ recording }) => [recording.stream, Buffer.from(recording.whole)])
    const hurt = fc
      .tuple(fc.constantFrom(...recorded), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }))
      .map(([bytes, wounds]) => {
        const copy = Uint8Array.from(bytes)
        for (const [at, value] of wounds) copy[at % copy.length] = value
        return copy
      })
    const shaped = fc
      .array(fc.record({ type: fc.constantFrom(...TYPES), ...SHAPED }, { requiredKeys: ['type'] }), { maxLength: 4 })
      .map((all) => Buffer.from(all.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('')))
    const input = fc.oneof(hurt, shaped, fc.uint8Array({ maxLength: 80 }))
    fc.assert(
      fc.property(input, fc.boolean(), fc.integer({ min: 1, max: 40 }), (bytes, stream, size) => {
        try {
          decoded(adapter, stream, bytes, size)
        } catch (error) {
          assert.ok(error instanceof Refusal && error.code.startsWith('INFER_'), String(error))
        }
      }),
      { numRuns: 400 },
    )
  })
}

/** Types of Anthropic's events, and fields of every vendor's with values of any kind. */
const TYPES = [
  'message_start',
  'content_block_start',
  'content_block_delta',
  'content_block_stop',
  'message_delta',
  'message_stop',
]
const ANY = fc.jsonValue({ maxDepth: 3 })
const SHAPED = {
  message: ANY,
  content_block: ANY,
  delta: ANY,
  index: ANY,
  usage: ANY,
  usageMetadata: ANY,
  candidates: fc.oneof(ANY, fc.array(fc.record({ content: fc.record({ parts: fc.array(ANY) }), finishReason: ANY }))),
  promptFeedback: ANY,
  choices: ANY,
  content: ANY,
  stop_reason: ANY,
}

function say(role: Message['role'], ...parts: readonly (string | Part)[]): Message {
  return { role, parts: parts.map((part) => (typeof part === 'string' ? { type: 'text', text: part } : part)) }
}

const FIND: Part = { type: 'tool-call', id: 'call_a', name: 'find', arguments: '{"city":"Köln"}' }
const LIST: Part = { type: 'tool-call', id: 'call_b', name: 'list', arguments: '' }
const FOUND: Part = { type: 'tool-result', id: 'call_a', text: 'found', isError: false }
const LISTED: Part = { type: 'tool-result', id: 'call_b', text: 'listed', isError: true }
const IMAGE: Part = { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'aW1n' } }
const LINKED: Part = { type: 'image', source: { kind: 'url', url: 'https://images.example/a.png' } }
const TOOLS = ['find', 'list'].map((name) => ({
  name,
  description: `${name}s`,
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
}))

function encoded(adapter: Adapter, changes: Partial<Ask>): Read {
  return adapter.read(JSON.parse(adapter.provider.encode(testScreened(changes), adapter.target).body))
}

function requests(adapter: Adapter): void {
  const { name } = adapter
  const list = name.startsWith('openai') || name === 'azure-openai' ? 'call:list ' : 'call:list {}'
  const CALLS = ['call:find {"city":"Köln"}', list]

  test(`${name}: the system prompt and the text arrive, and the answer's bound`, () => {
    const ask = { messages: [say('system', 'be brief'), say('user', 'hi')], sampling: { maxTokens: 77 } }
    const { system, turns } = encoded(adapter, ask)
    assert.deepEqual({ system, turns }, { system: ['be brief'], turns: [{ role: 'user', said: ['text:hi'] }] })
    assert.match(adapter.provider.encode(testScreened(ask), adapter.target).body, /":77[,}]/)
  })

  test(`${name}: the results of parallel calls stand in one turn, before what the user says`, () => {
    const messages = [
      say('user', 'where?'),
      say('assistant', 'I look.', FIND, LIST),
      say('tool', FOUND),
      say('tool', LISTED),
      say('user', 'and?'),
    ]
    const { turns, tools } = encoded(adapter, { messages, tools: TOOLS })
    assert.deepEqual(turns, [
      { role: 'user', said: ['text:where?'] },
      { role: 'assistant', said: ['text:I look.', ...CALLS] },
      { role: 'user', said: ['result:found', 'result:listed', 'text:and?'] },
    ])
    assert.deepEqual(tools, ['find', 'list'])
  })

  test(`${name}: empty content makes no turn of its own where the vendor refuses it`, () => {
    const messages = [say('user', 'hi'), say('assistant', ''), say('user', ' \n', 'go')]
    const said = encoded(adapter, { messages }).turns.flatMap((turn) => turn.said)
    assert.deepEqual(said, adapter.refusesBlank ? ['text:hi', 'text:go'] : ['text:hi', 'text:', 'text: \n', 'text:go'])
  })

  test(`${name}: a history with calls goes out without tools as well`, () => {
    const messages = [say('user', 'where?'), say('assistant', FIND), say('tool', FOUND)]
    assert.deepEqual(encoded(adapter, { messages }).tools, adapter.wantsTools ? ['find'] : [])
  })

  test(`${name}: an image arrives byte for byte, one by URL is carried or refused`, () => {
    const { turns } = encoded(adapter, { messages: [say('user', 'what is this?', IMAGE)] })
    assert.deepEqual(turns[0]?.said, ['text:what is this?', 'image:data:image/png;base64,aW1n'])
    const linked = { messages: [say('user', LINKED)] }
    if (adapter.imageUrls)
      assert.deepEqual(encoded(adapter, linked).turns[0]?.said, ['image:https://images.example/a.png'])
    else assert.throws(() => encoded(adapter, linked), { name: 'Refusal', code: 'INFER_UNSUPPORTED' })
  })

  test(`${name}: the schema of the answer arrives`, () => {
    const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
    const format = { type: 'schema', name: 'place', schema, strict: true } as const
    assert.deepEqual(encoded(adapter, { format }).schema, schema)
  })

  test(`${name}: what the target does not carry is named, never sent`, () => {
    const ask = { dialect: 'openai-responses', rest: { store: true }, betas: ['made-up-2030-01-01'] } as const
    const { body, headers, dropped } = adapter.provider.encode(testScreened(ask), adapter.target)
    assert.ok(dropped.includes('store'), dropped.join())
    assert.ok(
      dropped.some((field) => field.startsWith('anthropic-beta')),
      dropped.join(),
    )
    assert.ok(!body.includes('store') && !(body + JSON.stringify(headers)).includes('made-up'))
  })
}

const TEXTS = fc.record({ type: fc.constant('text'), text: fc.constantFrom('', ' \n', 'hi', 'é ') })
const THOUGHTS = fc.record({
  type: fc.constant('reasoning'),
  text: fc.constantFrom('', 'hm'),
  signature: fc.constantFrom('', 'c2ln'),
  data: fc.constantFrom('', 'c2VhbGVk'),
  family: fc.constantFrom('anthropic', 'gemini', ''),
})

function messagesOf(role: Message['role'], part: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.record({ role: fc.constant(role), parts: fc.array(part, { maxLength: 4 }) })
}

/** Messages in any order, each with parts of the kinds that its role may have. */
const HISTORY = fc.array(
  fc.oneof(
    messagesOf('system', TEXTS),
    messagesOf('user', fc.oneof(TEXTS, fc.constant(IMAGE))),
    messagesOf('assistant', fc.oneof(TEXTS, THOUGHTS, fc.constantFrom(FIND, LIST))),
    messagesOf('tool', fc.constantFrom(FOUND, LISTED)),
  ),
  { minLength: 1, maxLength: 6 },
) as fc.Arbitrary<Message[]>

function histories(adapter: Adapter): void {
  test(`${adapter.name}: any history is refused or makes turns that the vendor takes`, () => {
    fc.assert(
      fc.property(HISTORY, fc.boolean(), (messages, hasTools) => {
        let read: Read
        try {
          read = encoded(adapter, { messages, tools: hasTools ? TOOLS : [] })
        } catch (error) {
          assert.ok(error instanceof Refusal && error.code === 'INFER_UNSUPPORTED', String(error))
          return
        }
        if (!adapter.refusesBlank) return
        assert.deepEqual(
          read.roles,
          read.roles.map((_, at) => (at % 2 === 0 ? 'user' : 'assistant')),
        )
        for (const { said } of read.turns) {
          const isBlank = (text: string) => /^text:\s*$/.test(text)
          // Gemini's proof of a text may come in a part without text.
          if (adapter.family !== 'gemini') assert.ok(!said.some(isBlank), said.join())
          const first = said.findIndex((text) => !text.startsWith('result:'))
          assert.ok(first === -1 || !said.slice(first).some((text) => text.startsWith('result:')), said.join())
        }
      }),
      { numRuns: 300 },
    )
  })
}

function errors({ name, provider, target }: Adapter): void {
  test(`${name}: what a status means is the same everywhere`, () => {
    for (const [status, code] of [
      [429, 'INFER_THROTTLED'],
      [503, 'INFER_THROTTLED'],
      [408, 'INFER_TIMEOUT'],
      [504, 'INFER_TIMEOUT'],
      [400, 'INFER_REJECTED'],
      [413, 'INFER_REJECTED'],
      [401, 'INFER_UNAVAILABLE'],
      [403, 'INFER_UNAVAILABLE'],
      [404, 'INFER_UNAVAILABLE'],
      [500, 'INFER_UNAVAILABLE'],
    ] as const) {
      for (const body of ['', '<html>', '[]', '{"error":{}}', '{"error":null}', 'null']) {
        const refusal = provider.error({ status, headers: { 'retry-after': '7' }, body }, target)
        assert.equal(refusal.code, code, `${status} ${body}`)
        if (code === 'INFER_THROTTLED') assert.equal(refusal.retryAfterS, 7)
      }
    }
  })
}

/** The history that a client sends back after an answer with thoughts. */
function history(events: readonly Event[], family: Family): Message[] {
  const { reasoning, proofs, sealed, text } = summary(events)
  const thoughts = proofs.map((signature): Part => ({
    type: 'reasoning',
    text: reasoning,
    signature,
    data: '',
    family,
  }))
  const locked = sealed.map((data): Part => ({ type: 'reasoning', text: '', signature: '', data, family }))
  return [say('user', 'six by seven?'), say('assistant', text, ...thoughts, ...locked), say('user', 'sure?')]
}

const THOUGHT = 'thought:Let me see: 6 × 7. c2lnbmF0dXJl'

function thoughts(adapter: Adapter): void {
  test(`${adapter.name}: thoughts go back to their own vendor byte for byte, before the text`, () => {
    const recording = adapter.recordings.thinking
    assert.ok(recording !== undefined)
    const messages = history(decoded(adapter, true, recording.stream), adapter.family)
    const { turns } = encoded(adapter, { messages, reasoning: { effort: 'low' } })
    assert.deepEqual(turns[1]?.said, adapter.family === '' ? ['text:42'] : [THOUGHT, 'text:42'])
  })
  test(`${adapter.name}: thoughts of another vendor stay behind`, () => {
    for (const family of ['anthropic', 'gemini', ''] as const) {
      if (family === adapter.family) continue
      const thought: Part = { type: 'reasoning', text: 'hm', signature: 'c2ln', data: '', family }
      const sealed: Part = { type: 'reasoning', text: '', signature: '', data: 'c2VhbGVk', family }
      const messages = [say('user', 'hi'), say('assistant', thought, sealed, 'yes'), say('user', 'go')]
      assert.deepEqual(encoded(adapter, { messages }).turns[1]?.said, ['text:yes'], family)
    }
  })
}
