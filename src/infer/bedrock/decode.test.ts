import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Event } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import { encodeEventStreamMessage } from '#kit/event-stream.ts'
import { testAsk } from '#infer/test-asks.ts'
import { decoder } from './decode.ts'

const SIZES = [1, 2, 3, 7, 16, 64, 1 << 20]

function decode(stream: boolean, bytes: Uint8Array, size: number): Event[] {
  const own = decoder(testAsk({ stream }))
  const events: Event[] = []
  for (let at = 0; at < bytes.length; at += size) {
    events.push(...own.push(bytes.subarray(at, at + size)))
    if (own.failure !== undefined) throw own.failure
  }
  return [...events, ...own.end()]
}

function frame(type: string, body: unknown): Uint8Array {
  return encodeEventStreamMessage(
    { ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' },
    Buffer.from(JSON.stringify(body)),
  )
}

function exception(type: string): Uint8Array {
  return encodeEventStreamMessage(
    { ':exception-type': type, ':message-type': 'exception' },
    Buffer.from('{"message":"secret prompt"}'),
  )
}

const START: Event = { type: 'start', id: '', model: '' }
const STOP = frame('messageStop', { stopReason: 'end_turn' })
const METADATA = frame('metadata', {
  usage: { inputTokens: 5, outputTokens: 3, cacheReadInputTokens: 2, cacheWriteInputTokens: 1 },
  metrics: { latencyMs: 9 },
})
const USAGE: Event = { type: 'usage', usage: { input: 5, cachedRead: 2, cachedWrite: 1, output: 3, reasoning: 0 } }
const END: Event = { type: 'end' }

function text(value: string): Uint8Array {
  return frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: value } })
}

const streams: readonly (readonly [what: string, frames: readonly Uint8Array[], events: readonly Event[]])[] = [
  [
    'text and usage',
    [
      frame('messageStart', { role: 'assistant' }),
      text('Grüße'),
      text(''),
      frame('contentBlockStop', { contentBlockIndex: 0 }),
      STOP,
      METADATA,
    ],
    [
      START,
      { type: 'text-delta', choice: 0, text: 'Grüße' },
      { type: 'finish', choice: 0, reason: 'stop' },
      USAGE,
      END,
    ],
  ],
  [
    'reasoning and two tool calls',
    [
      frame('messageStart', { role: 'assistant' }),
      frame('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'hm' } } }),
      frame('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { signature: 'abc' } } }),
      frame('contentBlockStart', { contentBlockIndex: 1, start: { toolUse: { toolUseId: 'c1', name: 'find' } } }),
      frame('contentBlockDelta', { contentBlockIndex: 1, delta: { toolUse: { input: '{"a":' } } }),
      frame('contentBlockDelta', { contentBlockIndex: 1, delta: { toolUse: { input: '1}' } } }),
      frame('contentBlockStart', { contentBlockIndex: 2, start: { toolUse: { toolUseId: 'c2', name: 'list' } } }),
      frame('messageStop', { stopReason: 'tool_use' }),
      METADATA,
    ],
    [
      START,
      { type: 'reasoning-delta', choice: 0, text: 'hm' },
      { type: 'reasoning-signature', choice: 0, signature: 'abc', family: 'anthropic' },
      { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'find' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"a":' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '1}' },
      { type: 'tool-call-start', choice: 0, index: 1, id: 'c2', name: 'list' },
      { type: 'finish', choice: 0, reason: 'tool-calls' },
      USAGE,
      END,
    ],
  ],
  [
    'events that nobody knows yet',
    [
      frame('messageStart', {}),
      frame('somethingNew', { a: 1 }),
      text('a'),
      frame('messageStop', { stopReason: 'model_context_window_exceeded' }),
      METADATA,
    ],
    [START, { type: 'text-delta', choice: 0, text: 'a' }, { type: 'finish', choice: 0, reason: 'length' }, USAGE, END],
  ],
]

for (const [what, frames, events] of streams) {
  test(`a stream with ${what} gives the same events under every chunking`, () => {
    for (const size of SIZES) assert.deepEqual(decode(true, Buffer.concat(frames), size), events, `${size} bytes`)
  })
}

test('nothing is said after the end', () => {
  const bytes = Buffer.concat([frame('messageStart', {}), text('a'), STOP, METADATA, text('b')])
  assert.deepEqual(decode(true, bytes, 1 << 20).at(-1), END)
})

const WHOLE = {
  output: {
    message: {
      role: 'assistant',
      content: [
        { reasoningContent: { reasoningText: { text: 'hm', signature: 'x' } } },
        { text: 'é' },
        { toolUse: { toolUseId: 'c1', name: 'find', input: { a: 1 } } },
      ],
    },
  },
  stopReason: 'tool_use',
  usage: { inputTokens: 5, outputTokens: 3, cacheReadInputTokens: 2, cacheWriteInputTokens: 1 },
}

test('a document gives the events of a stream, under every chunking', () => {
  for (const size of SIZES) {
    assert.deepEqual(decode(false, Buffer.from(JSON.stringify(WHOLE)), size), [
      START,
      { type: 'reasoning-delta', choice: 0, text: 'hm' },
      { type: 'reasoning-signature', choice: 0, signature: 'x', family: 'anthropic' },
      { type: 'text-delta', choice: 0, text: 'é' },
      { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'find' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"a":1}' },
      { type: 'finish', choice: 0, reason: 'tool-calls' },
      USAGE,
      END,
    ])
  }
})

test('a stream that stops anywhere before its end is cut, never whole', () => {
  const bytes = Buffer.concat([frame('messageStart', {}), text('a'), STOP, METADATA])
  for (let at = 0; at < bytes.length; at += 1) {
    assert.throws(
      () => decode(true, bytes.subarray(0, at), 64),
      { name: 'Refusal', code: 'INFER_CUT', message: 'the upstream closed the stream before it was done' },
      `cut at ${at}`,
    )
  }
})

const BROKEN = Buffer.from(text('a'))
BROKEN.writeUInt8(BROKEN.readUInt8(20) ^ 1, 20)

const failing: readonly (readonly [what: string, stream: boolean, bytes: Uint8Array, code: string, message: string])[] =
  [
    [
      'metadata without a reason to stop',
      true,
      Buffer.concat([text('a'), METADATA]),
      'INFER_CUT',
      'the upstream ended the stream without a stop reason',
    ],
    [
      'throttling inside the stream',
      true,
      exception('throttlingException'),
      'INFER_THROTTLED',
      'the upstream reported throttlingException inside the stream',
    ],
    [
      'no service inside the stream',
      true,
      exception('serviceUnavailableException'),
      'INFER_THROTTLED',
      'the upstream reported serviceUnavailableException inside the stream',
    ],
    [
      'a rejection inside the stream',
      true,
      exception('validationException'),
      'INFER_REJECTED',
      'the upstream rejected the request inside the stream',
    ],
    [
      'a failed model inside the stream',
      true,
      exception('modelStreamErrorException'),
      'INFER_UNAVAILABLE',
      'the upstream reported modelStreamErrorException inside the stream',
    ],
    [
      'an error without a name',
      true,
      encodeEventStreamMessage({ ':message-type': 'error' }, new Uint8Array(0)),
      'INFER_UNAVAILABLE',
      'the upstream reported an error inside the stream',
    ],
    ['a broken frame', true, BROKEN, 'INFER_UNAVAILABLE', 'the upstream sent a broken frame'],
    [
      'a page instead of frames',
      true,
      Buffer.from('<html>no such page</html>'),
      'INFER_UNAVAILABLE',
      'the upstream sent a broken frame',
    ],
    [
      'a page instead of a document',
      false,
      Buffer.from('<html>'),
      'INFER_UNAVAILABLE',
      'the upstream sent something that is not a Converse answer',
    ],
    [
      'a document without a message',
      false,
      Buffer.from('{"output":{}}'),
      'INFER_UNAVAILABLE',
      'the upstream sent something that is not a Converse answer',
    ],
    [
      'nothing',
      false,
      new Uint8Array(0),
      'INFER_UNAVAILABLE',
      'the upstream sent something that is not a Converse answer',
    ],
  ]

for (const [what, stream, bytes, code, message] of failing) {
  test(`${what} is ${code}, under every chunking`, () => {
    for (const size of SIZES) assert.throws(() => decode(stream, bytes, size), { name: 'Refusal', code, message })
  })
}

test('what came before an exception, in the same piece, is kept', () => {
  const own = decoder(testAsk({ stream: true }))
  const events = own.push(Buffer.concat([frame('messageStart', {}), text('a'), exception('throttlingException')]))
  assert.deepEqual(events, [START, { type: 'text-delta', choice: 0, text: 'a' }])
  assert.equal(own.failure?.code, 'INFER_THROTTLED')
})

test('what came before a broken frame, in the same piece, is kept', () => {
  assert.deepEqual(decoder(testAsk({ stream: true })).push(Buffer.concat([text('a'), BROKEN])), [
    { type: 'text-delta', choice: 0, text: 'a' },
  ])
})

test('arbitrary bytes and arbitrary frames throw nothing but refusals of inference', () => {
  const type = fc.constantFrom('messageStart', 'contentBlockStart', 'contentBlockDelta', 'messageStop', 'metadata', 'x')
  const frames = fc
    .array(fc.tuple(type, fc.jsonValue()), { maxLength: 5 })
    .map((list) => Buffer.concat(list.map(([name, body]) => frame(name, body))))
  const input = fc.oneof(
    frames,
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((json) => Buffer.from(json)),
  )
  fc.assert(
    fc.property(input, fc.boolean(), fc.integer({ min: 1, max: 40 }), (bytes, stream, size) => {
      try {
        decode(stream, bytes, size)
      } catch (error) {
        assert.ok(error instanceof Refusal && error.code.startsWith('INFER_'), String(error))
      }
    }),
    { numRuns: 500 },
  )
})
