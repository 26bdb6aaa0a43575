import { encodeEventStreamMessage } from '#kit/event-stream.ts'
import type { Recordings } from './answer-cases.suite.ts'

const USAGE = { inputTokens: 12, outputTokens: 5, totalTokens: 17 }

function frames(...events: readonly (readonly [type: string, body: object])[]): Uint8Array {
  return Buffer.concat(
    events.map(([type, body]) =>
      encodeEventStreamMessage(
        { ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' },
        Buffer.from(JSON.stringify({ ...body, p: 'abcdefgh' })),
      ),
    ),
  )
}

type Frame = readonly [type: string, body: object]
const START: Frame = ['messageStart', { role: 'assistant' }]
const delta = (index: number, fields: object): Frame => [
  'contentBlockDelta',
  { contentBlockIndex: index, delta: fields },
]
const end = (index: number): Frame => ['contentBlockStop', { contentBlockIndex: index }]
const stop = (reason: string, usage: object = USAGE, more: object = {}): readonly Frame[] => [
  ['messageStop', { stopReason: reason, ...more }],
  ['metadata', { usage, metrics: { latencyMs: 1 } }],
]
const whole = (content: readonly object[], reason = 'end_turn', usage: object = USAGE, more: object = {}) =>
  JSON.stringify({
    output: { message: { role: 'assistant', content } },
    stopReason: reason,
    usage,
    metrics: { latencyMs: 1 },
    ...more,
  })
const tool = (index: number, toolUseId: string, name: string): Frame => [
  'contentBlockStart',
  { contentBlockIndex: index, start: { toolUse: { toolUseId, name } } },
]

const CACHED = { ...USAGE, cacheReadInputTokens: 100, cacheWriteInputTokens: 20 }
const MET = { additionalModelResponseFields: { delta: { stop_sequence: 'three' } } }

/** ConverseStream's frames. */
export const BEDROCK: Recordings = {
  text: {
    stream: frames(START, delta(0, { text: 'Grüße 𝄞' }), delta(0, { text: ' aus Köln' }), end(0), ...stop('end_turn')),
    whole: whole([{ text: 'Grüße 𝄞 aus Köln' }]),
  },
  'parallel calls': {
    stream: frames(
      START,
      delta(0, { text: 'I look.' }),
      end(0),
      tool(1, 'call_a', 'find'),
      delta(1, { toolUse: { input: '{"city"' } }),
      delta(1, { toolUse: { input: ':"Köln"}' } }),
      end(1),
      tool(2, 'call_b', 'list'),
      end(2),
      ...stop('tool_use'),
    ),
    whole: whole(
      [
        { text: 'I look.' },
        { toolUse: { toolUseId: 'call_a', name: 'find', input: { city: 'Köln' } } },
        { toolUse: { toolUseId: 'call_b', name: 'list', input: {} } },
      ],
      'tool_use',
    ),
  },
  thinking: {
    stream: frames(
      START,
      delta(0, { reasoningContent: { text: 'Let me see: ' } }),
      delta(0, { reasoningContent: { text: '6 × 7.' } }),
      delta(0, { reasoningContent: { signature: 'c2lnbmF0dXJl' } }),
      end(0),
      delta(1, { text: '42' }),
      end(1),
      ...stop('end_turn', { ...USAGE, outputTokens: 12 }),
    ),
    whole: whole(
      [
        { reasoningContent: { reasoningText: { text: 'Let me see: 6 × 7.', signature: 'c2lnbmF0dXJl' } } },
        { text: '42' },
      ],
      'end_turn',
      { ...USAGE, outputTokens: 12 },
    ),
    // Tokens of thoughts are not told apart.
    differs: { usage: { input: 12, cachedRead: 0, cachedWrite: 0, output: 12, reasoning: 0 } },
  },
  'sealed thoughts': {
    stream: frames(
      START,
      delta(0, { reasoningContent: { redactedContent: 'c2VhbGVk' } }),
      end(0),
      delta(1, { text: '42' }),
      end(1),
      ...stop('end_turn'),
    ),
    whole: whole([{ reasoningContent: { redactedContent: 'c2VhbGVk' } }, { text: '42' }]),
  },
  'cached prompt': {
    stream: frames(START, delta(0, { text: 'ok' }), end(0), ...stop('end_turn', CACHED)),
    whole: whole([{ text: 'ok' }], 'end_turn', CACHED),
  },
  'stop sequence': {
    stream: frames(START, delta(0, { text: 'one, two' }), end(0), ...stop('stop_sequence', USAGE, MET)),
    whole: whole([{ text: 'one, two' }], 'stop_sequence', USAGE, {
      additionalModelResponseFields: { stop_sequence: 'three' },
    }),
  },
  length: {
    stream: frames(START, delta(0, { text: 'one, two' }), end(0), ...stop('max_tokens')),
    whole: whole([{ text: 'one, two' }], 'max_tokens'),
  },
  filtered: {
    stream: frames(START, delta(0, { text: 'I ' }), end(0), ...stop('content_filtered')),
    whole: whole([{ text: 'I ' }], 'content_filtered'),
  },
}

export const BEDROCK_ERROR = Buffer.concat([
  frames(START, delta(0, { text: 'I ' })),
  encodeEventStreamMessage(
    {
      ':exception-type': 'modelStreamErrorException',
      ':content-type': 'application/json',
      ':message-type': 'exception',
    },
    Buffer.from('{"message":"the model failed"}'),
  ),
])
