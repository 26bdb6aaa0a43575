import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask, Message, Part } from '#contract/ask.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import { testAsk } from '#infer/test-asks.ts'
import { encode } from './encode.ts'

const TARGET = { endpoint: 'http://127.0.0.1:1', model: 'arn:aws:bedrock:us-east-1::p/a-v1:0' } as Target

const ASK: Ask = testAsk({ rest: { response_format: { type: 'json_object' } } })

function encoded(changes: Partial<Ask>) {
  const { url, headers, body } = encode({ ask: { ...ASK, ...changes } } as Screened, TARGET)
  return { url, headers, body: JSON.parse(body) as Readonly<Record<string, unknown>> }
}

function say(role: Message['role'], ...parts: readonly (string | Part)[]): Message {
  return { role, parts: parts.map((part) => (typeof part === 'string' ? { type: 'text', text: part } : part)) }
}

const CALL: Part = { type: 'tool-call', id: 'c1', name: 'find', arguments: '{"a":1}' }
const RESULT: Part = { type: 'tool-result', id: 'c1', text: 'found', isError: false }
const TOOL = { name: 'find', description: 'finds', parameters: { type: 'object' } }
const SPEC = { toolSpec: { name: 'find', description: 'finds', inputSchema: { json: { type: 'object' } } } }

test('the model id is one segment of the path, and fields of the other dialect stay behind', () => {
  assert.deepEqual(encoded({}), {
    url: 'http://127.0.0.1:1/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Ap%2Fa-v1%3A0/converse',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: { messages: [{ role: 'user', content: [{ text: 'hi' }] }] },
  })
})

test('a stream has an operation and a content type of its own', () => {
  const { url, headers } = encoded({ stream: true })
  assert.ok(url.endsWith('/converse-stream'))
  assert.equal(headers['accept'], 'application/vnd.amazon.eventstream')
})

const rows: readonly (readonly [what: string, ask: Partial<Ask>, body: object])[] = [
  [
    'leading system messages become the system prompt, later ones stay where they are',
    {
      messages: [say('system', 'a'), say('system', 'b'), say('user', 'hi'), say('system', 'c'), say('assistant', 'd')],
    },
    {
      system: [{ text: 'a' }, { text: 'b' }],
      messages: [
        { role: 'user', content: [{ text: 'hi' }, { text: '<system-reminder>\nc\n</system-reminder>' }] },
        { role: 'assistant', content: [{ text: 'd' }] },
      ],
    },
  ],
  [
    'roles alternate: messages of one side are joined',
    { messages: [say('user', 'a'), say('user', 'b'), say('assistant', 'c'), say('assistant', 'd')] },
    {
      messages: [
        { role: 'user', content: [{ text: 'a' }, { text: 'b' }] },
        { role: 'assistant', content: [{ text: 'c' }, { text: 'd' }] },
      ],
    },
  ],
  [
    'a conversation that begins with the assistant gets a beginning',
    { messages: [say('assistant', 'a')] },
    {
      messages: [
        { role: 'user', content: [{ text: '(the conversation begins with the assistant)' }] },
        { role: 'assistant', content: [{ text: 'a' }] },
      ],
    },
  ],
  [
    'blank text is left out',
    { messages: [say('user', ' \n', 'a', ''), say('assistant', ''), say('user', 'b')] },
    { messages: [{ role: 'user', content: [{ text: 'a' }, { text: 'b' }] }] },
  ],
  [
    'calls and results are carried, and results stand before the text of their turn',
    { messages: [say('user', 'a'), say('assistant', 'well', CALL), say('tool', RESULT), say('user', 'and?')] },
    {
      messages: [
        { role: 'user', content: [{ text: 'a' }] },
        {
          role: 'assistant',
          content: [{ text: 'well' }, { toolUse: { toolUseId: 'c1', name: 'find', input: { a: 1 } } }],
        },
        {
          role: 'user',
          content: [
            { toolResult: { toolUseId: 'c1', content: [{ text: 'found' }], status: 'success' } },
            { text: 'and?' },
          ],
        },
      ],
      toolConfig: { tools: [{ toolSpec: { name: 'find', inputSchema: { json: { type: 'object' } } } }] },
    },
  ],
  [
    'a result that is empty or an error says so',
    { messages: [say('tool', { ...RESULT, text: '', isError: true })] },
    { messages: [{ role: 'user', content: [{ toolResult: { toolUseId: 'c1', content: [], status: 'error' } }] }] },
  ],
  [
    'arguments that are no object are carried under a name that says so',
    {
      messages: [
        say('user', 'a'),
        say('assistant', { ...CALL, arguments: '[1' }, { ...CALL, id: 'c2', arguments: ' ' }),
      ],
    },
    {
      messages: [
        { role: 'user', content: [{ text: 'a' }] },
        {
          role: 'assistant',
          content: [
            { toolUse: { toolUseId: 'c1', name: 'find', input: { rawInvalidInput: '[1' } } },
            { toolUse: { toolUseId: 'c2', name: 'find', input: {} } },
          ],
        },
      ],
      toolConfig: { tools: [{ toolSpec: { name: 'find', inputSchema: { json: { type: 'object' } } } }] },
    },
  ],
  [
    'sampling is carried within the range of the service',
    { sampling: { maxTokens: 5, temperature: 1.7, topP: 1, stop: ['a', ''], seed: 3 } },
    {
      messages: [{ role: 'user', content: [{ text: 'hi' }] }],
      inferenceConfig: { maxTokens: 5, temperature: 1, topP: 1, stopSequences: ['a'] },
    },
  ],
  [
    'tools are carried, with the choice of one',
    { tools: [TOOL], toolChoice: { name: 'find' } },
    {
      messages: [{ role: 'user', content: [{ text: 'hi' }] }],
      toolConfig: { tools: [SPEC], toolChoice: { tool: { name: 'find' } } },
    },
  ],
  [
    'a choice of any tool is carried',
    { tools: [{ ...TOOL, description: '' }], toolChoice: 'required' },
    {
      messages: [{ role: 'user', content: [{ text: 'hi' }] }],
      toolConfig: {
        tools: [{ toolSpec: { name: 'find', inputSchema: { json: { type: 'object' } } } }],
        toolChoice: { any: {} },
      },
    },
  ],
]

for (const [what, ask, body] of rows) {
  test(what, () => {
    assert.deepEqual(encoded(ask).body, body)
  })
}

test('a caller who wants no tool called gets none called', () => {
  assert.equal(encoded({ tools: [TOOL], toolChoice: 'none' }).body['toolConfig'], undefined)
})

test('ids that the service refuses, or has seen in an earlier turn, are replaced in call and result alike', () => {
  const long = 'x'.repeat(65)
  const call = (id: string): Part => ({ type: 'tool-call', id, name: 'find', arguments: '{}' })
  const result = (id: string): Part => ({ type: 'tool-result', id, text: 'found', isError: false })
  const turn = (id: string) => [say('assistant', call(id)), say('tool', result(id))]
  const { body } = encoded({ messages: [say('user', 'hi'), ...turn(long), ...turn('c1'), ...turn('c1')] })
  const ids = [...JSON.stringify(body).matchAll(/"toolUseId":"([^"]+)"/g)].map(([, id = '']) => id)
  assert.match(ids[0] ?? '', /^tp_[0-9a-f]{32}$/)
  assert.deepEqual(ids.slice(1), [ids[0], 'c1', 'c1', 'c1-2', 'c1-2'])
})
