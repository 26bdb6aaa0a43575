import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignJWT, UnsecuredJWT } from 'jose'
import type { MintOptions } from '#simclouds/entra-tokens.ts'
import { openDenyList } from './deny.ts'
import { createEntraIssuer } from './entra.ts'
import { newTrip, withEntra } from './entra.suite.ts'
import { identify } from './identify.ts'
import { openKeyRing } from './key.ts'
import { createOidcIssuer } from './oidc.ts'

const MINUTE_MS = 60_000

test('an application of version 2 is known by its object id', () =>
  withEntra(async ({ ask, mint, clouds }) => {
    const [client] = clouds.settings.entra.clients
    const principal = await ask(await mint())
    assert.deepEqual(
      { ...principal, credentialId: '' },
      {
        subject: client?.oid,
        tenant: clouds.settings.entra.tenants[0],
        kind: 'app',
        roles: ['Gateway.Invoke'],
        groups: [],
        client: client?.clientId,
        via: 'contoso',
        credentialId: '',
      },
    )
    assert.match(principal.credentialId, /^[\w-]{22}$/)
    assert.ok(Object.isFrozen(principal) && Object.isFrozen(principal.roles))
  }))

test('a person is one, of version 1 too, with roles and groups', () =>
  withEntra(async ({ ask, mint, clouds }) => {
    const [user] = clouds.settings.entra.users
    for (const version of [1, 2] as const) {
      const { kind, subject, roles, groups, client } = await ask(
        await mint({ version, user: user?.name, roles: ['b', 'a'] }),
      )
      assert.deepEqual(
        [kind, subject, roles, groups, client],
        ['user', user?.oid, ['a', 'b'], user?.groups, clouds.settings.entra.clients[0]?.clientId],
      )
    }
  }))

test('keys are fetched once for many tokens, and a token is checked once', () =>
  withEntra(async ({ ask, mint, fetches }) => {
    const tokens = await Promise.all([mint(), mint(), mint()])
    await Promise.all(tokens.map(ask))
    assert.equal(fetches(), 1)
    const [first] = tokens
    assert.equal(await ask(first), await ask(first))
    assert.equal(fetches(), 1)
  }))

test('a rollover costs nobody a request', () =>
  withEntra(async ({ ask, mint, pass, clouds, fetches }) => {
    const old = await mint()
    await ask(old)
    pass(MINUTE_MS)
    await clouds.rotateKeys()
    const fresh = await mint()
    const another = await mint()
    assert.equal((await ask(fresh)).via, 'contoso')
    assert.equal((await ask(another)).via, 'contoso')
    assert.equal((await ask(old)).via, 'contoso')
    assert.equal(fetches(), 2)
  }))

test('with the issuer down, callers whose keys are known go on', () =>
  withEntra(async ({ ask, mint, pass, clouds }) => {
    await ask(await mint())
    clouds.faults.set({ service: 'entra', kind: 'error' })
    pass(25 * 60 * MINUTE_MS)
    assert.equal((await ask(await mint({ lifetimeS: 200_000 }))).via, 'contoso')
  }))

test('with the issuer down from the start, nobody is turned away as unknown', () =>
  withEntra(async ({ ask, mint, clouds }) => {
    clouds.faults.set({ service: 'entra', kind: 'error' })
    const message = 'the signing keys of issuer `contoso` can not be fetched'
    await assert.rejects(ask(await mint()), { name: 'Refusal', code: 'IDENTITY_UNAVAILABLE', message, retryAfterS: 5 })
    clouds.faults.clear()
    clouds.faults.set({ service: 'entra', kind: 'malformed' })
    await assert.rejects(ask(await mint()), { name: 'Refusal', code: 'IDENTITY_UNAVAILABLE', message })
    clouds.faults.clear()
    assert.equal((await ask(await mint())).via, 'contoso')
  }))

test('a new key that can not be fetched is a fault of the issuer, not of the caller', () =>
  withEntra(async ({ ask, mint, pass, clouds }) => {
    await ask(await mint())
    pass(MINUTE_MS)
    await clouds.rotateKeys()
    clouds.faults.set({ service: 'entra', kind: 'error' })
    await assert.rejects(ask(await mint()), { name: 'Refusal', code: 'IDENTITY_UNAVAILABLE' })
  }))

test('a clock that is off by less than five minutes does not matter, by more it does', () =>
  withEntra(async ({ ask, mint }) => {
    const lifetimeS = 600
    await ask(await mint({ lifetimeS, skewMs: -lifetimeS * 1000 - 4.9 * MINUTE_MS }))
    await ask(await mint({ skewMs: 4.9 * MINUTE_MS }))
    await assert.rejects(ask(await mint({ lifetimeS, skewMs: -lifetimeS * 1000 - 5.1 * MINUTE_MS })), {
      code: 'IDENTITY_EXPIRED',
      message: 'the token has expired, request a new one',
    })
    await assert.rejects(ask(await mint({ skewMs: 5.1 * MINUTE_MS })), {
      code: 'IDENTITY_INVALID',
      message: 'the token is not valid yet, compare the clocks of issuer and control plane',
    })
  }))

test('a token that was accepted is not any more when its time is up', () =>
  withEntra(async ({ ask, mint, pass }) => {
    const token = await mint({ lifetimeS: 600 })
    await ask(token)
    pass(16 * MINUTE_MS)
    for (let time = 0; time < 2; time += 1) {
      await assert.rejects(ask(token), {
        code: 'IDENTITY_EXPIRED',
        message: 'the token has expired, request a new one',
      })
    }
  }))

const TENANT = '00000000-0000-4000-8000-000000000000'
const OURS = '11111111-2222-4333-8444-555555555555'

const refused: readonly (readonly [what: string, options: MintOptions, message: string])[] = [
  ['another tenant', { claims: { tid: TENANT } }, `tenant \`${TENANT}\` is not accepted here`],
  ['no tenant', { claims: { tid: undefined } }, 'the token names no tenant (`tid`)'],
  ['a tenant that is a path', { claims: { tid: '../../x' } }, 'the token names no tenant (`tid`)'],
  [
    'another audience',
    { audience: 'api://other' },
    'the token is for audience `api://other`, request one for `bbbbbbbb-0000-4000-8000-000000000002`',
  ],
  [
    'several other audiences',
    { claims: { aud: ['api://other', 7] } },
    'the token is for audience `api://other`, request one for `bbbbbbbb-0000-4000-8000-000000000002`',
  ],
  [
    'no audience',
    { claims: { aud: undefined } },
    'the token is for audience ``, request one for `bbbbbbbb-0000-4000-8000-000000000002`',
  ],
  [
    'another issuer',
    { claims: { iss: 'https://evil.example/x' } },
    'tokens of issuer `https://evil.example/x` are not accepted here',
  ],
  ['no issuer', { claims: { iss: undefined } }, 'tokens of issuer `` are not accepted here'],
  ['no object', { claims: { oid: undefined } }, 'the token names no object (`oid`)'],
  ['no expiry', { claims: { exp: undefined } }, 'the token never expires (`exp` is missing)'],
  ['an expiry in words', { claims: { exp: 'never' } }, 'the token never expires (`exp` is missing)'],
  ['an unknown key', { header: { kid: 'nope\n' } }, 'issuer `contoso` has no signing key `nope?`'],
  ['no key', { header: { kid: undefined } }, 'the token names no signing key (`kid`)'],
  ['a key of somebody else under a known name', { foreignKey: true }, 'the signature of the token is wrong'],
]

for (const [what, options, message] of refused) {
  test(`a token with ${what} is refused, and the message says why`, () =>
    withEntra(async ({ ask, mint }) => {
      await assert.rejects(ask(await mint(options)), { name: 'Refusal', code: 'IDENTITY_INVALID', message })
    }))
}

test('an issuer of another tenant, or of the other version, does not fit the tenant', () =>
  withEntra(async ({ ask, mint, clouds }) => {
    for (const iss of [
      `${clouds.urls.entra}/${TENANT}/v2.0`,
      `${clouds.urls.entra}/${OURS}/`,
      `${clouds.urls.entra}/${OURS}/v2.0/`,
    ]) {
      const message = `the issuer \`${iss}\` is not the one of tenant \`${OURS}\``
      await assert.rejects(ask(await mint({ claims: { iss } })), { code: 'IDENTITY_INVALID', message })
    }
  }))

test('a token whose claims were changed after signing is refused', () =>
  withEntra(async ({ ask, mint }) => {
    const [head = '', claims = '', signature = ''] = (await mint()).split('.')
    const changed = Buffer.from(
      Buffer.from(claims, 'base64url').toString().replace('Gateway.Invoke', 'Gateway.Admin!'),
    ).toString('base64url')
    await assert.rejects(ask(`${head}.${changed}.${signature}`), {
      code: 'IDENTITY_INVALID',
      message: 'the signature of the token is wrong',
    })
  }))

test('what is no token, or signed in another way, asks nobody', () =>
  withEntra(async ({ ask, fetches, clouds }) => {
    const claims = { iss: `${clouds.urls.entra}/${OURS}/v2.0`, tid: OURS, ver: '2.0' }
    const symmetric = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'k' }).sign(Buffer.alloc(32, 1))
    const neither = 'the credential is neither a key (`tp-...`) nor a JSON Web Token'
    const rows: readonly (readonly [token: string, message: string])[] = [
      [new UnsecuredJWT(claims).encode(), 'the token is signed with `none`, only RS256 is accepted'],
      [symmetric, 'the token is signed with `HS256`, only RS256 is accepted'],
      ['garbage', neither],
      ['a.b', neither],
      ['a.b.c', neither],
      ['e30.e30.', 'the token is signed with ``, only RS256 is accepted'],
      ['a'.repeat(16_385), 'the token is longer than 16384 characters'],
    ]
    for (const [token, message] of rows) {
      await assert.rejects(ask(token), { name: 'Refusal', code: 'IDENTITY_INVALID', message }, token.slice(0, 20))
    }
    assert.equal(fetches(), 0)
  }))

test('forged key ids do not become load on the issuer', () =>
  withEntra(async ({ ask, mint, fetches }) => {
    await ask(await mint())
    for (let forged = 0; forged < 20; forged += 1) {
      await assert.rejects(ask(await mint({ header: { kid: `forged-${forged}` } })), { code: 'IDENTITY_INVALID' })
    }
    assert.equal(fetches(), 3)
  }))

test('any other issuer is judged by its exact name, its audiences and its own claim of roles', () =>
  withEntra(async ({ clouds, cross, mint }) => {
    const base = `${clouds.urls.entra}/${OURS}`
    const issuer = createOidcIssuer(
      {
        name: 'okta',
        issuer: `${base}/v2.0`,
        jwksUrl: `${base}/discovery/v2.0/keys`,
        audiences: ['api'],
        rolesClaim: 'permissions',
        tenant: 'fabrikam',
        place: { cloud: 'local', region: 'local' },
      },
      cross,
      Date.now,
    )
    const ask = async (token: string) =>
      identify(
        { keys: openKeyRing([], Date.now), issuers: [issuer], denied: openDenyList([]) },
        { authorization: `bearer  ${token}`, apiKey: undefined },
        newTrip(),
      )
    const principal = await ask(
      await mint({
        claims: {
          aud: ['other', 'api'],
          sub: 'ada',
          permissions: ['b', 'a', 7],
          jti: 'j1',
          client_id: 'cli',
          azp: undefined,
        },
      }),
    )
    assert.deepEqual(principal, {
      subject: 'ada',
      tenant: 'fabrikam',
      kind: 'user',
      roles: ['a', 'b'],
      groups: [],
      client: 'cli',
      via: 'okta',
      credentialId: 'j1',
    })
    const rows: readonly (readonly [claims: MintOptions['claims'], message: string])[] = [
      [{ aud: 'other' }, 'the token is for audience `other`, request one for `api`'],
      [{ aud: 'api', sub: undefined }, 'the token names no subject (`sub`)'],
      [{ aud: 'api', iss: `${base}/v2.0/` }, `tokens of issuer \`${base}/v2.0/\` are not accepted here`],
    ]
    for (const [claims, message] of rows)
      await assert.rejects(ask(await mint({ claims })), { code: 'IDENTITY_INVALID', message })
  }))

test('the header decides, and says what it should hold', async () => {
  const deps = { keys: openKeyRing([], Date.now), issuers: [], denied: openDenyList([]) }
  const ask = async (authorization: string | undefined, apiKey?: string) =>
    identify(deps, { authorization, apiKey }, newTrip())
  const missing = 'no credential, send `Authorization: Bearer` with a token or a key, or `x-api-key` with a key'
  await assert.rejects(ask(undefined), { code: 'IDENTITY_MISSING', message: missing })
  await assert.rejects(ask(undefined, ''), { code: 'IDENTITY_MISSING', message: missing })
  for (const header of ['Basic YTpi', 'Bearer', 'Bearer a b', 'tp-x']) {
    await assert.rejects(
      ask(header),
      { code: 'IDENTITY_INVALID', message: 'the authorization header is not `Bearer` and one token' },
      header,
    )
  }
  await assert.rejects(ask(undefined, 'tp-x'), {
    code: 'IDENTITY_INVALID',
    message: 'the key is not of the form `tp-<id>-<secret>`, copy it again',
  })
})

test('one of several audiences is enough', () =>
  withEntra(async ({ ask, mint }) => {
    const aud = ['api://other', 'bbbbbbbb-0000-4000-8000-000000000002']
    assert.equal((await ask(await mint({ claims: { aud } }))).via, 'contoso')
  }))

test('a listed client needs neither scope nor role, in either case of its id', () =>
  withEntra(
    async ({ ask, mint }) => {
      assert.equal((await ask(await mint({ claims: { roles: undefined } }))).kind, 'app')
      const azp = 'AAAAAAAA-0000-4000-8000-000000000001'
      assert.equal((await ask(await mint({ claims: { roles: undefined, azp } }))).client, azp)
    },
    { options: { clients: ['aaaaaaaa-0000-4000-8000-000000000001'] } },
  ))

test('a personal account is known by the key of personal accounts, where these are accepted', () =>
  withEntra(
    async ({ ask, mint, clouds }) => {
      const tid = '9188040d-6c67-4c5b-b112-36a304b66dad'
      const claims = { tid, iss: `${clouds.urls.entra}/${tid}/v2.0` }
      assert.equal((await ask(await mint({ claims, personalKey: true, user: 'Ada Example' }))).tenant, tid)
    },
    {
      simulated: { tenants: [OURS, '9188040d-6c67-4c5b-b112-36a304b66dad'] },
      options: { tenants: ['9188040d-6c67-4c5b-b112-36a304b66dad'] },
    },
  ))

test('of several registrations and directories at one login host, the one that the token fits judges it', () =>
  withEntra(
    async ({ ask, mint }) => {
      assert.equal((await ask(await mint())).via, 'contoso')
      assert.equal((await ask(await mint({ audience: 'api://second' }))).via, 'second')
      assert.equal((await ask(await mint({ tenant: TENANT, audience: 'api://third' }))).via, 'third')
      await assert.rejects(ask(await mint({ tenant: TENANT, audience: 'api://second' })), {
        code: 'IDENTITY_INVALID',
        message: `tenant \`${TENANT}\` is not accepted here`,
      })
    },
    {
      simulated: { tenants: [OURS, TENANT] },
      options: { tenants: [OURS] },
      others: (clouds, cross) =>
        (
          [
            ['second', OURS],
            ['third', TENANT],
          ] as const
        ).map(([name, tenant]) =>
          createEntraIssuer(
            {
              name,
              authority: clouds.urls.entra,
              v1Host: clouds.urls.entra,
              tenants: [tenant],
              audiences: [`api://${name}`],
              region: 'eastus',
            },
            cross,
            Date.now,
          ),
        ),
    },
  ))

test('without issuers a token is told that keys are what is taken', async () => {
  const deps = { keys: openKeyRing([], Date.now), issuers: [], denied: openDenyList([]) }
  const token = new UnsecuredJWT({}).encode()
  await assert.rejects(async () => identify(deps, { authorization: `Bearer ${token}`, apiKey: undefined }, newTrip()), {
    message: 'access tokens are not accepted here, send a key (`tp-...`)',
  })
})
