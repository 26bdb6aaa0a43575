import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '#contract/refusal.ts'
import { decode } from './decode.ts'

const USER = { role: 'user', content: 'hi' }

function bodyWith(changes: object): string {
  return JSON.stringify({ model: 'chat', max_tokens: 100, messages: [USER], ...changes })
}

function withBlock(block: unknown, role = 'user'): string {
  return bodyWith({ messages: [{ role, content: [block] }] })
}

test('a whole request is read, and tool results become messages of their own', () => {
  const ask = decode(
    JSON.stringify({
      model: 'chat',
      max_tokens: 100,
      stream: true,
      system: [{ type: 'text', text: 'be brief', cache_control: { type: 'ephemeral' } }],
      messages: [
        USER,
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'well' },
            { type: 'tool_use', id: 't1', name: 'find', input: { a: 1 } },
          ],
        },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 't1',
              content: [
                { type: 'text', text: 'a' },
                { type: 'text', text: 'b' },
              ],
              is_error: true,
            },
            { type: 'text', text: 'and?' },
          ],
        },
      ],
      tools: [
        {
          name: 'find',
          input_schema: { type: 'object' },
          cache_control: { type: 'ephemeral', ttl: '1h' },
          defer_loading: true,
        },
      ],
      tool_choice: { type: 'any' },
      temperature: 1,
      top_p: 0.5,
      stop_sequences: ['END'],
      metadata: { user_id: 'x' },
      thinplane: { conversation: 'c-1' },
    }),
  )
  assert.deepEqual(ask, {
    dialect: 'anthropic-messages',
    alias: 'chat',
    stream: true,
    messages: [
      { role: 'system', parts: [{ type: 'text', text: 'be brief', cache: '5m' }] },
      { role: 'user', parts: [{ type: 'text', text: 'hi' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'text', text: 'well' },
          { type: 'tool-call', id: 't1', name: 'find', arguments: '{"a":1}' },
        ],
      },
      { role: 'tool', parts: [{ type: 'tool-result', id: 't1', text: 'ab', isError: true }] },
      { role: 'user', parts: [{ type: 'text', text: 'and?' }] },
    ],
    tools: [
      {
        name: 'find',
        description: undefined,
        parameters: { type: 'object' },
        cache: '1h',
        rest: { defer_loading: true },
      },
    ],
    toolChoice: 'required',
    sampling: { maxTokens: 100, temperature: 1, topP: 0.5, stop: ['END'] },
    betas: [],
    includeUsage: true,
    ground: undefined,
    conversation: 'c-1',
    purpose: undefined,
    rest: { metadata: { user_id: 'x' } },
  })
})

const choices: readonly (readonly [given: unknown, read: unknown])[] = [
  [{ type: 'auto' }, 'auto'],
  [{ type: 'none' }, 'none'],
  [{ type: 'any' }, 'required'],
  [{ type: 'tool', name: 'find' }, { name: 'find' }],
  [null, undefined],
]

test('a choice of tools is read', () => {
  for (const [given, read] of choices) assert.deepEqual(decode(bodyWith({ tool_choice: given })).toolChoice, read)
})

test('a result without content and a call without input are empty ones', () => {
  assert.deepEqual(decode(withBlock({ type: 'tool_result', tool_use_id: 'a' })).messages, [
    { role: 'tool', parts: [{ type: 'tool-result', id: 'a', text: '', isError: false }] },
  ])
  assert.deepEqual(decode(withBlock({ type: 'tool_use', id: 'a', name: 'f' }, 'assistant')).messages, [
    { role: 'assistant', parts: [{ type: 'tool-call', id: 'a', name: 'f', arguments: '{}' }] },
  ])
})

test('thinking that the model was answered with may come back', () => {
  const block = { type: 'thinking', thinking: 'hm', signature: '' }
  assert.equal(
    decode(bodyWith({ messages: [USER, { role: 'assistant', content: [block, { type: 'text', text: 'a' }] }, USER] }))
      .messages.length,
    3,
  )
})

const malformed: readonly (readonly [what: string, body: string, message: string, param?: string])[] = [
  ['nothing', '', 'the body is not JSON'],
  ['a broken document', '{"model":x}', 'the body is not JSON'],
  ['a forgotten comma', '{"a":1 "b":2}', 'the body is not JSON (it breaks at character 7)'],
  ['a list', '[]', '`body` must be an object', 'body'],
  ['no model', '{}', '`model` must be text', 'model'],
  ['no messages', '{"model":"chat"}', '`messages` must be a list', 'messages'],
  [
    'an empty list of messages',
    bodyWith({ messages: [] }),
    '`messages` must be a list with at least one message',
    'messages',
  ],
  [
    'too many messages',
    bodyWith({ messages: Array(4097).fill(USER) }),
    '`messages` must be a list of at most 4096 messages, it has 4097',
    'messages',
  ],
  ['a message that is text', bodyWith({ messages: ['hi'] }), '`messages[0]` must be an object', 'messages[0]'],
  [
    'a system message among the messages',
    bodyWith({ messages: [{ role: 'system', content: 'x' }] }),
    '`messages[0].role` must be user or assistant',
    'messages[0].role',
  ],
  [
    'no content',
    bodyWith({ messages: [{ role: 'user' }] }),
    '`messages[0].content` must be text or a list of blocks',
    'messages[0].content',
  ],
  ['a block that is text', withBlock('x'), '`messages[0].content[0]` must be an object', 'messages[0].content[0]'],
  [
    'a block without a type',
    withBlock({}),
    '`messages[0].content[0].type` must be text',
    'messages[0].content[0].type',
  ],
  [
    'a text without text',
    withBlock({ type: 'text' }),
    '`messages[0].content[0].text` must be text',
    'messages[0].content[0].text',
  ],
  [
    'a call without a name',
    withBlock({ type: 'tool_use', id: 'a' }, 'assistant'),
    '`messages[0].content[0].name` must be text',
    'messages[0].content[0].name',
  ],
  [
    'a call with text as input',
    withBlock({ type: 'tool_use', id: 'a', name: 'f', input: 'x' }, 'assistant'),
    '`messages[0].content[0].input` must be an object',
    'messages[0].content[0].input',
  ],
  [
    'a result of no call',
    withBlock({ type: 'tool_result' }),
    '`messages[0].content[0].tool_use_id` must be text',
    'messages[0].content[0].tool_use_id',
  ],
  [
    'an error that is text',
    withBlock({ type: 'tool_result', tool_use_id: 'a', is_error: 'x' }),
    '`messages[0].content[0].is_error` must be true or false',
    'messages[0].content[0].is_error',
  ],
  ['a system that is a number', bodyWith({ system: 7 }), '`system` must be text or a list of blocks', 'system'],
  ['tools that are an object', bodyWith({ tools: {} }), '`tools` must be a list', 'tools'],
  [
    'a tool without a schema',
    bodyWith({ tools: [{ name: 'f' }] }),
    '`tools[0].input_schema` must be an object',
    'tools[0].input_schema',
  ],
  ['a choice that is text', bodyWith({ tool_choice: 'auto' }), '`tool_choice` must be an object', 'tool_choice'],
  [
    'a choice that does not exist',
    bodyWith({ tool_choice: { type: 'maybe' } }),
    '`tool_choice.type` must be auto, any, tool or none',
    'tool_choice.type',
  ],
  [
    'no limit',
    JSON.stringify({ model: 'chat', messages: [USER] }),
    '`max_tokens` must be a whole number from 1, it is required',
    'max_tokens',
  ],
  [
    'half a token',
    bodyWith({ max_tokens: 0.5 }),
    '`max_tokens` must be a whole number from 1 to 10000000',
    'max_tokens',
  ],
  ['too hot', bodyWith({ temperature: 1.1 }), '`temperature` must be a number from 0 to 1', 'temperature'],
  ['stops that are text', bodyWith({ stop_sequences: 'x' }), '`stop_sequences` must be a list', 'stop_sequences'],
  ['a NUL', bodyWith({ system: 'a\u0000' }), '`system` must be text without NUL characters', 'system'],
]

for (const [what, body, message, param] of malformed) {
  test(`${what}: WIRE_MALFORMED names the field and what it has to be`, () => {
    assert.throws(() => decode(body), { name: 'Refusal', code: 'WIRE_MALFORMED', message, param })
  })
}

const unsupported: readonly (readonly [what: string, body: string, message: string, param: string])[] = [
  [
    'a document that is a file',
    withBlock({ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'AAAA' } }),
    'documents do not leave whole: send their text, or put them into a collection',
    'messages[0].content[0]',
  ],
  [
    'something unknown in a result',
    withBlock({ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'tool_reference' }] }),
    'content of type `tool_reference` is not carried, send text or images',
    'messages[0].content[0].content[0]',
  ],
  [
    'a tool of the service itself',
    bodyWith({ tools: [{ type: 'web_search_20260101', name: 'web_search' }] }),
    '`web_search_20260101` runs at the vendor, where nothing of it can be screened: offer a tool of your own',
    'tools[0].type',
  ],
]

for (const [what, body, message, param] of unsupported) {
  test(`${what}: WIRE_UNSUPPORTED says so instead of leaving it out`, () => {
    assert.throws(() => decode(body), { name: 'Refusal', code: 'WIRE_UNSUPPORTED', message, param })
  })
}

const misplaced: readonly (readonly [what: string, body: string])[] = [
  ['a call of a user', withBlock({ type: 'tool_use', id: 'a', name: 'f', input: {} })],
  ['a result of the assistant', withBlock({ type: 'tool_result', tool_use_id: 'a' }, 'assistant')],
  ['a call in the system prompt', bodyWith({ system: [{ type: 'tool_use', id: 'a', name: 'f', input: {} }] })],
]

for (const [what, body] of misplaced) {
  test(`${what} is refused`, () => {
    assert.throws(() => decode(body), { name: 'Refusal', code: 'WIRE_MALFORMED' })
  })
}

test('arbitrary JSON and arbitrary text throw nothing but refusals', () => {
  const block = fc.record(
    {
      type: fc.constantFrom('text', 'tool_use', 'tool_result', 'x'),
      text: fc.jsonValue(),
      input: fc.jsonValue(),
      content: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  const message = fc.record(
    { role: fc.constantFrom('user', 'assistant', 7), content: fc.oneof(fc.array(block), fc.jsonValue()) },
    { requiredKeys: [] },
  )
  const request = fc.record(
    {
      model: fc.oneof(fc.string(), fc.jsonValue()),
      system: fc.jsonValue(),
      messages: fc.oneof(fc.array(message), fc.jsonValue()),
      tools: fc.jsonValue(),
      max_tokens: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  const body = fc.oneof(
    request.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(body, (text) => {
      try {
        decode(text)
      } catch (error) {
        assert.ok(error instanceof Refusal && error.code.startsWith('WIRE_'), String(error))
      }
    }),
    { numRuns: 500 },
  )
})

test('documents and search results that are text already are texts of the prompt, with what is said about them', () => {
  const { messages } = decode(
    bodyWith({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'document', title: 'Lease', source: { type: 'text', media_type: 'text/plain', data: 'Rent: 5' } },
            { type: 'document', source: { type: 'content', content: [{ type: 'text', text: 'a' }] } },
            { type: 'search_result', title: 'T', source: 'https://a', content: [{ type: 'text', text: 'b' }] },
          ],
        },
      ],
    }),
  )
  assert.deepEqual(
    messages[0]?.parts.map((part) => part.type === 'text' && part.text),
    [
      '<document>\nLease\nRent: 5\n</document>',
      '<document>\na\n</document>',
      '<search_result>\nT\nhttps://a\nb\n</search_result>',
    ],
  )
})
