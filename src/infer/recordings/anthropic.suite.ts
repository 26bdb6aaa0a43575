import { type Recordings, sse } from './answer-cases.suite.ts'

const HEAD = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5' }
const USAGE = { input_tokens: 12, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 5 }

type Named = readonly [name: string, data: object]
const event = (type: string, fields: object = {}): Named => [type, { type, ...fields }]
const start = (usage: object = { ...USAGE, output_tokens: 1 }): readonly Named[] => [
  event('message_start', { message: { ...HEAD, content: [], stop_reason: null, stop_sequence: null, usage } }),
  event('ping'),
]
const block = (index: number, content_block: object, ...deltas: readonly object[]): readonly Named[] => [
  event('content_block_start', { index, content_block }),
  ...deltas.map((delta) => event('content_block_delta', { index, delta })),
  event('content_block_stop', { index }),
]
const text = (index: number, ...pieces: readonly string[]): readonly Named[] =>
  block(index, { type: 'text', text: '' }, ...pieces.map((piece) => ({ type: 'text_delta', text: piece })))
const stop = (
  reason: string,
  sequence: string | null = null,
  usage: object = { output_tokens: 5 },
): readonly Named[] => [
  event('message_delta', { delta: { stop_reason: reason, stop_sequence: sequence }, usage }),
  event('message_stop'),
]
const whole = (
  content: readonly object[],
  reason = 'end_turn',
  usage: object = USAGE,
  sequence: string | null = null,
) => JSON.stringify({ ...HEAD, content, stop_reason: reason, stop_sequence: sequence, usage })
const json = (partial_json: string) => ({ type: 'input_json_delta', partial_json })

const THOUGHT = { output_tokens: 12, output_tokens_details: { thinking_tokens: 7 } }
const CACHED = { ...USAGE, cache_creation_input_tokens: 20, cache_read_input_tokens: 100 }

/** Anthropic's events, with the counts said twice as it does: at the start, and the whole of them at the end. */
export const ANTHROPIC: Recordings = {
  text: {
    stream: sse(...start(), ...text(0, 'Grüße 𝄞', ' aus Köln'), ...stop('end_turn', null, USAGE)),
    whole: whole([{ type: 'text', text: 'Grüße 𝄞 aus Köln' }]),
  },
  'parallel calls': {
    stream: sse(
      ...start(),
      ...text(0, 'I look.'),
      ...block(
        1,
        { type: 'tool_use', id: 'call_a', name: 'find', input: {} },
        json(''),
        json('{"city"'),
        json(':"Köln"}'),
      ),
      ...block(2, { type: 'tool_use', id: 'call_b', name: 'list', input: {} }),
      ...stop('tool_use'),
    ),
    whole: whole(
      [
        { type: 'text', text: 'I look.' },
        { type: 'tool_use', id: 'call_a', name: 'find', input: { city: 'Köln' } },
        { type: 'tool_use', id: 'call_b', name: 'list', input: {} },
      ],
      'tool_use',
    ),
  },
  thinking: {
    stream: sse(
      ...start(),
      ...block(
        0,
        { type: 'thinking', thinking: '', signature: '' },
        { type: 'thinking_delta', thinking: 'Let me see: ' },
        { type: 'thinking_delta', thinking: '6 × 7.' },
        { type: 'signature_delta', signature: 'c2lnbmF0dXJl' },
      ),
      ...text(1, '42'),
      ...stop('end_turn', null, THOUGHT),
    ),
    whole: whole(
      [
        { type: 'thinking', thinking: 'Let me see: 6 × 7.', signature: 'c2lnbmF0dXJl' },
        { type: 'text', text: '42' },
      ],
      'end_turn',
      { ...USAGE, ...THOUGHT },
    ),
  },
  'sealed thoughts': {
    stream: sse(
      ...start(),
      ...block(0, { type: 'redacted_thinking', data: 'c2VhbGVk' }),
      ...text(1, '42'),
      ...stop('end_turn'),
    ),
    whole: whole([
      { type: 'redacted_thinking', data: 'c2VhbGVk' },
      { type: 'text', text: '42' },
    ]),
  },
  'cached prompt': {
    stream: sse(...start({ ...CACHED, output_tokens: 1 }), ...text(0, 'ok'), ...stop('end_turn', null, CACHED)),
    whole: whole([{ type: 'text', text: 'ok' }], 'end_turn', CACHED),
  },
  'stop sequence': {
    stream: sse(...start(), ...text(0, 'one, two'), ...stop('stop_sequence', 'three')),
    whole: whole([{ type: 'text', text: 'one, two' }], 'stop_sequence', USAGE, 'three'),
  },
  length: {
    stream: sse(...start(), ...text(0, 'one, two'), ...stop('max_tokens')),
    whole: whole([{ type: 'text', text: 'one, two' }], 'max_tokens'),
  },
  filtered: {
    stream: sse(...start(), ...text(0, 'I '), ...stop('refusal')),
    whole: whole([{ type: 'text', text: 'I ' }], 'refusal'),
    // It is the model itself that declines.
    differs: { finish: 'refusal' },
  },
}

export const ANTHROPIC_ERROR = sse(
  ...start(),
  event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'I ' } }),
  event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } }),
)
