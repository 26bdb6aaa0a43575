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
