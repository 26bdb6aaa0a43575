import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { type CryptoKey, type JWK, SignJWT, exportJWK, generateKeyPair } from 'jose'
import type { Principal } from '#contract/principal.ts'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { openDenyList } from './deny.ts'
import { bearer, newTrip } from './entra.suite.ts'
import { identify } from './identify.ts'
import type { Algorithm } from './jwks.ts'
import { openKeyRing } from './key.ts'
import { type OidcOptions, createOidcIssuer } from './oidc.ts'

interface Okta {
  readonly url: string
  readonly ask: (token: string) => Promise<Principal>
  readonly sign: (alg: Algorithm, claims?: Record<string, unknown>) => Promise<string>
  /** What each path answers; change it to break the issuer. */
  readonly answers: Record<string, unknown>
  readonly asked: string[]
}

/** A small issuer with one key for each algorithm. */
async function withOkta(options: Partial<OidcOptions>, body: (okta: Okta) => Promise<void>): Promise<void> {
  const answers: Record<string, unknown> = {}
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const answer = answers[request.url ?? '']
    response.statusCode = answer === undefined ? 404 : 200
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer ?? {}))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const pairs = new Map<Algorithm, { kid: string; privateKey: CryptoKey; jwk: JWK }>()
  for (const alg of ['RS256', 'PS256', 'ES256'] as const) {
    const { privateKey, publicKey } = await generateKeyPair(alg)
    pairs.set(alg, {
      kid: `k-${alg}`,
      privateKey,
      jwk: { ...(await exportJWK(publicKey)), kid: `k-${alg}`, use: 'sig' },
    })
  }
  answers['/keys'] = { keys: [...pairs.values()].map(({ jwk }) => jwk) }
  answers['/.well-known/openid-configuration'] = { issuer: url, jwks_uri: `${url}/keys` }
  const border = openBorder({
    from: { cloud: 'local', region: 'local' },
    rules: DEFAULT_RULES,
    egressMicroUsd: () => 0,
  })
  const issuer = createOidcIssuer(
    {
      name: 'okta',
      issuer: url,
      audiences: ['api'],
      rolesClaim: 'roles',
      tenant: 'fabrikam',
      place: { cloud: 'local', region: 'local' },
      ...options,
    },
    border.cross,
    Date.now,
  )
  const deps = { keys: openKeyRing([], Date.now), issuers: [issuer], denied: openDenyList([]) }
  try {
    await body({
      url,
      answers,
      asked,
      ask: async (token) => identify(deps, bearer(token), newTrip()),
      sign: async (alg, claims = {}) => {
        const pair = pairs.get(alg)
        assert.ok(pair)
        return new SignJWT({ iss: url, aud: 'api', sub: 'ada', roles: ['developer'], ...claims })
          .setProtectedHeader({ alg, kid: pair.kid })
          .setExpirationTime('1h')
          .sign(pair.privateKey)
      },
    })
  } finally {
    await border.close(50)
    server.closeAllConnections()
    server.close()
  }
}

test('keys are found by discovery, and each algorithm that is listed is taken', () =>
  withOkta({ algorithms: ['RS256', 'PS256', 'ES256'] }, async ({ ask, sign, asked }) => {
    for (const alg of ['RS256', 'PS256', 'ES256'] as const)
      assert.equal((await ask(await sign(alg))).subject, 'ada', alg)
    assert.deepEqual(asked, ['/.well-known/openid-configuration', '/keys'])
  }))

test('an algorithm that is not listed is refused with those that are', () =>
  withOkta({ algorithms: ['PS256', 'ES256'] }, async ({ ask, sign }) => {
    await assert.rejects(ask(await sign('RS256')), {
      code: 'IDENTITY_INVALID',
      message: 'the token is signed with `RS256`, only PS256, ES256 are accepted',
    })
  }))

test('without a list RS256 alone is taken', () =>
  withOkta({}, async ({ ask, sign }) => {
    assert.equal((await ask(await sign('RS256'))).via, 'okta')
    await assert.rejects(ask(await sign('ES256')), {
      message: 'the token is signed with `ES256`, only RS256 is accepted',
    })
  }))

test("a client's own token is an application's", () =>
  withOkta({}, async ({ ask, sign }) => {
    assert.equal((await ask(await sign('RS256', { sub: 'cli', client_id: 'cli' }))).kind, 'app')
    assert.equal((await ask(await sign('RS256', { client_id: 'cli' }))).kind, 'user')
  }))

const MESSAGE = 'the signing keys of issuer `okta` can not be fetched'

const broken: readonly (readonly [what: string, document: (url: string) => unknown])[] = [
  ['of another issuer', (url) => ({ issuer: `${url}/other`, jwks_uri: `${url}/keys` })],
  ['with keys on another host', (url) => ({ issuer: url, jwks_uri: 'https://keys.evil.example/keys' })],
  ['with keys by another scheme', (url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' })],
  ['without keys', (url) => ({ issuer: url })],
  ['in HTML', () => '<html>no</html>'],
  ['beyond a megabyte', () => 'x'.repeat(1_100_000)],
  ['that is not there', () => undefined],
]

for (const [what, document] of broken) {
  test(`a discovery document ${what} is a fault of the issuer, not of the caller`, () =>
    withOkta({}, async ({ ask, sign, answers, url }) => {
      const good = answers['/.well-known/openid-configuration']
      answers['/.well-known/openid-configuration'] = document(url)
      await assert.rejects(ask(await sign('RS256')), { code: 'IDENTITY_UNAVAILABLE', status: 503, message: MESSAGE })
      answers['/.well-known/openid-configuration'] = good
      assert.equal((await ask(await sign('RS256'))).via, 'okta')
    }))
}

test('a host that is not this machine has to serve its keys itself, by https', async () => {
  const { createDiscovery } = await import('./discovery.ts')
  const place = { cloud: 'local', region: 'local' } as const
  const ask = async (issuer: string, jwksUri: string): Promise<string> => {
    const document = JSON.stringify({ issuer, jwks_uri: jwksUri })
    const discover = createDiscovery(
      issuer,
      place,
      () => Promise.resolve({ status: 200, text: () => Promise.resolve(document) } as never),
      Date.now,
    )
    return (await discover(newTrip())).jwks_uri
  }
  assert.equal(await ask('https://id.example', 'https://id.example/keys'), 'https://id.example/keys')
  for (const uri of [
    'http://id.example/keys',
    'https://id.example:8443/keys',
    'https://evil.example/keys',
    'http://127.0.0.1/keys',
  ])
    await assert.rejects(ask('https://id.example', uri), /is not an https address of the issuer's own host/, uri)
})
