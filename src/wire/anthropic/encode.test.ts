import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch, Event, FinishReason } from '#contract/event.ts'
import { testAsk } from '#contract/test-ask.ts'
import { REFUSALS, Refusal, type RefusalCode } from '#contract/refusal.ts'
import type { AnswerFacts } from '#wire/dialect.ts'
import { streamEncoder, wholeEncoder } from './encode.ts'
import { ERROR_TYPES, error } from './error.ts'

const ANSWER: AnswerFacts = {
  requestId: 'req-1',
  alias: 'chat',
  target: 'vllm',
  createdEpochS: 7,
  includeUsage: true,
  ask: testAsk(),
  sources: [],
  isStored: false,
}
const USAGE = { input: 5, cachedRead: 2, cachedWrite: 1, output: 3, reasoning: 4 }
const WIRE_USAGE = { input_tokens: 5, cache_read_input_tokens: 2, cache_creation_input_tokens: 1, output_tokens: 7 }
const NO_WIRE_USAGE = { input_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 0 }
const HEAD = { id: 'msg_req-1', type: 'message', role: 'assistant', model: 'chat' }
const NOTE = { request_id: 'req-1', target: 'vllm' }

const EVENTS: readonly Event[] = [
  { type: 'start', id: 'up', model: 'llama' },
  { type: 'reasoning-delta', choice: 0, text: 'hm' },
  { type: 'text-delta', choice: 0, text: 'He said' },
  { type: 'text-delta', choice: 0, text: ' "hi"\n' },
  { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'find' },
  { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"a":' },
  { type: 'tool-call-delta', choice: 0, index: 0, arguments: '1}' },
  { type: 'tool-call-start', choice: 0, index: 1, id: 'c2', name: 'list' },
  { type: 'finish', choice: 0, reason: 'tool-calls' },
  { type: 'usage', usage: USAGE },
  { type: 'end' },
]

function streamed(batches: readonly Batch[], answer = ANSWER): unknown[] {
  const encoder = streamEncoder(answer)
  return frames(batches.map((batch) => encoder.push(batch)).join(''))
}

function whole(batches: readonly Batch[]): unknown {
  const encoder = wholeEncoder(ANSWER)
  for (const batch of batches) encoder.push(batch)
  return JSON.parse(encoder.end())
}

/** The data of each event, after a look at its name. */
function frames(text: string): unknown[] {
  assert.ok(text === '' || text.endsWith('\n\n'))
  return text
    .split('\n\n')
    .slice(0, -1)
    .map((block) => {
      const [, name, data = ''] = /^event: ([a-z_]+)\ndata: ([^\n\r]*)$/.exec(block) ?? []
      const parsed = JSON.parse(data) as { readonly type: string }
      assert.equal(parsed.type, name)
      return parsed
    })
}

test('a stream opens one block for each kind of content and closes it before the next', () => {
  const start = (index: number, block: object): object => ({ type: 'content_block_start', index, content_block: block })
  const delta = (index: number, changes: object): object => ({ type: 'content_block_delta', index, delta: changes })
  const stop = (index: number): object => ({ type: 'content_block_stop', index })
  assert.deepEqual(streamed([EVENTS]), [
    {
      type: 'message_start',
      message: { ...HEAD, content: [], stop_reason: null, stop_sequence: null, usage: NO_WIRE_USAGE },
    },
    start(0, { type: 'thinking', thinking: '', signature: '' }),
    delta(0, { type: 'thinking_delta', thinking: 'hm' }),
    stop(0),
    start(1, { type: 'text', text: '' }),
    delta(1, { type: 'text_delta', text: 'He said' }),
    delta(1, { type: 'text_delta', text: ' "hi"\n' }),
    stop(1),
    start(2, { type: 'tool_use', id: 'c1', name: 'find', input: {} }),
    delta(2, { type: 'input_json_delta', partial_json: '{"a":' }),
    delta(2, { type: 'input_json_delta', partial_json: '1}' }),
    stop(2),
    start(3, { type: 'tool_use', id: 'c2', name: 'list', input: {} }),
    stop(3),
    {
      type: 'message_delta',
      delta: { stop_reason: 'tool_use', stop_sequence: null },
      usage: WIRE_USAGE,
      thinplane: NOTE,
    },
    { type: 'message_stop' },
  ])
})

test('how events came together makes no difference', () => {
  const apart = EVENTS.map((event) => [event])
  assert.deepEqual(streamed(apart), streamed([EVENTS]))
  assert.deepEqual(whole(apart), whole([EVENTS]))
  assert.deepEqual(streamed([[]]), [])
})

test('a whole answer has the same blocks, with tool input as an object', () => {
  assert.deepEqual(whole([EVENTS]), {
    ...HEAD,
    content: [
      { type: 'thinking', thinking: 'hm', signature: '' },
      { type: 'text', text: 'He said "hi"\n' },
      { type: 'tool_use', id: 'c1', name: 'find', input: { a: 1 } },
      { type: 'tool_use', id: 'c2', name: 'list', input: {} },
    ],
    stop_reason: 'tool_use',
    stop_sequence: null,
    usage: WIRE_USAGE,
    thinplane: NOTE,
  })
})

test('pieces of two tool calls that come in turn go to their own', () => {
  const events: Batch = [
    { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'f' },
    { type: 'tool-call-start', choice: 0, index: 1, id: 'c2', name: 'g' },
    { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"a":1}' },
    { type: 'tool-call-delta', choice: 0, index: 1, arguments: '{"b":2}' },
  ]
  const { content } = whole([events]) as { content: { input: unknown }[] }
  assert.deepEqual(
    content.map(({ input }) => input),
    [{ a: 1 }, { b: 2 }],
  )
})

const reasons: readonly (readonly [reason: FinishReason, stop: string])[] = [
  ['stop', 'end_turn'],
  ['length', 'max_tokens'],
  ['tool-calls', 'tool_use'],
  ['content-filter', 'refusal'],
]

test('every reason to finish has a name of the dialect', () => {
  for (const [reason, stop] of reasons) {
    assert.equal((whole([[{ type: 'finish', choice: 0, reason }]]) as { stop_reason: string }).stop_reason, stop)
  }
})

for (const code of Object.keys(REFUSALS) as RefusalCode[]) {
  test(`${code} has an error type of the dialect`, () => {
    assert.match(
      ERROR_TYPES[code],
      /^(?:invalid_request_error|authentication_error|permission_error|not_found_error|request_too_large|rate_limit_error|api_error|overloaded_error)$/,
    )
  })
}

test('an error has the body of the dialect, also inside a stream, where nothing that says done follows', () => {
  const refusal = new Refusal('IDENTITY_MISSING', 'no "credential"')
  const body = {
    type: 'error',
    error: { type: 'authentication_error', message: 'no "credential"', code: 'IDENTITY_MISSING', param: null },
    request_id: 'req-1',
  }
  assert.deepEqual(JSON.parse(error(refusal, 'req-1')), body)
  assert.deepEqual(frames(streamEncoder(ANSWER).fail(refusal)), [body])
})
