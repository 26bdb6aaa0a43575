import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Event } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import { testAsk } from '#contract/test-ask.ts'
import { asList, asRecord, parseJson } from '#kit/json.ts'
import type { AnswerFacts } from '#wire/dialect.ts'
import { decode } from './decode.ts'
import { streamEncoder, wholeEncoder } from './encode.ts'

const ANSWER: AnswerFacts = {
  requestId: 'req-1',
  alias: 'chat',
  target: 'vllm',
  createdEpochS: 7,
  includeUsage: true,
  ask: testAsk({ dialect: 'openai-responses' }),
  sources: [],
  isStored: false,
}

const EVENTS: readonly Event[] = [
  { type: 'start', id: 'up', model: 'llama' },
  { type: 'reasoning-delta', choice: 0, text: 'hm' },
  { type: 'reasoning-signature', choice: 0, signature: 'sig', family: 'anthropic' },
  { type: 'text-delta', choice: 0, text: 'we' },
  { type: 'text-delta', choice: 0, text: 'll' },
  { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'find', signature: 'proof' },
  { type: 'tool-call-start', choice: 0, index: 1, id: 'c2', name: 'list' },
  { type: 'tool-call-delta', choice: 0, index: 1, arguments: '{"a":' },
  { type: 'tool-call-delta', choice: 0, index: 1, arguments: '1}' },
  { type: 'finish', choice: 0, reason: 'tool-calls' },
  { type: 'usage', usage: { input: 5, cachedRead: 2, cachedWrite: 1, output: 3, reasoning: 4 } },
  { type: 'end' },
]

interface Frame {
  readonly type: string
  readonly fields: Readonly<Record<string, unknown>>
}

function frames(text: string): Frame[] {
  return text
    .split('\n\n')
    .filter((each) => each !== '')
    .map((each) => {
      const [event = '', data = ''] = each.split('\n')
      const fields = asRecord(parseJson(data.slice('data: '.length)))
      assert.ok(fields)
      assert.equal(event, `event: ${String(fields['type'])}`)
      return { type: String(fields['type']), fields }
    })
}

function streamed(events: readonly Event[], size = events.length): Frame[] {
  const encoder = streamEncoder(ANSWER)
  let text = ''
  for (let at = 0; at < events.length; at += size) text += encoder.push(events.slice(at, at + size))
  return frames(text)
}

function whole(events: readonly Event[]): Readonly<Record<string, unknown>> {
  const encoder = wholeEncoder(ANSWER)
  encoder.push(events)
  const document = asRecord(parseJson(encoder.end()))
  assert.ok(document)
  return document
}

test('the last event of a stream holds what the whole answer is, and what its items said one by one', () => {
  for (let size = 1; size <= EVENTS.length; size += 1) {
    const told = streamed(EVENTS, size)
    assert.deepEqual(
      told.map(({ fields }) => fields['sequence_number']),
      told.keys().toArray(),
    )
    const last = told.at(-1)
    assert.equal(last?.type, 'response.completed')
    assert.deepEqual(last?.fields['response'], whole(EVENTS))
    const done = told.filter(({ type }) => type === 'response.output_item.done').toSorted(byIndex)
    assert.deepEqual(
      done.map(({ fields }) => fields['item']),
      asRecord(last?.fields['response'])?.['output'],
    )
  }
})

function byIndex(a: Frame, b: Frame): number {
  return Number(a.fields['output_index']) - Number(b.fields['output_index'])
}

test('deltas joined are the text, and the arguments, of the item that they name', () => {
  const joined = new Map<unknown, string>()
  for (const { type, fields } of streamed(EVENTS)) {
    if (!type.endsWith('.delta')) continue
    joined.set(fields['item_id'], (joined.get(fields['item_id']) ?? '') + String(fields['delta']))
  }
  assert.deepEqual([...joined.values()], ['hm', 'well', '{"a":1}'])
})

test('what the answer gives out comes back as it was: thoughts with their proofs, calls with theirs', () => {
  const output = asList(whole(EVENTS)['output'])
  const { messages } = decode(JSON.stringify({ model: 'chat', input: output }))
  assert.deepEqual(messages, [
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'hm', signature: 'sig', data: '', family: 'anthropic' },
        { type: 'text', text: 'well' },
        { type: 'tool-call', id: 'c1', name: 'find', arguments: '{}', signature: 'proof' },
        { type: 'tool-call', id: 'c2', name: 'list', arguments: '{"a":1}' },
      ],
    },
  ])
})

test('an answer that was cut by its bound or a filter is incomplete, and says why', () => {
  for (const [reason, says] of [
    ['length', 'max_output_tokens'],
    ['content-filter', 'content_filter'],
  ] as const) {
    const told = streamed([
      { type: 'start', id: '', model: '' },
      { type: 'text-delta', choice: 0, text: 'a' },
      { type: 'finish', choice: 0, reason },
      { type: 'end' },
    ])
    const response = asRecord(told.at(-1)?.fields['response'])
    assert.equal(told.at(-1)?.type, 'response.incomplete')
    assert.deepEqual(response?.['incomplete_details'], { reason: says })
  }
})

test('an error inside the stream ends it as failed, with what was said, and never as completed', () => {
  const encoder = streamEncoder(ANSWER)
  const begun = encoder.push([EVENTS[0], EVENTS[3]].filter((event) => event !== undefined))
  const told = frames(begun + encoder.fail(new Refusal('INFER_CUT', 'it broke off')))
  assert.deepEqual(
    told.slice(-2).map(({ type }) => type),
    ['error', 'response.failed'],
  )
  const response = asRecord(told.at(-1)?.fields['response'])
  assert.equal(response?.['status'], 'failed')
  assert.deepEqual(response?.['error'], { code: 'server_error', message: 'it broke off' })
  assert.ok(!told.some(({ type }) => type === 'response.completed'))
})

test('any order of events gives frames in order, each item opened once and done once', () => {
  const event = fc.oneof(
    fc.record({ type: fc.constant('text-delta' as const), choice: fc.constant(0), text: fc.string() }),
    fc.record({ type: fc.constant('reasoning-delta' as const), choice: fc.constant(0), text: fc.string() }),
    fc.record({
      type: fc.constant('tool-call-delta' as const),
      choice: fc.constant(0),
      index: fc.nat(3),
      arguments: fc.string(),
    }),
    fc.record({
      type: fc.constant('tool-call-start' as const),
      choice: fc.constant(0),
      index: fc.nat(3),
      id: fc.constant('c'),
      name: fc.constant('f'),
    }),
  )
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const told = streamed([
        { type: 'start', id: '', model: '' },
        ...events,
        { type: 'finish', choice: 0, reason: 'stop' },
        { type: 'end' },
      ])
      const count = (type: string) =>
        told.filter((frame) => frame.type === type).map(({ fields }) => fields['output_index'])
      const opened = count('response.output_item.added')
      assert.deepEqual(opened, opened.keys().toArray())
      assert.deepEqual(
        count('response.output_item.done').toSorted((a, b) => Number(a) - Number(b)),
        opened,
      )
    }),
  )
})
