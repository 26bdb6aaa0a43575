import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Target } from '#contract/target.ts'
import { error } from './error.ts'

const TARGET = { name: 'vllm' } as Target

const rows: readonly (readonly [status: number, body: string, code: string, message: string])[] = [
  [429, '', 'INFER_THROTTLED', 'target `vllm` is out of capacity'],
  [503, 'no instance', 'INFER_THROTTLED', 'target `vllm` is out of capacity'],
  [529, '', 'INFER_THROTTLED', 'target `vllm` is out of capacity'],
  [408, '', 'INFER_TIMEOUT', 'target `vllm` timed out (408)'],
  [504, '', 'INFER_TIMEOUT', 'target `vllm` timed out (504)'],
  [
    400,
    '{"error":{"message":"too  long\\nby 5"}}',
    'INFER_REJECTED',
    'target `vllm` rejected the request: too long by 5',
  ],
  [400, '{"message":"old form"}', 'INFER_REJECTED', 'target `vllm` rejected the request: old form'],
  [400, '<html>', 'INFER_REJECTED', 'target `vllm` rejected the request: 400'],
  [413, '', 'INFER_REJECTED', 'target `vllm` rejected the request: 413'],
  [422, '{"error":"x"}', 'INFER_REJECTED', 'target `vllm` rejected the request: 422'],
  [401, '{"error":{"message":"bad key sk-1"}}', 'INFER_UNAVAILABLE', 'target `vllm` answered 401'],
  [403, '', 'INFER_UNAVAILABLE', 'target `vllm` answered 403'],
  [404, '', 'INFER_UNAVAILABLE', 'target `vllm` answered 404'],
  [500, '{"error":{"message":"trace"}}', 'INFER_UNAVAILABLE', 'target `vllm` answered 500'],
  [302, '', 'INFER_UNAVAILABLE', 'target `vllm` answered 302'],
]

for (const [status, body, code, message] of rows) {
  test(`${status} ${body} is ${code}`, () => {
    const refusal = error({ status, headers: {}, body }, TARGET)
    assert.deepEqual([refusal.code, refusal.message, refusal.retryAfterS], [code, message, undefined])
  })
}

test('Retry-After is believed in seconds and as a date, and nothing else', () => {
  const retryAfter = (value: string): number | undefined =>
    error({ status: 429, headers: { 'retry-after': value }, body: '' }, TARGET).retryAfterS
  assert.deepEqual(['7', '0', '', 'soon'].map(retryAfter), [7, 0, undefined, undefined])
  const inOneMinute = retryAfter(new Date(Date.now() + 60_000).toUTCString()) ?? 0
  assert.ok(inOneMinute > 55 && inOneMinute <= 61)
  assert.equal(retryAfter('Wed, 21 Oct 2015 07:28:00 GMT'), 0)
})

test('a reason is shortened', () => {
  const body = JSON.stringify({ error: { message: 'a'.repeat(1000) } })
  assert.equal(
    error({ status: 400, headers: {}, body }, TARGET).message.length,
    'target `vllm` rejected the request: '.length + 300,
  )
})

test('the content filter of Azure says what it found, under each of its spellings, and the prompt is not quoted', () => {
  const found = {
    hate: { filtered: true, severity: 'high' },
    self_harm: { filtered: false, severity: 'safe' },
    jailbreak: { filtered: true, detected: true },
  }
  const facts = {
    code: 'content_filter',
    message: 'The prompt "..." was filtered',
    param: 'prompt',
    type: null,
    status: 400,
  }
  for (const inner of [
    { innererror: { code: 'ResponsibleAIPolicyViolation', content_filter_result: found } },
    { innererror: { code: 'ResponsibleAIPolicyViolation', content_filter_results: found } },
    { inner_error: { code: 'ResponsibleAIPolicyViolation', content_filter_results: found } },
  ]) {
    const refusal = error({ status: 400, headers: {}, body: JSON.stringify({ error: { ...facts, ...inner } }) }, TARGET)
    assert.deepEqual(
      [refusal.code, refusal.message, refusal.fallOver],
      ['INFER_FILTERED', 'the content filter of target `vllm` refused the prompt: hate high, jailbreak', false],
    )
  }
})
