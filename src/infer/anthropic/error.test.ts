import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testTarget } from '#infer/test-asks.ts'
import { error } from './error.ts'

const TARGET = testTarget({ name: 'claude' })
const body = (type: string, message: string) => JSON.stringify({ type: 'error', error: { type, message } })

const rows: readonly (readonly [status: number, body: string, code: string, message: string])[] = [
  [429, body('rate_limit_error', 'slow'), 'INFER_THROTTLED', 'target `claude` is out of capacity'],
  [529, body('overloaded_error', 'Overloaded'), 'INFER_THROTTLED', 'target `claude` is out of capacity'],
  [503, '', 'INFER_THROTTLED', 'target `claude` is out of capacity'],
  [504, body('timeout_error', 'late'), 'INFER_TIMEOUT', 'target `claude` timed out (504)'],
  [400, body('invalid_request_error', 'too\nlong'), 'INFER_REJECTED', 'target `claude` rejected the request: too long'],
  [413, '<html>', 'INFER_REJECTED', 'target `claude` rejected the request: 413'],
  [400, '[{"error":{"code":400,"message":"bad"}}]', 'INFER_REJECTED', 'target `claude` rejected the request: bad'],
  [
    400,
    body('invalid_request_error', 'Your credit balance is too low'),
    'INFER_UNAVAILABLE',
    'target `claude` answered 400',
  ],
  [401, body('authentication_error', 'invalid x-api-key'), 'INFER_UNAVAILABLE', 'target `claude` answered 401'],
  [403, body('permission_error', 'x'), 'INFER_UNAVAILABLE', 'target `claude` answered 403'],
  [404, body('not_found_error', 'model: x'), 'INFER_UNAVAILABLE', 'target `claude` answered 404'],
  [500, body('api_error', 'x'), 'INFER_UNAVAILABLE', 'target `claude` answered 500'],
]

for (const [status, text, code, message] of rows) {
  test(`${status} ${text.slice(0, 60)} is ${code}`, () => {
    const refusal = error({ status, headers: {}, body: text }, TARGET)
    assert.deepEqual([refusal.code, refusal.message, refusal.retryAfterS], [code, message, undefined])
  })
}

test('Retry-After is carried to the breaker', () => {
  assert.equal(error({ status: 429, headers: { 'retry-after': '12' }, body: '' }, TARGET).retryAfterS, 12)
})
