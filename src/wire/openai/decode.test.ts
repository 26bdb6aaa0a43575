import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '#contract/refusal.ts'
import { decode } from './decode.ts'

const USER = { role: 'user', content: 'hi' }

function bodyWith(changes: object): string {
  return JSON.stringify({ model: 'chat', messages: [USER], ...changes })
}

function withMessage(message: unknown): string {
  return bodyWith({ messages: [USER, message] })
}

function withTool(tool: unknown): string {
  return bodyWith({ tools: [tool] })
}

test('a whole request is read, and what it does not know is kept for a target of the same dialect', () => {
  const tool = { name: 'find', description: 'finds', parameters: { type: 'object' }, strict: true }
  const ask = decode(
    JSON.stringify({
      model: 'chat',
      stream: true,
      stream_options: { include_usage: true },
      messages: [
        { role: 'developer', content: [{ type: 'text', text: 'be brief' }] },
        { role: 'user', content: 'hi', name: 'ada' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'find', arguments: '{"a":1}' } }],
        },
        {
          role: 'tool',
          tool_call_id: 'c1',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
      ],
      tools: [{ type: 'function', function: tool }],
      tool_choice: { type: 'function', function: { name: 'find' } },
      max_tokens: 5,
      max_completion_tokens: 7,
      temperature: 0,
      top_p: 1,
      stop: 'END',
      seed: -3,
      n: 1,
      response_format: { type: 'json_object' },
      metadata: { a: 'b' },
      thinplane: { ground: { collections: ['docs'], topK: 3 }, conversation: 'c-1', purpose: 'support' },
    }),
  )
  assert.deepEqual(ask, {
    dialect: 'openai-chat',
    alias: 'chat',
    stream: true,
    messages: [
      { role: 'system', parts: [{ type: 'text', text: 'be brief' }] },
      { role: 'user', parts: [{ type: 'text', text: 'hi' }], rest: { name: 'ada' } },
      { role: 'assistant', parts: [{ type: 'tool-call', id: 'c1', name: 'find', arguments: '{"a":1}' }] },
      { role: 'tool', parts: [{ type: 'tool-result', id: 'c1', text: 'ab', isError: false }] },
    ],
    tools: [{ name: 'find', description: 'finds', parameters: { type: 'object' }, strict: true }],
    toolChoice: { name: 'find' },
    sampling: { maxTokens: 7, temperature: 0, topP: 1, seed: -3, stop: ['END'], n: 1 },
    format: { type: 'json' },
    includeUsage: true,
    ground: { collections: ['docs'], topK: 3, sql: [], items: [] },
    conversation: 'c-1',
    purpose: 'support',
    rest: { metadata: { a: 'b' } },
  })
})

test('fields that clients send as null are as if they were absent', () => {
  const nulls = {
    stream: null,
    tools: null,
    tool_choice: null,
    stop: null,
    seed: null,
    n: null,
    temperature: null,
    stream_options: null,
    thinplane: null,
    max_tokens: null,
  }
  assert.deepEqual(decode(bodyWith(nulls)), decode(bodyWith({})))
})

test('an assistant may have said nothing', () => {
  assert.deepEqual(decode(withMessage({ role: 'assistant' })).messages[1], {
    role: 'assistant',
    parts: [{ type: 'text', text: '' }],
  })
})

const malformed: readonly (readonly [what: string, body: string, message: string, param?: string])[] = [
  ['nothing', '', 'the body is not JSON'],
  ['half of a document', '{"model":', 'the body is not JSON'],
  ['a broken document', '{"model":x}', 'the body is not JSON'],
  ['a forgotten comma', '{"a":1 "b":2}', 'the body is not JSON (it breaks at character 7)'],
  ['a list', '[]', '`body` must be an object', 'body'],
  ['text', '"hi"', '`body` must be an object', 'body'],
  ['too deep a nest', `{"a":${'['.repeat(64)}${']'.repeat(64)}}`, 'the body is nested deeper than 64 levels'],
  ['no model', '{}', '`model` must be text', 'model'],
  ['a model that is a number', bodyWith({ model: 7 }), '`model` must be text', 'model'],
  [
    'half a character',
    bodyWith({ model: '\ud800' }),
    '`model` must be whole characters: it holds half of a surrogate pair',
    'model',
  ],
  ['a NUL', bodyWith({ model: 'a\u0000' }), '`model` must be text without NUL characters', 'model'],
  ['a stream that is text', bodyWith({ stream: 'yes' }), '`stream` must be true or false', 'stream'],
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
  ['a message that is text', withMessage('hi'), '`messages[1]` must be an object', 'messages[1]'],
  [
    'a role that does not exist',
    withMessage({ role: 'constructor' }),
    '`messages[1].role` must be one of system, developer, user, assistant, tool',
    'messages[1].role',
  ],
  ['no role', withMessage({ content: 'x' }), '`messages[1].role` must be text', 'messages[1].role'],
  [
    'no content',
    withMessage({ role: 'user' }),
    '`messages[1].content` must be text or a list of parts',
    'messages[1].content',
  ],
  [
    'content that is a number',
    withMessage({ role: 'user', content: 7 }),
    '`messages[1].content` must be text or a list of parts',
    'messages[1].content',
  ],
  [
    'a part that is text',
    withMessage({ role: 'user', content: ['x'] }),
    '`messages[1].content[0]` must be an object',
    'messages[1].content[0]',
  ],
  [
    'a part without a type',
    withMessage({ role: 'user', content: [{}] }),
    '`messages[1].content[0].type` must be text',
    'messages[1].content[0].type',
  ],
  [
    'a part without text',
    withMessage({ role: 'user', content: [{ type: 'text' }] }),
    '`messages[1].content[0].text` must be text',
    'messages[1].content[0].text',
  ],
  [
    'tool calls of a user',
    withMessage({ role: 'user', content: 'x', tool_calls: [] }),
    '`messages[1].tool_calls` must be absent: only the assistant calls tools',
    'messages[1].tool_calls',
  ],
  [
    'tool calls that are no list',
    withMessage({ role: 'assistant', tool_calls: {} }),
    '`messages[1].tool_calls` must be a list',
    'messages[1].tool_calls',
  ],
  [
    'a tool call without a function',
    withMessage({ role: 'assistant', tool_calls: [{ id: 'a' }] }),
    '`messages[1].tool_calls[0].function` must be an object',
    'messages[1].tool_calls[0].function',
  ],
  [
    'arguments that are an object',
    withMessage({ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: {} } }] }),
    '`messages[1].tool_calls[0].function.arguments` must be text',
    'messages[1].tool_calls[0].function.arguments',
  ],
  [
    'a result of no call',
    withMessage({ role: 'tool', content: 'x' }),
    '`messages[1].tool_call_id` must be text',
    'messages[1].tool_call_id',
  ],
  ['tools that are an object', bodyWith({ tools: {} }), '`tools` must be a list', 'tools'],
  [
    'too many tools',
    bodyWith({ tools: Array(513).fill({}) }),
    '`tools` must be a list of at most 512 tools, it has 513',
    'tools',
  ],
  [
    'a tool without a function',
    withTool({ type: 'function' }),
    '`tools[0].function` must be an object',
    'tools[0].function',
  ],
  [
    'a tool without a name',
    withTool({ type: 'function', function: {} }),
    '`tools[0].function.name` must be text',
    'tools[0].function.name',
  ],
  [
    'parameters that are text',
    withTool({ type: 'function', function: { name: 'f', parameters: 'x' } }),
    '`tools[0].function.parameters` must be an object',
    'tools[0].function.parameters',
  ],
  [
    'a choice that does not exist',
    bodyWith({ tool_choice: 'maybe' }),
    '`tool_choice` must be auto, none, required or an object that names a function',
    'tool_choice',
  ],
  [
    'a choice of nothing',
    bodyWith({ tool_choice: {} }),
    '`tool_choice.function` must be an object',
    'tool_choice.function',
  ],
  [
    'half a token',
    bodyWith({ max_tokens: 0.5 }),
    '`max_tokens` must be a whole number from 1 to 10000000',
    'max_tokens',
  ],
  [
    'no tokens',
    bodyWith({ max_completion_tokens: 0 }),
    '`max_completion_tokens` must be a whole number from 1 to 10000000',
    'max_completion_tokens',
  ],
  ['too hot', bodyWith({ temperature: 2.1 }), '`temperature` must be a number from 0 to 2', 'temperature'],
  [
    'a temperature in words',
    bodyWith({ temperature: 'warm' }),
    '`temperature` must be a number from 0 to 2',
    'temperature',
  ],
  ['more than everything', bodyWith({ top_p: 1.01 }), '`top_p` must be a number from 0 to 1', 'top_p'],
  [
    'a seed that is no whole number',
    bodyWith({ seed: 1.5 }),
    '`seed` must be a whole number from -9007199254740991 to 9007199254740991',
    'seed',
  ],
  ['a stop that is a number', bodyWith({ stop: 7 }), '`stop` must be a list', 'stop'],
  ['a stop among texts that is none', bodyWith({ stop: ['a', 7] }), '`stop[1]` must be text', 'stop[1]'],
  [
    'too many stops',
    bodyWith({ stop: Array(17).fill('a') }),
    '`stop` must be text or a list of at most 16 texts',
    'stop',
  ],
  [
    'stream options that are text',
    bodyWith({ stream_options: 'x' }),
    '`stream_options` must be an object',
    'stream_options',
  ],
  [
    'usage that is text',
    bodyWith({ stream_options: { include_usage: 'x' } }),
    '`stream_options.include_usage` must be true or false',
    'stream_options.include_usage',
  ],
  ['a field of ours that is text', bodyWith({ thinplane: 'x' }), '`thinplane` must be an object', 'thinplane'],
  [
    'grounding on nothing',
    bodyWith({ thinplane: { ground: {} } }),
    '`thinplane.ground.collections` must be a list',
    'thinplane.ground.collections',
  ],
  [
    'grounding on a number',
    bodyWith({ thinplane: { ground: { collections: [7] } } }),
    '`thinplane.ground.collections[0]` must be text',
    'thinplane.ground.collections[0]',
  ],
  [
    'too many passages',
    bodyWith({ thinplane: { ground: { collections: [], topK: 51 } } }),
    '`thinplane.ground.topK` must be a whole number from 1 to 50',
    'thinplane.ground.topK',
  ],
  [
    'a query without a name',
    bodyWith({ thinplane: { ground: { sql: [{ params: {} }] } } }),
    '`thinplane.ground.sql[0].name` must be text',
    'thinplane.ground.sql[0].name',
  ],
  [
    'a key that is text',
    bodyWith({ thinplane: { ground: { items: [{ table: 'boats', key: 'b-1' }] } } }),
    '`thinplane.ground.items[0].key` must be an object',
    'thinplane.ground.items[0].key',
  ],
  [
    'too many queries',
    bodyWith({ thinplane: { ground: { sql: Array.from({ length: 9 }, () => ({ name: 'a' })) } } }),
    '`thinplane.ground.sql` must be a list of at most 8',
    'thinplane.ground.sql',
  ],
  [
    'a purpose that is prose',
    bodyWith({ thinplane: { purpose: 'To help' } }),
    '`thinplane.purpose` must be one word of lower-case letters, digits, `.`, `_` and `-`, at most 64',
    'thinplane.purpose',
  ],
  [
    'a conversation that is a number',
    bodyWith({ thinplane: { conversation: 7 } }),
    '`thinplane.conversation` must be text',
    'thinplane.conversation',
  ],
]

for (const [what, body, message, param] of malformed) {
  test(`${what}: WIRE_MALFORMED names the field and what it has to be`, () => {
    assert.throws(() => decode(body), { name: 'Refusal', code: 'WIRE_MALFORMED', message, param })
  })
}

const unsupported: readonly (readonly [what: string, body: string, message: string, param: string])[] = [
  [
    'a sound',
    withMessage({ role: 'user', content: [{ type: 'input_audio' }] }),
    'content of type `input_audio` is not carried, send text or images',
    'messages[1].content[0]',
  ],
  [
    'a document',
    withMessage({ role: 'user', content: [{ type: 'file' }] }),
    'documents do not leave whole: send their text, or put them into a collection',
    'messages[1].content[0]',
  ],
  ['a tool of another kind', withTool({ type: 'custom' }), '`tools[0].type` must be `function`', 'tools[0].type'],
  [
    'a field of ours that does not exist',
    bodyWith({ thinplane: { grund: {} } }),
    '`thinplane` has no field `grund`, it knows `ground`, `conversation` and `purpose`',
    'thinplane.grund',
  ],
  [
    'SQL of its own',
    bodyWith({ thinplane: { ground: { sql: [{ name: 'a', sql: 'SELECT 1' }] } } }),
    '`thinplane.ground.sql[0]` has no field `sql`, it knows `name` and `params`',
    'thinplane.ground.sql[0].sql',
  ],
  [
    'a field of grounding that does not exist',
    bodyWith({ thinplane: { ground: { top: 1 } } }),
    '`thinplane.ground` has no field `top`, it knows `collections`, `topK`, `sql` and `items`',
    'thinplane.ground.top',
  ],
]

for (const [what, body, message, param] of unsupported) {
  test(`${what}: WIRE_UNSUPPORTED says so instead of leaving it out`, () => {
    assert.throws(() => decode(body), { name: 'Refusal', code: 'WIRE_UNSUPPORTED', message, param })
  })
}

test('queries and items are named among what is asked for', () => {
  const ground = {
    sql: [{ name: 'orders', params: { who: 'x' } }, { name: 'all' }],
    items: [
      { table: 'boats', key: { id: 1 } },
      { table: 'boats', key: { id: 2 } },
    ],
  }
  assert.deepEqual(decode(bodyWith({ thinplane: { ground } })).ground, {
    collections: ['sql:orders', 'sql:all', 'items:boats'],
    topK: undefined,
    sql: [
      { name: 'orders', params: { who: 'x' } },
      { name: 'all', params: {} },
    ],
    items: ground.items,
  })
})

test('depth is counted outside of strings only', () => {
  assert.equal(decode(bodyWith({ model: '[{"\\'.repeat(60) })).alias.length, 240)
})

test('arbitrary JSON and arbitrary text throw nothing but refusals', () => {
  const message = fc.record(
    {
      role: fc.constantFrom('system', 'user', 'assistant', 'tool', 7),
      content: fc.jsonValue(),
      tool_calls: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  const request = fc.record(
    {
      model: fc.oneof(fc.string(), fc.jsonValue()),
      messages: fc.oneof(fc.array(message), fc.jsonValue()),
      tools: fc.jsonValue(),
      stop: fc.jsonValue(),
      thinplane: fc.jsonValue(),
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
