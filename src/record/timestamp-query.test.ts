import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { timestampProblem, timestampQuery } from './timestamp-query.ts'

const DIGEST = new Uint8Array(32).fill(0xab)
const NONCE = Uint8Array.of(0x00, 0x81, 0x02)

test('a query has the form that openssl writes', () => {
  assert.equal(
    Buffer.from(timestampQuery(DIGEST, NONCE)).toString('hex'),
    `303e0201013031300d060960864801650304020105000420${'ab'.repeat(32)}020300810201` + '01ff',
  )
})

test('an answer that refuses, is of something else, or is none, is said', () => {
  const imprint = [0x04, 32, ...DIGEST]
  const nonce = [0x02, 3, 0x00, 0x81, 0x02]
  const answer = (status: number, ...rest: number[]) =>
    Uint8Array.of(0x30, 5 + rest.length, 0x30, 3, 2, 1, status, ...rest)
  assert.equal(timestampProblem(answer(0, ...imprint, ...nonce), DIGEST, NONCE), undefined)
  assert.equal(timestampProblem(answer(2), DIGEST, NONCE), 'the authority refused, status 2')
  assert.equal(timestampProblem(answer(0, ...nonce), DIGEST, NONCE), 'the stamp is of something else')
  assert.equal(timestampProblem(answer(0, ...imprint), DIGEST, NONCE), 'the stamp answers another request')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      assert.equal(typeof timestampProblem(bytes, DIGEST, NONCE), 'string')
    }),
  )
})
