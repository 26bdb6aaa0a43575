import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportJWK, generateKeyPair } from 'jose'
import { newTrip, withEntra } from './entra.suite.ts'
import { createKeySet } from './jwks.ts'

const DAY_MS = 24 * 3_600_000
const MESSAGE = 'the signing keys of issuer `contoso` can not be fetched'

for (const kind of ['error', 'throttle', 'refuse', 'reset-before', 'malformed', 'end-early', 'hang'] as const) {
  test(`keys that are known go on when the issuer is out (${kind}), also past their refresh`, () =>
    withEntra(async ({ ask, mint, clouds, pass }) => {
      await ask(await mint())
      clouds.faults.set({ service: 'entra', kind })
      pass(DAY_MS + 60_000)
      for (let time = 0; time < 3; time += 1)
        assert.equal((await ask(await mint({ lifetimeS: 200_000 }))).via, 'contoso')
    }))
}

test('a rollover in the middle of load costs nobody a request', () =>
  withEntra(async ({ ask, mint, clouds, pass }) => {
    await ask(await mint())
    pass(60_000)
    const tokens: string[] = []
    for (let at = 0; at < 40; at += 1) {
      if (at === 20) await clouds.rotateKeys()
      tokens.push(await mint())
    }
    // The answer with the new key is slow: those with the old one do not wait for it.
    clouds.faults.set({ service: 'entra', kind: 'latency', ms: 150, count: 1 })
    const order: number[] = []
    await Promise.all(tokens.map(async (token, at) => ask(token).then(() => order.push(at))))
    assert.equal(order.length, 40)
    assert.ok(Math.max(...order.slice(0, 20)) < 20, order.join())
  }))

async function documents() {
  const made = await Promise.all(['RS256', 'PS256', 'ES256'].map(async (alg) => generateKeyPair(alg)))
  return Promise.all(made.map(async ({ publicKey }, at) => ({ ...(await exportJWK(publicKey)), kid: `k${at}` })))
}

function keySetOf(document: () => unknown, now = (): number => 0) {
  let fetches = 0
  const keys = createKeySet(
    'contoso',
    () => {
      fetches += 1
      return Promise.resolve(document())
    },
    now,
    ['RS256', 'ES256'],
  )
  return {
    find: (kid: string, alg: 'RS256' | 'ES256' = 'RS256') => keys.find(kid, alg, newTrip()),
    fetches: () => fetches,
  }
}

test('odd keys of a document are passed over, the others are used', async () => {
  const [rsa, , ec] = await documents()
  const { find } = keySetOf(() => ({
    keys: [
      null,
      7,
      { kty: 'RSA' },
      { ...rsa, kid: 'no-modulus', n: undefined },
      { ...rsa, kid: 'for-encryption', use: 'enc' },
      { ...rsa, kid: 'another-algorithm', alg: 'PS256' },
      { kty: 'oct', kid: 'shared', k: 'AAAA' },
      { ...ec, kid: 'another-curve', crv: 'P-384' },
      rsa,
      ec,
    ],
  }))
  assert.ok(await find('k0'))
  assert.ok(await find('k2', 'ES256'))
  for (const kid of ['no-modulus', 'for-encryption', 'another-algorithm', 'shared'])
    assert.equal(await find(kid), undefined, kid)
  assert.equal(await find('another-curve', 'ES256'), undefined)
})

test('a key is never used for another kind of algorithm', async () => {
  const [rsa, , ec] = await documents()
  const { find } = keySetOf(() => ({ keys: [rsa, ec] }))
  assert.equal(await find('k0', 'ES256'), undefined)
  assert.equal(await find('k2', 'RS256'), undefined)
})

test('a document without keys takes nothing away', async () => {
  const [rsa] = await documents()
  let document: unknown = { keys: [rsa] }
  let now = 0
  const { find } = keySetOf(
    () => document,
    () => now,
  )
  assert.ok(await find('k0'))
  for (const empty of [{ keys: [] }, { keys: [{ kty: 'oct' }] }, {}, '<html>', null]) {
    document = empty
    now += DAY_MS + 6000
    assert.ok(await find('k0'), JSON.stringify(empty))
    await assert.rejects(find('k9'), { code: 'IDENTITY_UNAVAILABLE', message: MESSAGE })
    assert.ok(await find('k0'), JSON.stringify(empty))
  }
})
