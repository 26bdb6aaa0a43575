import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Target } from '#contract/target.ts'
import { error } from './error.ts'

const TARGET = { name: 'claude' } as Target

const rows: readonly (readonly [status: number, type: string, body: string, code: string, message: string])[] = [
  [429, 'ThrottlingException', '', 'INFER_THROTTLED', 'target `claude` is out of capacity'],
  [429, 'ModelNotReadyException', '', 'INFER_THROTTLED', 'target `claude` is out of capacity'],
  [503, 'ServiceUnavailableException', '', 'INFER_THROTTLED', 'target `claude` is out of capacity'],
  [400, 'ServiceQuotaExceededException:http://x', '', 'INFER_THROTTLED', 'target `claude` is out of capacity'],
  [408, 'ModelTimeoutException', '', 'INFER_TIMEOUT', 'target `claude`: the model timed out'],
  [
    400,
    'ValidationException',
    '{"message":"too\\n long"}',
    'INFER_REJECTED',
    'target `claude` rejected the request: too long',
  ],
  [400, 'ValidationException', '{"Message":"old"}', 'INFER_REJECTED', 'target `claude` rejected the request: old'],
  [400, 'ValidationException', '', 'INFER_REJECTED', 'target `claude` rejected the request: ValidationException'],
  [
    424,
    'ModelErrorException',
    '{"message":"x"}',
    'INFER_UNAVAILABLE',
    'target `claude` answered 424 (ModelErrorException)',
  ],
  [
    403,
    'AccessDeniedException',
    '{"message":"arn"}',
    'INFER_UNAVAILABLE',
    'target `claude` answered 403 (AccessDeniedException)',
  ],
  [
    404,
    'ResourceNotFoundException',
    '',
    'INFER_UNAVAILABLE',
    'target `claude` answered 404 (ResourceNotFoundException)',
  ],
  [500, '', '', 'INFER_UNAVAILABLE', 'target `claude` answered 500'],
]

for (const [status, type, body, code, message] of rows) {
  test(`${status} ${type} ${body} is ${code}`, () => {
    const headers = type === '' ? {} : { 'x-amzn-errortype': type }
    const refusal = error({ status, headers, body }, TARGET)
    assert.deepEqual([refusal.code, refusal.message, refusal.retryAfterS], [code, message, undefined])
  })
}

test('Retry-After is carried to the breaker', () => {
  assert.equal(error({ status: 503, headers: { 'retry-after': '3' }, body: '' }, TARGET).retryAfterS, 3)
})
