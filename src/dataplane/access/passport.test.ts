import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPassportCheck } from './passport.ts'
import { AUDIENCE, createMinter, ISSUER, NOW_EPOCH_MS } from '#dataplane/test-agent.ts'

const minter = await createMinter()
const iat = NOW_EPOCH_MS / 1000

function createCheck(fetchKeys: () => Promise<unknown>, now = () => NOW_EPOCH_MS) {
  return createPassportCheck({ issuer: ISSUER, audience: AUDIENCE, fetchKeys, now })
}

const check = createCheck(async () => await Promise.resolve(minter.jwks))

test('a good passport gives its claims', async () => {
  const claims = await check(await minter.mint({ roles: ['engineer'] }))
  assert.equal(claims.sub, 'user-1')
  assert.deepEqual(claims.roles, ['engineer'])
})

const rows: readonly [string, Record<string, unknown>, Record<string, string>, string, RegExp][] = [
  ['expired', { iat: iat - 100, exp: iat - 31 }, {}, 'IDENTITY_EXPIRED', /has expired/],
  ['for another agent', { aud: 'other' }, {}, 'IDENTITY_INVALID', /claim `aud`/],
  ['of another issuer', { iss: 'https://other.example' }, {}, 'IDENTITY_INVALID', /claim `iss`/],
  ['of another type', {}, { typ: 'JWT' }, 'IDENTITY_INVALID', /claim `typ`/],
  ['from the future', { iat: iat + 31, exp: iat + 91 }, {}, 'IDENTITY_INVALID', /in the future/],
  ['living too long', { exp: iat + 121 }, {}, 'IDENTITY_INVALID', /longer than 120 seconds/],
  ['ending before it begins', { iat, exp: iat - 1 }, {}, 'IDENTITY_INVALID', /ends before/],
  ['without a tenant', { tenant: undefined }, {}, 'IDENTITY_INVALID', /claim `tenant`/],
  ['without an id', { jti: undefined }, {}, 'IDENTITY_INVALID', /claim `jti`/],
]

for (const [name, claims, header, code, message] of rows) {
  test(`a passport ${name} is refused`, async () => {
    await assert.rejects(check(await minter.mint(claims, header)), { code, message })
  })
}

test('a passport of another signer, an unsigned one and none at all are refused', async () => {
  const foreign = await createMinter()
  await assert.rejects(check(await foreign.mint()), { code: 'IDENTITY_INVALID' })
  const [, payload] = (await minter.mint()).split('.')
  const header = Buffer.from('{"alg":"none","typ":"passport+jwt"}').toString('base64url')
  await assert.rejects(check(`${header}.${payload}.`), { code: 'IDENTITY_INVALID' })
  await assert.rejects(check('nonsense'), { code: 'IDENTITY_INVALID' })
  await assert.rejects(check(''), { code: 'IDENTITY_MISSING' })
})

test('a passport is accepted once, and its id again after its time', async () => {
  let nowEpochMs = NOW_EPOCH_MS
  const timed = createCheck(
    async () => await Promise.resolve(minter.jwks),
    () => nowEpochMs,
  )
  await timed(await minter.mint({ jti: 'same' }))
  await assert.rejects(timed(await minter.mint({ jti: 'same' })), { code: 'IDENTITY_INVALID', message: /used before/ })
  nowEpochMs += 120_000
  await timed(await minter.mint({ jti: 'same', iat: nowEpochMs / 1000, exp: nowEpochMs / 1000 + 60 }))
})

test('a new key is fetched, at most once in five seconds, and the last good keys stay', async () => {
  const next = await createMinter('key-2')
  const stranger = await createMinter('key-3')
  let nowEpochMs = NOW_EPOCH_MS
  let fetches = 0
  const answers = [minter.jwks, next.jwks]
  const rotated = createCheck(
    async () => {
      fetches += 1
      const answer = answers.shift()
      if (answer === undefined) throw new Error('unreachable')
      return await Promise.resolve(answer)
    },
    () => nowEpochMs,
  )
  await rotated(await minter.mint())
  await assert.rejects(rotated(await next.mint()), { code: 'IDENTITY_INVALID' })
  nowEpochMs += 5000
  await rotated(await next.mint())
  assert.equal(fetches, 2)
  nowEpochMs += 5000
  await assert.rejects(rotated(await stranger.mint()), { code: 'IDENTITY_INVALID' })
  await rotated(await next.mint())
  assert.equal(fetches, 3)
})

test('without keys nobody is let in', async () => {
  const keyless = createCheck(async () => await Promise.reject(new Error('down')))
  await assert.rejects(keyless(await minter.mint()), { code: 'IDENTITY_UNAVAILABLE', status: 503 })
})
