import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventStreamDecoder, EventStreamError, type EventStreamMessage } from '#kit/event-stream.ts'
import { amzDate, signV4 } from '#kit/sigv4.ts'
import { at, send, textAt, withClouds, type Answered } from './client.suite.ts'
import type { SimClouds } from './start.ts'

const HELLO = { messages: [{ role: 'user', content: [{ text: 'hello there' }] }] }
const TOOL = {
  toolSpec: {
    name: 'send_email',
    inputSchema: { json: { type: 'object', properties: { email: { type: 'string' } } } },
  },
}
const NO_ARGUMENTS = { toolSpec: { name: 'ping', inputSchema: { json: { type: 'object', properties: {} } } } }

function converse(clouds: SimClouds, body: unknown, operation = 'converse', model = 'simulated.model-v1%3A0') {
  const url = new URL(`${clouds.urls.bedrock}/model/${model}/${operation}`)
  const text = JSON.stringify(body)
  const { accessKeyId, secretAccessKey, region } = clouds.settings.bedrock
  const headers = { 'content-type': 'application/json' }
  const scope = { service: 'bedrock', region, accessKeyId, secretAccessKey, amzDate: amzDate(Date.now()) }
  const signed = signV4({ method: 'POST', url, headers, body: text }, scope)
  return send(url.href, text, { ...headers, ...signed })
}

function framesOf(answered: Answered): readonly EventStreamMessage[] {
  const decoder = new EventStreamDecoder()
  const frames = answered.pieces.flatMap((piece) => decoder.push(piece))
  assert.equal(decoder.pending, false)
  return frames
}

function payload(frame: EventStreamMessage | undefined): unknown {
  return JSON.parse(Buffer.from(frame?.payload ?? '').toString('utf8'))
}

function namesOf(frames: readonly EventStreamMessage[]): readonly string[] {
  const names = frames.map((frame) => frame.headers[':event-type'] ?? frame.headers[':exception-type'] ?? '')
  return names.filter((name, index) => name !== names[index - 1])
}

function errorType(answered: Answered): string {
  return String(answered.headers['x-amzn-errortype']).split(':')[0] ?? ''
}

test('converse answers with text, usage and a stop reason', () =>
  withClouds({}, async (clouds) => {
    const answered = await converse(clouds, HELLO)
    assert.equal(answered.status, 200)
    assert.equal(at(answered.text, 'output', 'message', 'content', 0, 'text'), 'You said: hello there')
    assert.equal(at(answered.text, 'stopReason'), 'end_turn')
    assert.equal(at(answered.text, 'usage', 'totalTokens'), 9)
  }))

test('a stream has its events in order, padded, metadata last, and no start for text', () =>
  withClouds({}, async (clouds) => {
    const answered = await converse(clouds, HELLO, 'converse-stream')
    const frames = framesOf(answered)
    assert.deepEqual(namesOf(frames), [
      'messageStart',
      'contentBlockDelta',
      'contentBlockStop',
      'messageStop',
      'metadata',
    ])
    assert.equal(frames.map((frame) => textAt(payload(frame), 'delta', 'text')).join(''), 'You said: hello there')
    assert.ok(frames.every((frame) => textAt(payload(frame), 'p').length > 0))
    assert.equal(frames[0]?.headers[':message-type'], 'event')
  }))

test('a tool call streams its start and its arguments in pieces; one without arguments has no pieces', () =>
  withClouds({}, async (clouds) => {
    const messages = [{ role: 'user', content: [{ text: 'write to <EMAIL_ADDRESS_4821>' }] }]
    const toolConfig = { tools: [TOOL, NO_ARGUMENTS], toolChoice: { tool: { name: 'send_email' } } }
    const frames = framesOf(await converse(clouds, { messages, toolConfig }, 'converse-stream'))
    assert.equal(at(payload(frames[1]), 'start', 'toolUse', 'name'), 'send_email')
    const input = frames.map((frame) => textAt(payload(frame), 'delta', 'toolUse', 'input'))
    assert.equal(input.join(''), '{"email":"<EMAIL_ADDRESS_4821>"}')
    assert.ok(input.filter((piece) => piece !== '').length > 3)
    assert.equal(at(payload(frames.at(-2)), 'stopReason'), 'tool_use')
    const ping = { messages, toolConfig: { tools: [NO_ARGUMENTS], toolChoice: { any: {} } } }
    assert.doesNotMatch(namesOf(framesOf(await converse(clouds, ping, 'converse-stream'))).join(), /Delta/)
  }))

test('limits end with max_tokens and stop_sequence', () =>
  withClouds({}, async (clouds) => {
    const cut = await converse(clouds, { ...HELLO, inferenceConfig: { maxTokens: 1 } })
    assert.equal(at(cut.text, 'stopReason'), 'max_tokens')
    const stopped = await converse(clouds, { ...HELLO, inferenceConfig: { stopSequences: ['hello'] } })
    assert.equal(at(stopped.text, 'stopReason'), 'stop_sequence')
    assert.equal(at(stopped.text, 'output', 'message', 'content', 0, 'text'), 'You said: ')
  }))

const user = (...content: unknown[]) => ({ role: 'user', content })
const assistant = (...content: unknown[]) => ({ role: 'assistant', content })
const text = (value: string) => ({ text: value })
const use = (toolUseId: string) => ({ toolUse: { toolUseId, name: 'send_email', input: {} } })
const result = (toolUseId: string) => ({ toolResult: { toolUseId, content: [text('done')] } })
const toolConfig = { tools: [TOOL] }

const invalid: readonly (readonly [why: string, body: unknown, message: RegExp])[] = [
  ['no message', { messages: [] }, /^messages: /],
  ['assistant first', { messages: [assistant(text('a'))] }, /start with a user message/],
  ['two users in a row', { messages: [user(text('a')), user(text('b'))] }, /messages\.1: roles must alternate/],
  ['a system role', { messages: [{ role: 'system', content: [text('a')] }] }, /^messages\.0\.role/],
  ['no content', { messages: [user()] }, /messages\.0\.content is empty/],
  ['blank text', { messages: [user(text(' \n'))] }, /messages\.0\.content\.0: the text is blank/],
  ['blank system text', { ...HELLO, system: [text(' ')] }, /system\.0: the text is blank/],
  ['text as string', { messages: [{ role: 'user', content: 'a' }] }, /^messages\.0\.content/],
  ['two members in a block', { messages: [user({ text: 'a', cachePoint: { type: 'default' } })] }, /exactly one of/],
  ['an image', { messages: [user({ image: {} })] }, /image/],
  ['an unknown member', { ...HELLO, max_tokens: 5 }, /max_tokens/],
  ['maxTokens 0', { ...HELLO, inferenceConfig: { maxTokens: 0 } }, /inferenceConfig\.maxTokens/],
  ['temperature 2', { ...HELLO, inferenceConfig: { temperature: 2 } }, /inferenceConfig\.temperature/],
  ['an empty stop', { ...HELLO, inferenceConfig: { stopSequences: [''] } }, /stopSequences/],
  ['no tools', { ...HELLO, toolConfig: { tools: [] } }, /toolConfig\.tools/],
  [
    'an empty description',
    { ...HELLO, toolConfig: { tools: [{ toolSpec: { ...TOOL.toolSpec, description: '' } }] } },
    /description/,
  ],
  ['a bad tool name', { ...HELLO, toolConfig: { tools: [{ toolSpec: { ...TOOL.toolSpec, name: 'a b' } }] } }, /name/],
  ['a choice of nothing', { ...HELLO, toolConfig: { ...toolConfig, toolChoice: { tool: { name: 'x' } } } }, /names x/],
  [
    'tools without toolConfig',
    { messages: [user(text('a')), assistant(use('1')), user(result('1'))] },
    /toolConfig must be defined/,
  ],
  ['a result nobody asked for', { messages: [user(result('1'))], toolConfig }, /more toolResult blocks/],
  [
    'a result of another call',
    { messages: [user(text('a')), assistant(use('1')), user(result('2'))], toolConfig },
    /no toolUse 2/,
  ],
  [
    'a call without result',
    { messages: [user(text('a')), assistant(use('1')), user(text('b'))], toolConfig },
    /toolUse 1 has no toolResult/,
  ],
  [
    'text after a call',
    { messages: [user(text('a')), assistant(use('1'), text('b')), user(result('1'))], toolConfig },
    /text must come before toolUse/,
  ],
  [
    'text before a result',
    { messages: [user(text('a')), assistant(use('1')), user(text('b'), result('1'))], toolConfig },
    /toolResult blocks must come first/,
  ],
  ['a call by the user', { messages: [user(use('1'))], toolConfig }, /belong into an assistant message/],
  [
    'arguments as text',
    {
      messages: [user(text('a')), assistant({ toolUse: { toolUseId: '1', name: 'send_email', input: '{}' } })],
      toolConfig,
    },
    /input/,
  ],
  ['white space at the end', { messages: [user(text('a')), assistant(text('b '))] }, /must not end in white space/],
]

test('what the service would refuse is refused with ValidationException', () =>
  withClouds({}, async (clouds) => {
    for (const [why, body, message] of invalid) {
      for (const operation of ['converse', 'converse-stream']) {
        const answered = await converse(clouds, body, operation)
        assert.equal(answered.status, 400, why)
        assert.equal(errorType(answered), 'ValidationException', why)
        assert.match(textAt(answered.text, 'message'), message, why)
      }
    }
  }))

test('a conversation with tools in the right order is taken', () =>
  withClouds({}, async (clouds) => {
    const messages = [
      user(text('a')),
      assistant(text('I look.'), use('1'), use('2')),
      user(result('1'), { toolResult: { toolUseId: '2', content: [{ json: { ok: true } }], status: 'error' } }),
    ]
    const answered = await converse(clouds, { messages, toolConfig, system: [text('be nice')] })
    assert.equal(at(answered.text, 'output', 'message', 'content', 0, 'text'), 'The tool answered: done{"ok":true}')
  }))

test('models, keys and operations that do not exist are refused', () =>
  withClouds({ bedrock: { models: ['only.this'], apiKey: 'key' } }, async (clouds) => {
    const missing = await converse(clouds, HELLO)
    assert.deepEqual([missing.status, errorType(missing)], [404, 'ResourceNotFoundException'])
    assert.equal((await converse(clouds, HELLO, 'converse', 'only.this')).status, 200)
    const operation = await converse(clouds, HELLO, 'invent', 'only.this')
    assert.deepEqual([operation.status, errorType(operation)], [404, 'UnknownOperationException'])
    const url = `${clouds.urls.bedrock}/model/only.this/converse`
    const unsigned = await send(url, JSON.stringify(HELLO))
    assert.deepEqual([unsigned.status, errorType(unsigned)], [403, 'MissingAuthenticationTokenException'])
    assert.equal((await send(url, JSON.stringify(HELLO), { authorization: 'Bearer key' })).status, 200)
    const other = await send(url, JSON.stringify(HELLO), { authorization: 'Bearer other' })
    assert.deepEqual([other.status, errorType(other)], [403, 'AccessDeniedException'])
  }))

test('faults speak as AWS does', () =>
  withClouds({}, async (clouds) => {
    const { faults } = clouds
    faults.set({ service: 'bedrock', kind: 'throttle', count: 1 })
    const throttled = await converse(clouds, HELLO)
    assert.deepEqual([throttled.status, errorType(throttled)], [429, 'ThrottlingException'])
    faults.set({ service: 'bedrock', kind: 'error', status: 424, count: 1 })
    assert.equal(errorType(await converse(clouds, HELLO)), 'ModelErrorException')
    faults.set({ service: 'bedrock', kind: 'error-in-stream', status: 424, count: 1 })
    const frames = framesOf(await converse(clouds, HELLO, 'converse-stream'))
    assert.deepEqual(namesOf(frames), ['messageStart', 'contentBlockDelta', 'modelStreamErrorException'])
    assert.equal(frames.at(-1)?.headers[':message-type'], 'exception')
    faults.set({ service: 'bedrock', kind: 'malformed', count: 1 })
    const broken = await converse(clouds, HELLO, 'converse-stream')
    assert.throws(() => framesOf(broken), EventStreamError)
    faults.set({ service: 'bedrock', kind: 'end-early', count: 1 })
    const early = framesOf(await converse(clouds, HELLO, 'converse-stream'))
    assert.deepEqual(namesOf(early), ['messageStart', 'contentBlockDelta'])
  }))
