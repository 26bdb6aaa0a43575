import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '#contract/refusal.ts'
import { challengeOf } from './challenge.ts'

test('a request without a credential gets no error code, a bad one gets the sentence', () => {
  assert.equal(challengeOf(new Refusal('IDENTITY_MISSING', 'no credential')), 'Bearer realm="thinplane"')
  assert.equal(
    challengeOf(new Refusal('IDENTITY_EXPIRED', 'the token has expired')),
    'Bearer realm="thinplane", error="invalid_token", error_description="the token has expired"',
  )
})

test('nothing of a caller breaks out of its quotes or its line', () => {
  const header = challengeOf(new Refusal('IDENTITY_INVALID', 'kid `a", x="\\\r\nset-cookie: é`'))
  assert.equal(
    header,
    `Bearer realm="thinplane", error="invalid_token", error_description="kid \`a', x=''??set-cookie: ?\`"`,
  )
  assert.match(header, /^[ -~]+$/)
})

test('claims go in Base64, beside the address to bring them to', () => {
  const challenge = { claims: '{"access_token":{}}', authorizationUri: 'https://login.example/authorize' }
  assert.equal(
    challengeOf(new Refusal('IDENTITY_INVALID', 'x', { challenge })),
    'Bearer realm="", authorization_uri="https://login.example/authorize", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="',
  )
})
