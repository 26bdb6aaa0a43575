import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch, Event } from '#contract/event.ts'
import { testAsk } from '#contract/test-ask.ts'
import { REFUSALS, Refusal, type RefusalCode } from '#contract/refusal.ts'
import type { AnswerFacts } from '#wire/dialect.ts'
import { streamEncoder, wholeEncoder } from './encode.ts'
import { ERROR_TYPES, error } from './error.ts'

const SOURCE = {
  collection: 'docs',
  document: 'leave.md',
  title: 'Leave',
  heading: '',
  page: 0,
  record: 0,
  lastRecord: 0,
  start: 0,
  end: 9,
}
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
const WIRE_USAGE = {
  prompt_tokens: 8,
  completion_tokens: 7,
  total_tokens: 15,
  prompt_tokens_details: { cached_tokens: 2 },
  completion_tokens_details: { reasoning_tokens: 4 },
}

const EVENTS: readonly Event[] = [
  { type: 'start', id: 'up', model: 'llama' },
  { type: 'reasoning-delta', choice: 0, text: 'hm' },
  { type: 'text-delta', choice: 0, text: 'He said "hi"\n\u2028' },
  { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'find' },
  { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"a":' },
  { type: 'tool-call-delta', choice: 0, index: 0, arguments: '1}' },
  { type: 'tool-call-start', choice: 0, index: 1, id: 'c2', name: 'list' },
  { type: 'finish', choice: 0, reason: 'tool-calls' },
  { type: 'usage', usage: USAGE },
  { type: 'end' },
]

function streamed(answer: AnswerFacts, batches: readonly Batch[]): string {
  const encoder = streamEncoder(answer)
  return batches.map((batch) => encoder.push(batch)).join('')
}

function whole(answer: AnswerFacts, batches: readonly Batch[]): unknown {
  const encoder = wholeEncoder(answer)
  for (const batch of batches) encoder.push(batch)
  return JSON.parse(encoder.end())
}

/** The data of each event, parsed but for `[DONE]`. */
function chunks(text: string): unknown[] {
  assert.ok(text.endsWith('\n\n'))
  return text
    .slice(0, -2)
    .split('\n\n')
    .map((block) => {
      assert.match(block, /^data: [^\n\r]*$/)
      return block === 'data: [DONE]' ? '[DONE]' : (JSON.parse(block.slice(6)) as unknown)
    })
}

test('a stream has one chunk an event, usage in one of its own, and ends in [DONE]', () => {
  const head = { id: 'chatcmpl-req-1', object: 'chat.completion.chunk', created: 7, model: 'chat' }
  const choice = (delta: object): object => ({ ...head, choices: [{ index: 0, delta, finish_reason: null }] })
  assert.deepEqual(chunks(streamed(ANSWER, [EVENTS])), [
    choice({ role: 'assistant', content: '' }),
    choice({ reasoning: 'hm' }),
    choice({ content: 'He said "hi"\n\u2028' }),
    choice({ tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'find', arguments: '' } }] }),
    choice({ tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] }),
    choice({ tool_calls: [{ index: 0, function: { arguments: '1}' } }] }),
    choice({ tool_calls: [{ index: 1, id: 'c2', type: 'function', function: { name: 'list', arguments: '' } }] }),
    {
      ...head,
      choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }],
      thinplane: { request_id: 'req-1', target: 'vllm' },
    },
    { ...head, choices: [], usage: WIRE_USAGE },
    '[DONE]',
  ])
})

test('how events came together makes no difference', () => {
  const apart = EVENTS.map((event) => [event])
  assert.equal(streamed(ANSWER, apart), streamed(ANSWER, [EVENTS]))
  assert.deepEqual(whole(ANSWER, apart), whole(ANSWER, [EVENTS]))
  assert.equal(streamEncoder(ANSWER).push([]), '')
})

test('usage is sent to clients that asked for it only', () => {
  const text = streamed({ ...ANSWER, includeUsage: false }, [EVENTS])
  assert.doesNotMatch(text, /"usage"/)
  assert.equal(chunks(text).at(-1), '[DONE]')
})

test('an alias can not break out of its place', () => {
  const [first] = chunks(streamed({ ...ANSWER, alias: 'a"},\n\ndata: [DONE]' }, [EVENTS.slice(0, 1)]))
  assert.equal((first as { model: string }).model, 'a"},\n\ndata: [DONE]')
})

test('a whole answer collects text, reasoning, tool calls, usage and sources', () => {
  const paged = { ...SOURCE, heading: 'Annual', page: 3 }
  assert.deepEqual(whole({ ...ANSWER, sources: [SOURCE, paged] }, [EVENTS]), {
    id: 'chatcmpl-req-1',
    object: 'chat.completion',
    created: 7,
    model: 'chat',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: 'He said "hi"\n\u2028',
          refusal: null,
          reasoning: 'hm',
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'find', arguments: '{"a":1}' } },
            { id: 'c2', type: 'function', function: { name: 'list', arguments: '' } },
          ],
        },
        logprobs: null,
        finish_reason: 'tool_calls',
      },
    ],
    usage: WIRE_USAGE,
    thinplane: {
      request_id: 'req-1',
      target: 'vllm',
      sources: [
        { collection: 'docs', document: 'leave.md', title: 'Leave' },
        { collection: 'docs', document: 'leave.md', title: 'Leave', heading: 'Annual', page: 3 },
      ],
    },
  })
})

test('an answer of tool calls alone has no content, one of nothing has empty text', () => {
  const call: Event = { type: 'tool-call-start', choice: 0, index: 0, id: 'c', name: 'f' }
  const contentOf = (events: Batch): unknown =>
    (whole(ANSWER, [events]) as { choices: { message: { content: unknown } }[] }).choices[0]?.message.content
  assert.equal(contentOf([call, { type: 'finish', choice: 0, reason: 'tool-calls' }]), null)
  assert.equal(contentOf([{ type: 'finish', choice: 0, reason: 'length' }]), '')
})

test('choices stand in their order whatever order they came in', () => {
  const events: Batch = [
    { type: 'text-delta', choice: 1, text: 'b' },
    { type: 'text-delta', choice: 0, text: 'a' },
    { type: 'finish', choice: 1, reason: 'content-filter' },
    { type: 'finish', choice: 0, reason: 'length' },
  ]
  const { choices } = whole(ANSWER, [events]) as { choices: { index: number; finish_reason: string }[] }
  assert.deepEqual(
    choices.map(({ index, finish_reason: reason }) => [index, reason]),
    [
      [0, 'length'],
      [1, 'content_filter'],
    ],
  )
})

for (const code of Object.keys(REFUSALS) as RefusalCode[]) {
  test(`${code} has an error type of the dialect`, () => {
    assert.match(ERROR_TYPES[code], /^(?:invalid_request|authentication|permission|rate_limit|server)_error$/)
  })
}

test('an error has the body of the dialect, also inside a stream, where nothing that says done follows', () => {
  const refusal = new Refusal('WIRE_MALFORMED', '`n` must be "1"', { param: 'n' })
  const body = {
    error: {
      message: '`n` must be "1"',
      type: 'invalid_request_error',
      param: 'n',
      code: 'WIRE_MALFORMED',
      request_id: 'req-1',
    },
  }
  assert.deepEqual(JSON.parse(error(refusal, 'req-1')), body)
  assert.deepEqual(chunks(streamEncoder(ANSWER).fail(refusal)), [body])
  assert.match(error(new Refusal('INTERNAL', 'x'), 'req-1'), /"param":null/)
})
