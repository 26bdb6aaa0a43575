import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '#contract/refusal.ts'
import { decode } from './decode.ts'
import { sealThought } from './thought.ts'

function bodyWith(changes: object): string {
  return JSON.stringify({ model: 'chat', input: 'hi', ...changes })
}

function withItem(item: unknown): string {
  return bodyWith({ input: [item] })
}

test('a whole request is read: items of one turn become one message, and what is unknown is kept', () => {
  const sealed = sealThought({ signature: 'sig', data: '', family: 'anthropic' })
  const ask = decode(
    bodyWith({
      instructions: 'Be brief.',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'hi' }] },
        { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: sealed },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'well', annotations: [] }] },
        { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'find', arguments: '{}' },
        { type: 'function_call', id: 'fc_2', call_id: 'c2', name: 'find', arguments: '{"a":1}' },
        { type: 'function_call_output', call_id: 'c1', output: 'one' },
        { type: 'function_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'two' }] },
      ],
      tools: [{ type: 'function', name: 'find', description: null, parameters: { type: 'object' }, strict: true }],
      tool_choice: { type: 'function', name: 'find' },
      parallel_tool_calls: false,
      max_output_tokens: 9,
      reasoning: { effort: 'low', summary: 'auto' },
      text: { format: { type: 'json_schema', name: 'out', schema: { type: 'object' }, strict: true } },
      include: ['reasoning.encrypted_content'],
      store: false,
      metadata: { a: 'b' },
    }),
  )
  assert.deepEqual(ask, {
    dialect: 'openai-responses',
    alias: 'chat',
    stream: false,
    messages: [
      { role: 'system', parts: [{ type: 'text', text: 'Be brief.' }] },
      { role: 'user', parts: [{ type: 'text', text: 'hi' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'hm', signature: 'sig', data: '', family: 'anthropic' },
          { type: 'text', text: 'well' },
          { type: 'tool-call', id: 'c1', name: 'find', arguments: '{}' },
          { type: 'tool-call', id: 'c2', name: 'find', arguments: '{"a":1}' },
        ],
      },
      {
        role: 'tool',
        parts: [
          { type: 'tool-result', id: 'c1', text: 'one', isError: false },
          { type: 'tool-result', id: 'c2', text: 'two', isError: false },
        ],
      },
    ],
    tools: [{ name: 'find', description: undefined, parameters: { type: 'object' }, strict: true }],
    toolChoice: { name: 'find' },
    parallelTools: false,
    sampling: { maxTokens: 9 },
    format: { type: 'schema', name: 'out', schema: { type: 'object' }, strict: true },
    reasoning: { effort: 'low' },
    store: false,
    includeUsage: true,
    ground: undefined,
    conversation: undefined,
    purpose: undefined,
    rest: { metadata: { a: 'b' } },
  })
})

const refused: readonly (readonly [what: string, body: string, code: string, param: string | undefined])[] = [
  ['no model', '{}', 'WIRE_MALFORMED', 'model'],
  ['no input', '{"model":"chat"}', 'WIRE_MALFORMED', 'input'],
  ['an empty input', bodyWith({ input: [] }), 'WIRE_MALFORMED', 'input'],
  ['an unknown role', withItem({ role: 'robot', content: 'x' }), 'WIRE_MALFORMED', 'input[0].role'],
  ['an item of another kind', withItem({ type: 'computer_call' }), 'WIRE_UNSUPPORTED', 'input[0]'],
  ['a reference to an item', withItem({ type: 'item_reference', id: 'x' }), 'WIRE_UNSUPPORTED', 'input[0]'],
  [
    'a file',
    withItem({ role: 'user', content: [{ type: 'input_file', file_id: 'f' }] }),
    'WIRE_UNSUPPORTED',
    'input[0].content[0]',
  ],
  [
    'an image that is kept at OpenAI',
    withItem({ role: 'user', content: [{ type: 'input_image', file_id: 'f' }] }),
    'WIRE_UNSUPPORTED',
    'input[0].content[0].file_id',
  ],
  [
    'an image that is no image',
    withItem({ role: 'user', content: [{ type: 'input_image', image_url: 'data:image/png;base64,%%%' }] }),
    'WIRE_MALFORMED',
    'input[0].content[0].image_url',
  ],
  [
    'a picture of a kind that no model reads',
    withItem({ role: 'user', content: [{ type: 'input_image', image_url: 'data:image/tiff;base64,AAAA' }] }),
    'WIRE_UNSUPPORTED',
    'input[0].content[0].image_url',
  ],
  [
    'a call without an id',
    withItem({ type: 'function_call', name: 'f', arguments: '' }),
    'WIRE_MALFORMED',
    'input[0].call_id',
  ],
  ['a tool of the vendor', bodyWith({ tools: [{ type: 'web_search' }] }), 'WIRE_UNSUPPORTED', 'tools[0].type'],
  [
    'a schema that is no object',
    bodyWith({ text: { format: { type: 'json_schema', name: 'x', schema: 7 } } }),
    'WIRE_MALFORMED',
    'text.format.schema',
  ],
  ['an answer in the background', bodyWith({ background: true }), 'WIRE_UNSUPPORTED', 'background'],
  ['a conversation kept elsewhere', bodyWith({ conversation: 'conv_1' }), 'WIRE_UNSUPPORTED', 'conversation'],
  ['a truncation', bodyWith({ truncation: 'auto' }), 'WIRE_UNSUPPORTED', 'truncation'],
  [
    'something to include that is unknown',
    bodyWith({ include: ['file_search_call.results'] }),
    'WIRE_UNSUPPORTED',
    'include',
  ],
  ['an unknown effort', bodyWith({ reasoning: { effort: 'huge' } }), 'WIRE_MALFORMED', 'reasoning.effort'],
]

for (const [what, body, code, param] of refused) {
  test(`${what}: ${code} names the field`, () => {
    assert.throws(() => decode(body), { name: 'Refusal', code, param })
  })
}

test('a sealed thought of another maker is nobody’s, whatever it holds', () => {
  for (const encrypted_content of ['gAAAAA', '', 'bm90IGpzb24', Buffer.from('{"family":"x"}').toString('base64url')]) {
    const { messages } = decode(withItem({ type: 'reasoning', summary: [], encrypted_content }))
    assert.deepEqual(messages[0]?.parts, [{ type: 'reasoning', text: '', signature: '', data: '', family: '' }])
  }
})

test('arbitrary JSON throws nothing but refusals', () => {
  const item = fc.record(
    {
      type: fc.constantFrom('message', 'function_call', 'function_call_output', 'reasoning', 'x'),
      role: fc.constantFrom('user', 'assistant', 'x'),
      content: fc.jsonValue(),
      call_id: fc.jsonValue(),
      output: fc.jsonValue(),
      summary: fc.jsonValue(),
      encrypted_content: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  const request = fc.record(
    {
      model: fc.oneof(fc.string(), fc.jsonValue()),
      input: fc.oneof(fc.array(item), fc.jsonValue()),
      tools: fc.jsonValue(),
      tool_choice: fc.jsonValue(),
      text: fc.jsonValue(),
      reasoning: fc.jsonValue(),
      include: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(request, (value) => {
      try {
        decode(JSON.stringify(value))
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error))
      }
    }),
    { numRuns: 500 },
  )
})
