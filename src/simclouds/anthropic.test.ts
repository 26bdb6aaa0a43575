import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, sendJson, textAt, withClouds, type Answered } from './client.suite.ts'
import type { SimClouds } from './start.ts'

const HELLO = { model: 'claude-sonnet-4-5', max_tokens: 100, messages: [{ role: 'user', content: 'hello there' }] }
const TOOL = {
  name: 'send_email',
  input_schema: { type: 'object', properties: { email: { type: 'string' } } },
}
const THINKING = { thinking: { type: 'enabled', budget_tokens: 1024 }, max_tokens: 2000 }

function messages(clouds: SimClouds, body: unknown, headers: Readonly<Record<string, string>> = {}, path = '') {
  const key = clouds.settings.anthropic.apiKey
  return sendJson(`${clouds.urls.anthropic}/v1/messages${path}`, body, {
    'x-api-key': key,
    'anthropic-version': '2023-06-01',
    ...headers,
  })
}

function eventsOf({ text }: Answered): readonly { readonly name: string; readonly data: unknown }[] {
  return [...text.matchAll(/event: (.+)\ndata: (.+)\n\n/g)].map(([, name = '', data = '']) => ({
    name,
    data: JSON.parse(data) as unknown,
  }))
}

test('a message has text, usage and a stop reason', () =>
  withClouds({}, async (clouds) => {
    const answered = await messages(clouds, HELLO)
    assert.equal(answered.status, 200)
    assert.deepEqual(at(answered.text, 'content'), [{ type: 'text', text: 'You said: hello there' }])
    assert.equal(at(answered.text, 'stop_reason'), 'end_turn')
    assert.equal(at(answered.text, 'usage', 'output_tokens'), 6)
    const stopped = await messages(clouds, { ...HELLO, stop_sequences: ['there'] })
    assert.deepEqual([at(stopped.text, 'stop_reason'), at(stopped.text, 'stop_sequence')], ['stop_sequence', 'there'])
    assert.equal(at((await messages(clouds, { ...HELLO, max_tokens: 1 })).text, 'stop_reason'), 'max_tokens')
  }))

test('a stream has its events in order, with thoughts and their proof before the text', () =>
  withClouds({}, async (clouds) => {
    const events = eventsOf(await messages(clouds, { ...HELLO, ...THINKING, stream: true }))
    const names = events.map(({ name }) => name).filter((name, index, all) => name !== all[index - 1])
    assert.deepEqual(names, [
      'message_start',
      'ping',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    assert.deepEqual(
      events.slice(3, 5).map(({ data }) => textAt(data, 'delta', 'type')),
      ['thinking_delta', 'signature_delta'],
    )
    assert.equal(events.map(({ data }) => textAt(data, 'delta', 'text')).join(''), 'You said: hello there')
  }))

test('a call streams its arguments in pieces', () =>
  withClouds({}, async (clouds) => {
    const content = 'write to <EMAIL_ADDRESS_4821>'
    const ask = { ...HELLO, messages: [{ role: 'user', content }], tools: [TOOL], tool_choice: { type: 'any' } }
    const events = eventsOf(await messages(clouds, { ...ask, stream: true }))
    const pieces = events.map(({ data }) => textAt(data, 'delta', 'partial_json'))
    assert.equal(pieces.join(''), '{"email":"<EMAIL_ADDRESS_4821>"}')
    assert.ok(pieces.filter((piece) => piece !== '').length > 3)
    assert.equal(at(events.at(-2)?.data, 'delta', 'stop_reason'), 'tool_use')
  }))

test('thoughts are taken back with their proof only, sealed ones too', () =>
  withClouds({}, async (clouds) => {
    for (const words of ['hello', 'ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING']) {
      const question = { role: 'user', content: words }
      const first = await messages(clouds, { ...HELLO, ...THINKING, messages: [question] })
      const content = at(first.text, 'content')
      const next = (given: unknown) =>
        messages(clouds, {
          ...HELLO,
          messages: [question, { role: 'assistant', content: given }, { role: 'user', content: 'more' }],
        })
      assert.equal((await next(content)).status, 200)
      const changed = JSON.parse(JSON.stringify(content).replace(/"(thinking|data)":"(.)/, '"$1":"x$2')) as unknown
      const refused = await next(changed)
      assert.equal(refused.status, 400)
      assert.match(textAt(refused.text, 'error', 'message'), /messages\.1\.content\.0: Invalid `(signature|data)`/)
    }
  }))

const user = (...content: unknown[]) => ({ role: 'user', content })
const assistant = (...content: unknown[]) => ({ role: 'assistant', content })
const text = (value: string) => ({ type: 'text', text: value })
const use = (id: string) => ({ type: 'tool_use', id, name: 'send_email', input: {} })
const result = (id: string) => ({ type: 'tool_result', tool_use_id: id, content: 'done' })
const tools = [TOOL]

const invalid: readonly (readonly [why: string, changes: object, message: RegExp])[] = [
  ['no bound', { max_tokens: undefined }, /^max_tokens: /],
  ['an unknown field', { n: 2 }, /^n: Extra inputs are not permitted/],
  ['assistant first', { messages: [assistant(text('a'))] }, /first message must use the "user" role/],
  ['two users in a row', { messages: [user(text('a')), user(text('b'))] }, /roles must alternate/],
  ['empty text', { messages: [user(text(''))] }, /messages\.0\.content\.0: text content blocks must be non-empty/],
  ['blank text', { messages: [user(text(' '))] }, /non-whitespace/],
  ['no content', { messages: [user()] }, /non-empty content/],
  ['a result nobody asked for', { messages: [user(result('1'))], tools }, /unexpected `tool_use_id`/],
  [
    'a call without result',
    { messages: [user(text('a')), assistant(use('1')), user(text('b'))], tools },
    /without `tool_result` blocks immediately after: 1/,
  ],
  [
    'one id twice',
    {
      messages: [user(text('a')), assistant(use('1')), user(result('1')), assistant(use('1')), user(result('1'))],
      tools,
    },
    /ids must be unique/,
  ],
  [
    'text before a result',
    { messages: [user(text('a')), assistant(use('1')), user(text('b'), result('1'))], tools },
    /must come first/,
  ],
  ['an id with a dot', { messages: [user(text('a')), assistant(use('a.1')), user(result('a.1'))], tools }, /id/],
  ['calls without tools', { messages: [user(text('a')), assistant(use('1')), user(result('1'))] }, /must define tools/],
  ['white space at the end', { messages: [user(text('a')), assistant(text('b '))] }, /trailing whitespace/],
  [
    'five cache marks',
    { system: Array.from({ length: 5 }, () => ({ ...text('a'), cache_control: { type: 'ephemeral' } })) },
    /maximum of 4/,
  ],
  ['temperature 2', { temperature: 2 }, /^temperature: /],
  [
    'a proof that is none',
    { messages: [user(text('a')), assistant({ type: 'thinking', thinking: 'a', signature: 'b' }), user(text('c'))] },
    /Invalid `signature`/,
  ],
  [
    'thinking beyond the bound',
    { thinking: { type: 'enabled', budget_tokens: 1024 } },
    /greater than `thinking\.budget_tokens`/,
  ],
  ['thinking with a forced tool', { ...THINKING, tools, tool_choice: { type: 'any' } }, /forces tool use/],
  [
    'thinking in a turn without thoughts',
    { ...THINKING, tools, messages: [user(text('a')), assistant(use('1')), user(result('1'))] },
    /Expected `thinking` or `redacted_thinking`, but found `tool_use`/,
  ],
]

test('what the service would refuse is refused in its words', () =>
  withClouds({}, async (clouds) => {
    for (const [why, changes, message] of invalid) {
      const answered = await messages(clouds, { ...HELLO, ...changes })
      assert.equal(answered.status, 400, why)
      assert.equal(at(answered.text, 'error', 'type'), 'invalid_request_error', why)
      assert.match(textAt(answered.text, 'error', 'message'), message, why)
    }
  }))

test('keys, versions, flags and models that are not known are refused', () =>
  withClouds({ anthropic: { models: ['claude-sonnet-4-5'] } }, async (clouds) => {
    assert.equal((await messages(clouds, HELLO, { 'x-api-key': 'no' })).status, 401)
    assert.equal((await messages(clouds, HELLO, { 'anthropic-version': 'no' })).status, 400)
    assert.equal((await messages(clouds, HELLO, { 'anthropic-beta': 'context-1m-2025-08-07' })).status, 200)
    const flag = await messages(clouds, HELLO, { 'anthropic-beta': 'made-up' })
    assert.match(textAt(flag.text, 'error', 'message'), /Unexpected value\(s\) `made-up`/)
    const model = await messages(clouds, { ...HELLO, model: 'claude-9' })
    assert.deepEqual([model.status, at(model.text, 'error', 'type')], [404, 'not_found_error'])
    const { max_tokens: _bound, ...prompt } = HELLO
    assert.deepEqual(JSON.parse((await messages(clouds, prompt, {}, '/count_tokens')).text), { input_tokens: 3 })
  }))

test('faults speak as Anthropic does', () =>
  withClouds({}, async ({ ...clouds }) => {
    clouds.faults.set({ service: 'anthropic', kind: 'throttle', count: 1 })
    const throttled = await messages(clouds, HELLO)
    assert.deepEqual(
      [throttled.status, throttled.headers['retry-after'], at(throttled.text, 'error', 'type')],
      [429, '1', 'rate_limit_error'],
    )
    clouds.faults.set({ service: 'anthropic', kind: 'error', status: 529, count: 1 })
    assert.equal(at((await messages(clouds, HELLO)).text, 'error', 'type'), 'overloaded_error')
    clouds.faults.set({ service: 'anthropic', kind: 'error-in-stream', status: 529, count: 1 })
    const events = eventsOf(await messages(clouds, { ...HELLO, stream: true }))
    assert.deepEqual(events.at(-1)?.data, {
      type: 'error',
      error: { type: 'overloaded_error', message: 'simulated fault' },
    })
  }))
