import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Event } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import { testAsk } from '#infer/test-asks.ts'
import { decoder } from './decode.ts'

const SIZES = [1, 2, 3, 7, 16, 64, 1 << 20]

function decode(stream: boolean, text: string | Uint8Array, size: number): Event[] {
  const bytes = Buffer.from(text)
  const own = decoder(testAsk({ stream }))
  const events: Event[] = []
  for (let at = 0; at < bytes.length; at += size) {
    events.push(...own.push(bytes.subarray(at, at + size)))
    if (own.failure !== undefined) throw own.failure
  }
  return [...events, ...own.end()]
}

function sse(...chunks: readonly unknown[]): string {
  return chunks.map((chunk) => `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`).join('')
}

function delta(fields: object, finish: string | null = null, index = 0): object {
  return { id: 'x', model: 'llama', choices: [{ index, delta: fields, finish_reason: finish }] }
}

const START: Event = { type: 'start', id: 'x', model: 'llama' }
const END: Event = { type: 'end' }
const NO_CACHE = { cachedRead: 0, cachedWrite: 0 }

const streams: readonly (readonly [what: string, text: string, events: readonly Event[]])[] = [
  [
    'text, usage and the end',
    sse(
      delta({ role: 'assistant', content: '' }),
      delta({ content: 'Grüße 𝄞' }),
      delta({}, 'stop'),
      { id: 'x', choices: [], usage: { prompt_tokens: 5, completion_tokens: 3 } },
      '[DONE]',
    ),
    [
      START,
      { type: 'text-delta', choice: 0, text: 'Grüße 𝄞' },
      { type: 'finish', choice: 0, reason: 'stop' },
      { type: 'usage', usage: { input: 5, ...NO_CACHE, output: 3, reasoning: 0 } },
      END,
    ],
  ],
  [
    'tool calls side by side',
    sse(
      delta({ tool_calls: [{ index: 0, id: 'c1', function: { name: 'find', arguments: '' } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] }),
      delta({ tool_calls: [{ index: 1, id: 'c2', function: { name: 'list', arguments: '{}' } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
      delta({}, 'tool_calls'),
      '[DONE]',
    ),
    [
      START,
      { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'find' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"a"' },
      { type: 'tool-call-start', choice: 0, index: 1, id: 'c2', name: 'list' },
      { type: 'tool-call-delta', choice: 0, index: 1, arguments: '{}' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: ':1}' },
      { type: 'finish', choice: 0, reason: 'tool-calls' },
      END,
    ],
  ],
  [
    'reasoning under both of its names',
    sse(delta({ reasoning: 'a' }), delta({ reasoning_content: 'b' }), delta({ content: 'c' }, 'length'), '[DONE]'),
    [
      START,
      { type: 'reasoning-delta', choice: 0, text: 'a' },
      { type: 'reasoning-delta', choice: 0, text: 'b' },
      { type: 'text-delta', choice: 0, text: 'c' },
      { type: 'finish', choice: 0, reason: 'length' },
      END,
    ],
  ],
  [
    'cached tokens and reasoning, which no other bucket counts again',
    sse(
      delta({}, 'content_filter'),
      {
        choices: [],
        usage: {
          prompt_tokens: 10,
          completion_tokens: 6,
          prompt_tokens_details: { cached_tokens: 4 },
          completion_tokens_details: { reasoning_tokens: 2 },
        },
      },
      '[DONE]',
    ),
    [
      START,
      { type: 'finish', choice: 0, reason: 'content-filter' },
      { type: 'usage', usage: { input: 6, cachedRead: 4, cachedWrite: 0, output: 4, reasoning: 2 } },
      END,
    ],
  ],
  [
    'comments, other line ends, and what comes after the end',
    `: ping\r\n\r\n${sse(delta({ content: 'a' }, 'stop'), '[DONE]').replaceAll('\n', '\r\n')}data: {"choices":[{"delta":{"content":"no"}}]}\n\n`,
    [START, { type: 'text-delta', choice: 0, text: 'a' }, { type: 'finish', choice: 0, reason: 'stop' }, END],
  ],
]

for (const [what, text, events] of streams) {
  test(`a stream with ${what} gives the same events under every chunking`, () => {
    for (const size of SIZES) assert.deepEqual(decode(true, text, size), events, `${size} bytes`)
  })
}

const WHOLE = JSON.stringify({
  id: 'x',
  model: 'llama',
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: 'é',
        tool_calls: [{ id: 'c1', function: { name: 'find', arguments: '{}' } }],
      },
      finish_reason: 'tool_calls',
    },
  ],
  usage: { prompt_tokens: 5, completion_tokens: 3 },
})

test('a document gives the events of a stream, under every chunking', () => {
  for (const size of SIZES) {
    assert.deepEqual(decode(false, WHOLE, size), [
      START,
      { type: 'text-delta', choice: 0, text: 'é' },
      { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'find' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{}' },
      { type: 'finish', choice: 0, reason: 'tool-calls' },
      { type: 'usage', usage: { input: 5, ...NO_CACHE, output: 3, reasoning: 0 } },
      END,
    ])
  }
})

test('a stream that stops anywhere before its end is cut, never whole', () => {
  const text = sse(delta({ content: 'a' }), delta({}, 'stop'), '[DONE]')
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length - 1; at += 1) {
    assert.throws(
      () => decode(true, bytes.subarray(0, at), 16),
      { name: 'Refusal', code: 'INFER_CUT', message: 'the upstream closed the stream before it was done' },
      `cut at ${at}`,
    )
  }
})

const failing: readonly (readonly [what: string, stream: boolean, text: string, code: string, message: string])[] = [
  [
    'done without a reason to finish',
    true,
    sse(delta({ content: 'a' }), '[DONE]'),
    'INFER_CUT',
    'the upstream ended the stream without a finish reason',
  ],
  [
    'an error in the stream',
    true,
    sse(delta({ content: 'a' }), { error: { message: 'secret prompt', code: 500 } }),
    'INFER_UNAVAILABLE',
    'the upstream reported an error inside the stream',
  ],
  [
    'no capacity in the stream',
    true,
    sse({ error: { code: 429 } }),
    'INFER_THROTTLED',
    'the upstream ran out of capacity',
  ],
  [
    'a chunk that is no JSON',
    true,
    sse('{"choices"'),
    'INFER_UNAVAILABLE',
    'the upstream sent something that is not a chat completion',
  ],
  [
    'a chunk that is a list',
    true,
    sse([]),
    'INFER_UNAVAILABLE',
    'the upstream sent something that is not a chat completion',
  ],
  [
    'a page instead of a document',
    false,
    '<html>',
    'INFER_UNAVAILABLE',
    'the upstream sent something that is not a chat completion',
  ],
  [
    'half of a document',
    false,
    WHOLE.slice(0, -9),
    'INFER_UNAVAILABLE',
    'the upstream sent something that is not a chat completion',
  ],
  [
    'a document without choices',
    false,
    '{"choices":[]}',
    'INFER_UNAVAILABLE',
    'the upstream sent something that is not a chat completion',
  ],
  ['nothing', false, '', 'INFER_UNAVAILABLE', 'the upstream sent something that is not a chat completion'],
]

for (const [what, stream, text, code, message] of failing) {
  test(`${what} is ${code}, under every chunking`, () => {
    for (const size of SIZES) assert.throws(() => decode(stream, text, size), { name: 'Refusal', code, message })
  })
}

test('an error that is null is none', () => {
  const text = sse({ ...delta({ content: 'a' }, 'stop'), error: null }, '[DONE]')
  assert.equal(decode(true, text, 64).at(-1)?.type, 'end')
})

test('what came before an error, in the same piece, is kept', () => {
  const own = decoder(testAsk({ stream: true }))
  const events = own.push(Buffer.from(sse(delta({ content: 'a' }), { error: { code: 500 } })))
  assert.deepEqual(events, [START, { type: 'text-delta', choice: 0, text: 'a' }])
  assert.equal(own.failure?.code, 'INFER_UNAVAILABLE')
})

test('arbitrary bytes and arbitrary JSON throw nothing but refusals of inference', () => {
  const choice = fc.record(
    { index: fc.jsonValue(), delta: fc.jsonValue(), message: fc.jsonValue(), finish_reason: fc.jsonValue() },
    { requiredKeys: [] },
  )
  const chunk = fc.record(
    { choices: fc.oneof(fc.array(choice), fc.jsonValue()), usage: fc.jsonValue(), error: fc.jsonValue() },
    { requiredKeys: [] },
  )
  const text = fc.oneof(
    fc.array(chunk, { maxLength: 4 }).map((chunks) => sse(...chunks, '[DONE]')),
    chunk.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary' }),
  )
  const input = fc.oneof(
    text.map((value) => Buffer.from(value)),
    fc.uint8Array({ maxLength: 60 }),
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
