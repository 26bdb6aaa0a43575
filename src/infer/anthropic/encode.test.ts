import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask, Message, Part } from '#contract/ask.ts'
import { testScreened, testTarget } from '#infer/test-asks.ts'
import { asList, asRecord } from '#kit/json.ts'
import { DEFAULT_MAX_TOKENS } from './encode.ts'
import { anthropic } from './provider.ts'

const TARGET = testTarget({ name: 'claude', provider: 'anthropic', model: 'claude-sonnet-4-5' })

function encoded(changes: Partial<Ask>, model = TARGET.model) {
  const { url, headers, body, dropped } = anthropic.encode(testScreened(changes), { ...TARGET, model })
  return { url, headers, dropped, body: JSON.parse(body) as Readonly<Record<string, unknown>> }
}

function say(role: Message['role'], ...parts: readonly (string | Part)[]): Message {
  return { role, parts: parts.map((part) => (typeof part === 'string' ? { type: 'text', text: part } : part)) }
}

const USER = { role: 'user', content: [{ type: 'text', text: 'hi' }] }
const TOOL = { name: 'find', description: 'finds', parameters: { type: 'object' } }
const SPEC = { name: 'find', description: 'finds', input_schema: { type: 'object' } }
const call = (id: string): Part => ({ type: 'tool-call', id, name: 'find', arguments: '{}' })
const result = (id: string): Part => ({ type: 'tool-result', id, text: 'found', isError: false })
const OWN = { dialect: 'anthropic-messages' } as const

test('the smallest request has its version, its path and a bound of its own', () => {
  assert.deepEqual(encoded({}), {
    url: 'http://127.0.0.1:1/v1/messages',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      'anthropic-version': '2023-06-01',
    },
    dropped: [],
    body: { model: 'claude-sonnet-4-5', messages: [USER], max_tokens: DEFAULT_MAX_TOKENS },
  })
})

test('counting tokens has a path of its own and no field of an answer', () => {
  const { url, body } = encoded({
    operation: 'count-tokens',
    tools: [TOOL],
    sampling: { maxTokens: 5, temperature: 1 },
  })
  assert.equal(url, 'http://127.0.0.1:1/v1/messages/count_tokens')
  assert.deepEqual(body, { model: 'claude-sonnet-4-5', messages: [USER], tools: [SPEC] })
})

const rows: readonly (readonly [what: string, ask: Partial<Ask>, fields: object])[] = [
  [
    'temperature from 0 to 2 is held to 1',
    { sampling: { temperature: 1.6, topP: 0.5, topK: 3, stop: ['', 'x'] }, stream: true },
    { temperature: 1, top_p: 0.5, top_k: 3, stop_sequences: ['x'], stream: true },
  ],
  ['a forced tool', { tools: [TOOL], toolChoice: { name: 'find' } }, { tool_choice: { type: 'tool', name: 'find' } }],
  ['any tool', { tools: [TOOL], toolChoice: 'required' }, { tool_choice: { type: 'any' } }],
  [
    'one call at a time, without a choice',
    { tools: [TOOL], parallelTools: false },
    { tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
  ],
  [
    'no call now, and the tools stay for the cache',
    { tools: [TOOL], toolChoice: 'none', parallelTools: false },
    { tools: [SPEC], tool_choice: { type: 'none' } },
  ],
  [
    'tools that only the history knows',
    { messages: [say('user', 'a'), say('assistant', call('1')), say('tool', result('1'))] },
    { tools: [{ name: 'find', input_schema: { type: 'object' } }], tool_choice: { type: 'none' } },
  ],
  [
    'thinking by effort has room beside the bound of ours',
    { reasoning: { effort: 'medium' } },
    { thinking: { type: 'enabled', budget_tokens: 8192 }, max_tokens: DEFAULT_MAX_TOKENS + 8192 },
  ],
  [
    'thinking stays below the bound of the caller, and takes no temperature',
    { reasoning: { budget: 9000 }, sampling: { maxTokens: 2000, temperature: 0.5 } },
    { thinking: { type: 'enabled', budget_tokens: 1999 }, temperature: undefined },
  ],
  [
    'thoughts that the caller does not want to see',
    { reasoning: { budget: 2000, hidden: true } },
    { thinking: { type: 'enabled', budget_tokens: 2000, display: 'omitted' } },
  ],
  [
    'what the caller put beside the effort stays',
    { ...OWN, rest: { output_config: { task_budget: 5 }, metadata: { user_id: 'u' } } },
    { output_config: { task_budget: 5 }, metadata: { user_id: 'u' } },
  ],
  [
    'a system message in the middle stays where it is',
    { messages: [say('system', 'a'), say('user', 'hi'), say('system', 'b')] },
    {
      system: [{ type: 'text', text: 'a' }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'hi' },
            { type: 'text', text: '<system-reminder>\nb\n</system-reminder>' },
          ],
        },
      ],
    },
  ],
  [
    'results come before text that was said before them',
    {
      messages: [say('user', 'a'), say('assistant', call('1')), say('user', 'b'), say('tool', result('1'))],
      tools: [TOOL],
    },
    {
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'a' }] },
        { role: 'assistant', content: [{ type: 'tool_use', id: '1', name: 'find', input: {} }] },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: '1', content: [{ type: 'text', text: 'found' }] },
            { type: 'text', text: 'b' },
          ],
        },
      ],
    },
  ],
  [
    'a result that failed and says nothing',
    {
      messages: [
        say('user', 'a'),
        say('assistant', call('1')),
        say('tool', { type: 'tool-result', id: '1', text: '', isError: true }),
      ],
      tools: [TOOL],
    },
    {
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'a' }] },
        { role: 'assistant', content: [{ type: 'tool_use', id: '1', name: 'find', input: {} }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: '1', is_error: true }] },
      ],
    },
  ],
  [
    'a history that begins with the assistant, and ends in white space',
    { messages: [say('assistant', 'well \n')] },
    {
      messages: [
        { role: 'user', content: [{ type: 'text', text: '(the conversation begins with the assistant)' }] },
        { role: 'assistant', content: [{ type: 'text', text: 'well' }] },
      ],
    },
  ],
]

for (const [what, ask, fields] of rows) {
  test(`a request with ${what}`, () => {
    const { body } = encoded(ask)
    for (const [name, value] of Object.entries(fields)) assert.deepEqual(body[name], value, name)
  })
}

test('ids that the service refuses are put in letters that it takes, the same in call and result', () => {
  const messages = [
    say('user', 'a'),
    say('assistant', call('a.b:1'), call('ok_1')),
    say('tool', result('a.b:1'), result('ok_1')),
    say('assistant', call('ok_1')),
    say('tool', result('ok_1')),
  ]
  const blocks = asList(encoded({ messages, tools: [TOOL] }).body['messages']).flatMap((message) =>
    asList(asRecord(message)?.['content']).map(asRecord),
  )
  const ids = blocks.flatMap((block) => block?.['id'] ?? [])
  assert.match(JSON.stringify(ids[0]), /^"tp_[0-9a-f]{32}"$/)
  assert.deepEqual(ids.slice(1), ['ok_1', 'ok_1-2'])
  assert.deepEqual(
    blocks.flatMap((block) => block?.['tool_use_id'] ?? []),
    ids,
  )
})

test('of more than four cache marks the last four stay, and the loss is named', () => {
  const marked = (text: string): Part => ({ type: 'text', text, cache: '5m' })
  const messages = [say('system', marked('s')), say('user', marked('a'), marked('b'), { ...marked('c'), cache: '1h' })]
  const { body, dropped } = encoded({ messages, tools: [{ ...TOOL, cache: '5m' }] })
  assert.deepEqual(dropped, ['cache_control'])
  assert.deepEqual(body['tools'], [SPEC])
  assert.deepEqual(body['system'], [{ type: 'text', text: 's', cache_control: { type: 'ephemeral' } }])
  assert.equal(JSON.stringify(body).match(/"cache_control"/g)?.length, 4)
  assert.match(JSON.stringify(body), /"text":"c","cache_control":\{"type":"ephemeral","ttl":"1h"\}/)
  assert.deepEqual(encoded({ messages }).dropped, [])
  const whole = encoded({ ...OWN, messages, rest: { cache_control: { type: 'ephemeral' } } })
  assert.deepEqual(whole.dropped, ['cache_control'])
})

test('flags of features go on, flags of clients and unknown ones are named', () => {
  const betas = ['context-1m-2025-08-07', 'oauth-2025-04-20', 'Nonsense\r\nx: y', 'context-1m-2025-08-07']
  const { headers, dropped } = encoded({ ...OWN, betas })
  assert.equal(headers['anthropic-beta'], 'context-1m-2025-08-07')
  assert.deepEqual(dropped, ['anthropic-beta:oauth-2025-04-20', 'anthropic-beta'])
})

test('unknown fields go on from the same format only', () => {
  const fields = {
    messages: [{ ...say('user', { type: 'text', text: 'hi', rest: { citations: { enabled: true } } }) }],
    tools: [{ ...TOOL, rest: { defer_loading: true } }],
    rest: { service_tier: 'auto' },
  }
  const own = encoded({ ...OWN, ...fields })
  assert.deepEqual(own.body['tools'], [{ defer_loading: true, ...SPEC }])
  assert.equal(own.body['service_tier'], 'auto')
  assert.match(JSON.stringify(own.body), /citations/)
  const other = encoded(fields)
  assert.doesNotMatch(JSON.stringify(other.body), /defer_loading|service_tier|citations/)
  assert.deepEqual(other.dropped, ['service_tier'])
})

test('newer models think adaptively and take no sampling, which is named', () => {
  const ask: Partial<Ask> = { reasoning: { effort: 'minimal', budget: 4000 }, sampling: { temperature: 0.2, topK: 4 } }
  const { body, dropped } = encoded(ask, 'claude-opus-4-7')
  assert.deepEqual([body['thinking'], body['output_config']], [{ type: 'adaptive' }, { effort: 'low' }])
  assert.deepEqual([body['temperature'], body['top_k'], dropped], [undefined, undefined, ['temperature', 'top_k']])
})

test('Claude does not think when a tool is forced or thoughts are missing, and the caller is told', () => {
  const reasoning = { budget: 2000 }
  const forced = encoded({ ...OWN, reasoning, tools: [TOOL], toolChoice: 'required' })
  assert.deepEqual([forced.body['thinking'], forced.dropped], [undefined, ['thinking']])
  const messages = [say('user', 'a'), say('assistant', call('1')), say('tool', result('1'))]
  assert.deepEqual(encoded({ reasoning, messages, tools: [TOOL] }).dropped, ['reasoning_effort'])
  const thought: Part = { type: 'reasoning', text: 'hm', signature: 'c2ln', data: '', family: 'anthropic' }
  const whole = [say('user', 'a'), say('assistant', thought, call('1')), say('tool', result('1'))]
  assert.deepEqual(encoded({ reasoning, messages: whole, tools: [TOOL] }).body['thinking'], {
    type: 'enabled',
    budget_tokens: 2000,
  })
})

test('thoughts between calls stay between them, to the byte', () => {
  const thought = (text: string): Part => ({
    type: 'reasoning',
    text,
    signature: 'c2ln',
    data: '',
    family: 'anthropic',
  })
  const messages = [
    say('user', 'a'),
    say('assistant', thought(' a\n'), 'x', thought('b'), call('1')),
    say('tool', result('1')),
  ]
  const said = asList(encoded({ messages, tools: [TOOL] }).body['messages'])[1]
  assert.deepEqual(asRecord(said)?.['content'], [
    { type: 'thinking', thinking: ' a\n', signature: 'c2ln' },
    { type: 'text', text: 'x' },
    { type: 'thinking', thinking: 'b', signature: 'c2ln' },
    { type: 'tool_use', id: '1', name: 'find', input: {} },
  ])
})

const refused: readonly (readonly [what: string, ask: Partial<Ask>, message: RegExp])[] = [
  ['JSON of any shape', { format: { type: 'json' } }, /`claude` does not support `response_format`/],
  ['two answers', { sampling: { n: 2 } }, /`n`/],
  ['log-probabilities', { logprobs: 0 }, /`logprobs`/],
  ['vectors', { operation: 'embed' }, /`input`/],
  ['nothing but white space', { messages: [say('user', ' ')] }, /`messages`/],
  [
    'a picture of another kind',
    { messages: [say('user', { type: 'image', source: { kind: 'data', mediaType: 'image/tiff', base64: '' } })] },
    /`image`/,
  ],
]

for (const [what, ask, message] of refused) {
  test(`${what} is refused before it is sent`, () => {
    assert.throws(() => encoded(ask), { name: 'Refusal', code: 'INFER_UNSUPPORTED', message })
  })
}
