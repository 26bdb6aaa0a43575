import { type Recordings, sse } from './answer-cases.suite.ts'

const HEAD = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_764_000_000, model: 'llama' }
const USAGE = { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 }

const chunk = (delta: object, finish: string | null = null, more: object = {}) => ({
  ...HEAD,
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish, ...more }],
})
const role = chunk({ role: 'assistant', content: '' })
const used = (usage: object = USAGE) => ({ ...HEAD, choices: [], usage })
const whole = (message: object, finish: string, usage: object = USAGE, more: object = {}) =>
  JSON.stringify({
    ...HEAD,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', ...message }, logprobs: null, finish_reason: finish, ...more }],
    usage,
  })
const call = (index: number, fields: object) => chunk({ tool_calls: [{ index, ...fields }] })

const THOUGHT = { ...USAGE, completion_tokens: 12, completion_tokens_details: { reasoning_tokens: 7 } }
const CACHED = { ...USAGE, prompt_tokens: 132, prompt_tokens_details: { cached_tokens: 100 } }

/** Chat completions as vLLM and OpenAI stream them. */
export const OPENAI: Recordings = {
  text: {
    stream: sse(
      role,
      chunk({ content: 'Grüße 𝄞' }),
      chunk({ content: ' aus Köln' }),
      chunk({}, 'stop'),
      used(),
      '[DONE]',
    ),
    whole: whole({ content: 'Grüße 𝄞 aus Köln' }, 'stop'),
  },
  'parallel calls': {
    stream: sse(
      role,
      chunk({ content: 'I look.' }),
      call(0, { id: 'call_a', type: 'function', function: { name: 'find', arguments: '' } }),
      call(0, { function: { arguments: '{"city"' } }),
      call(1, { id: 'call_b', type: 'function', function: { name: 'list', arguments: '{}' } }),
      call(0, { function: { arguments: ':"Köln"}' } }),
      chunk({}, 'tool_calls'),
      used(),
      '[DONE]',
    ),
    whole: whole(
      {
        content: 'I look.',
        tool_calls: [
          { id: 'call_a', type: 'function', function: { name: 'find', arguments: '{"city":"Köln"}' } },
          { id: 'call_b', type: 'function', function: { name: 'list', arguments: '{}' } },
        ],
      },
      'tool_calls',
    ),
  },
  thinking: {
    stream: sse(
      role,
      chunk({ reasoning: 'Let me see: ' }),
      chunk({ reasoning: '6 × 7.' }),
      chunk({ content: '42' }),
      chunk({}, 'stop'),
      used(THOUGHT),
      '[DONE]',
    ),
    whole: whole({ reasoning: 'Let me see: 6 × 7.', content: '42' }, 'stop', THOUGHT),
    // No proof comes with thoughts here.
    differs: { proofs: [] },
  },
  'sealed thoughts': undefined,
  'cached prompt': {
    stream: sse(role, chunk({ content: 'ok' }), chunk({}, 'stop'), used(CACHED), '[DONE]'),
    whole: whole({ content: 'ok' }, 'stop', CACHED),
    // What is written to the cache is not told apart.
    differs: { usage: { input: 32, cachedRead: 100, cachedWrite: 0, output: 5, reasoning: 0 } },
  },
  'stop sequence': {
    stream: sse(role, chunk({ content: 'one, two' }), chunk({}, 'stop', { stop_reason: 'three' }), used(), '[DONE]'),
    whole: whole({ content: 'one, two' }, 'stop', USAGE, { stop_reason: 'three' }),
  },
  length: {
    stream: sse(role, chunk({ content: 'one, two' }), chunk({}, 'length'), used(), '[DONE]'),
    whole: whole({ content: 'one, two' }, 'length'),
  },
  filtered: {
    stream: sse(role, chunk({ content: 'I ' }), chunk({}, 'content_filter'), used(), '[DONE]'),
    whole: whole({ content: 'I ' }, 'content_filter'),
  },
}

export const OPENAI_ERROR = sse(role, chunk({ content: 'I ' }), {
  error: { message: 'the engine died', type: 'InternalServerError', param: null, code: 500 },
})
