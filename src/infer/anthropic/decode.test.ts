import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from '#contract/event.ts'
import { sse } from '#infer/recordings/answer-cases.suite.ts'
import { testAsk } from '#infer/test-asks.ts'
import { decoder } from './decode.ts'

function decode(...events: readonly object[]): Event[] {
  const own = decoder(testAsk({ stream: true }))
  const said = own.push(sse(...events))
  if (own.failure !== undefined) throw own.failure
  return [...said, ...own.end()]
}

const START = {
  type: 'message_start',
  message: { id: 'm', model: 'c', usage: { input_tokens: 9, cache_read_input_tokens: 4, output_tokens: 1 } },
}
const STOP = { type: 'message_stop' }
const finish = (stop_reason: string, usage: object = {}) => ({ type: 'message_delta', delta: { stop_reason }, usage })

test('counts at the end replace those at the start field by field, and null replaces nothing', () => {
  const end = finish('end_turn', { input_tokens: 11, cache_read_input_tokens: null, output_tokens: 8 })
  const usage = decode(START, { type: 'message_delta', delta: {}, usage: { output_tokens: 3 } }, end, STOP).at(-2)
  assert.deepEqual(usage, {
    type: 'usage',
    usage: { input: 11, cachedRead: 4, cachedWrite: 0, output: 8, reasoning: 0 },
  })
})

for (const [reason, expected] of [
  ['end_turn', 'stop'],
  ['pause_turn', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['tool_use', 'tool-calls'],
  ['refusal', 'refusal'],
  ['something_new', 'stop'],
] as const) {
  test(`${reason} is ${expected}`, () => {
    assert.deepEqual(decode(START, finish(reason), STOP)[1], { type: 'finish', choice: 0, reason: expected })
  })
}

test('a proof that comes in pieces is one proof, when its block ends', () => {
  const signature = (text: string) => ({
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'signature_delta', signature: text },
  })
  const block = { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } }
  const events = decode(
    START,
    block,
    signature('c2'),
    signature('ln'),
    { type: 'content_block_stop', index: 0 },
    finish('end_turn'),
    STOP,
  )
  assert.deepEqual(events[1], { type: 'reasoning-signature', choice: 0, signature: 'c2ln', family: 'anthropic' })
})

test('a stream that ends without a reason, or with one and no end, is cut', () => {
  assert.throws(() => decode(START, STOP), { name: 'Refusal', code: 'INFER_CUT' })
  assert.throws(() => decode(START, finish('end_turn')), { name: 'Refusal', code: 'INFER_CUT' })
})

for (const [type, code] of [
  ['overloaded_error', 'INFER_THROTTLED'],
  ['rate_limit_error', 'INFER_THROTTLED'],
  ['timeout_error', 'INFER_TIMEOUT'],
  ['invalid_request_error', 'INFER_REJECTED'],
  ['api_error', 'INFER_UNAVAILABLE'],
] as const) {
  test(`${type} before any content is ${code}, so that another target may answer`, () => {
    assert.throws(
      () => decode({ type: 'error', error: { type, message: 'secret' } }),
      (error) => {
        assert.ok(error instanceof Error && 'code' in error)
        assert.equal(error.code, code)
        assert.doesNotMatch(error.message, /secret/)
        return true
      },
    )
  })
}

test('the count of tokens is read, and its absence refused', () => {
  const count = (body: string) => {
    const own = decoder(testAsk({ operation: 'count-tokens' }))
    own.push(Buffer.from(body))
    return own.end()
  }
  assert.deepEqual(count('{"input_tokens":7}'), [{ type: 'token-count', tokens: 7, estimated: false }, { type: 'end' }])
  assert.throws(() => count('{}'), { name: 'Refusal', code: 'INFER_UNAVAILABLE' })
})
