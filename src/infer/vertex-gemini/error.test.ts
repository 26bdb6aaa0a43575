import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testTarget } from '#infer/test-asks.ts'
import { error } from './error.ts'

const TARGET = testTarget({ name: 'gemini' })
const body = (code: number, status: string, message = 'why', details: readonly object[] = []) =>
  JSON.stringify({ error: { code, message, status, details } })

const rows: readonly (readonly [status: number, body: string, code: string, message: string])[] = [
  [429, body(429, 'RESOURCE_EXHAUSTED'), 'INFER_THROTTLED', 'target `gemini` is out of capacity'],
  [503, body(503, 'UNAVAILABLE'), 'INFER_THROTTLED', 'target `gemini` is out of capacity'],
  [504, body(504, 'DEADLINE_EXCEEDED'), 'INFER_TIMEOUT', 'target `gemini` timed out (504)'],
  [400, body(400, 'INVALID_ARGUMENT', 'a\n b'), 'INFER_REJECTED', 'target `gemini` rejected the request: a b'],
  [400, `[${body(400, 'INVALID_ARGUMENT')}]`, 'INFER_REJECTED', 'target `gemini` rejected the request: why'],
  [400, body(400, 'FAILED_PRECONDITION'), 'INFER_UNAVAILABLE', 'target `gemini` answered 400 (FAILED_PRECONDITION)'],
  [401, body(401, 'UNAUTHENTICATED'), 'INFER_UNAVAILABLE', 'target `gemini` answered 401 (UNAUTHENTICATED)'],
  [403, body(403, 'PERMISSION_DENIED'), 'INFER_UNAVAILABLE', 'target `gemini` answered 403 (PERMISSION_DENIED)'],
  [404, '<html>', 'INFER_UNAVAILABLE', 'target `gemini` answered 404'],
  [500, body(500, 'INTERNAL'), 'INFER_UNAVAILABLE', 'target `gemini` answered 500 (INTERNAL)'],
]

for (const [status, text, code, message] of rows) {
  test(`${status} ${text.slice(0, 70)} is ${code}`, () => {
    const refusal = error({ status, headers: {}, body: text }, TARGET)
    assert.deepEqual([refusal.code, refusal.message, refusal.retryAfterS], [code, message, undefined])
  })
}

test('the delay that Google names is carried to the breaker', () => {
  const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '11.5s' }]
  const answer = { status: 429, headers: {}, body: body(429, 'RESOURCE_EXHAUSTED', 'x', details) }
  assert.equal(error(answer, TARGET).retryAfterS, 12)
  assert.equal(error({ ...answer, headers: { 'retry-after': '3' } }, TARGET).retryAfterS, 3)
})
