import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask } from '#contract/ask.ts'
import type { Screened } from '#contract/screened.ts'
import { testAsk, testTarget } from '#infer/test-asks.ts'
import { openaiCompatible } from './provider.ts'

const { encode } = openaiCompatible

const TARGET = testTarget({ name: 'vllm', model: 'llama' })

const ASK: Ask = testAsk()

function encoded(changes: Partial<Ask>) {
  const { url, headers, body } = encode({ ask: { ...ASK, ...changes } } as Screened, TARGET)
  return { url, headers, body: JSON.parse(body) as Readonly<Record<string, unknown>> }
}

const FIND = { name: 'find', description: undefined, parameters: { type: 'object' }, rest: { strict: true } }

test('a plain request names the model of the target and nothing that was not asked for', () => {
  assert.deepEqual(encoded({}), {
    url: 'http://127.0.0.1:1/v1/chat/completions',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: { model: 'llama', messages: [{ role: 'user', content: 'hi' }] },
  })
})

test('a stream asks for usage whatever the caller asked', () => {
  const { headers, body } = encoded({ stream: true })
  assert.equal(headers['accept'], 'text/event-stream')
  assert.deepEqual([body['stream'], body['stream_options']], [true, { include_usage: true }])
})

const rows: readonly (readonly [what: string, ask: Partial<Ask>, body: object])[] = [
  [
    'unknown fields of the same dialect are carried',
    { rest: { response_format: { type: 'json_object' } } },
    { response_format: { type: 'json_object' } },
  ],
  ['unknown fields can not replace ours', { rest: { model: 'other' } }, { model: 'llama' }],
  [
    'sampling is carried',
    { sampling: { maxTokens: 5, temperature: 0, topP: 1, stop: ['a'], seed: 0 } },
    { max_tokens: 5, temperature: 0, top_p: 1, stop: ['a'], seed: 0 },
  ],
  [
    'texts of one message stay apart',
    {
      messages: [
        {
          role: 'user',
          parts: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
      ],
    },
    {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
      ],
    },
  ],
  [
    'a message without parts is empty text',
    { messages: [{ role: 'user', parts: [] }] },
    { messages: [{ role: 'user', content: '' }] },
  ],
  [
    'fields of a message are carried within the dialect',
    { messages: [{ role: 'user', parts: [{ type: 'text', text: 'a' }], rest: { name: 'ada' } }] },
    { messages: [{ name: 'ada', role: 'user', content: 'a' }] },
  ],
  [
    'a tool call and its results are carried, each result as a message',
    {
      messages: [
        { role: 'assistant', parts: [{ type: 'tool-call', id: 'c1', name: 'find', arguments: '{}' }] },
        {
          role: 'tool',
          parts: [
            { type: 'tool-result', id: 'c1', text: 'a', isError: false },
            { type: 'tool-result', id: 'c2', text: '', isError: true },
          ],
        },
      ],
    },
    {
      messages: [
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'find', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'a' },
        { role: 'tool', tool_call_id: 'c2', content: '' },
      ],
    },
  ],
  [
    'tools and the choice of one are carried',
    { tools: [FIND], toolChoice: { name: 'find' } },
    {
      tools: [{ type: 'function', function: { strict: true, name: 'find', parameters: { type: 'object' } } }],
      tool_choice: { type: 'function', function: { name: 'find' } },
    },
  ],
  ['a choice in a word is carried as it is', { tools: [FIND], toolChoice: 'required' }, { tool_choice: 'required' }],
]

for (const [what, ask, body] of rows) {
  test(what, () => {
    assert.partialDeepStrictEqual(encoded(ask).body, body)
  })
}

test('a request of the other dialect leaves its own fields behind', () => {
  const { body } = encoded({
    dialect: 'anthropic-messages',
    rest: { metadata: { user_id: 'x' } },
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'a' }], rest: { cache_control: {} } }],
    tools: [{ ...FIND, description: 'finds' }],
  })
  assert.deepEqual(body, {
    model: 'llama',
    messages: [{ role: 'user', content: 'a' }],
    tools: [{ type: 'function', function: { name: 'find', description: 'finds', parameters: { type: 'object' } } }],
  })
})

test('a choice without tools is left out, since servers refuse it', () => {
  assert.equal('tool_choice' in encoded({ toolChoice: 'required' }).body, false)
})
