import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SignJWT, UnsecuredJWT, decodeJwt } from 'jose'
import { Refusal } from '#contract/refusal.ts'
import { createOidcIssuer } from './oidc.ts'
import { challengeOf } from '#wire/challenge.ts'
import { type Stage, type StageOptions, withEntra } from './entra.suite.ts'

const API = 'bbbbbbbb-0000-4000-8000-000000000002'
const OURS = '11111111-2222-4333-8444-555555555555'
const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad'
const ADA = 'Ada Example'
const CLIENT = 'aaaaaaaa-0000-4000-8000-000000000001'

type Make = (stage: Stage) => Promise<string> | string

/** Everything that can be wrong with a token, the status and the sentence that it gets. Nothing here is a 5xx. */
const rows: readonly (readonly [
  what: string,
  make: Make,
  status: number,
  message: string | RegExp,
  at?: StageOptions,
])[] = [
  [
    'alg none',
    async ({ mint }) => new UnsecuredJWT(decodeJwt(await mint())).encode(),
    401,
    'the token is signed with `none`, only RS256 is accepted',
  ],
  [
    'a shared secret instead of a key',
    async ({ mint }) => resigned(await mint(), 'HS256'),
    401,
    'the token is signed with `HS256`, only RS256 is accepted',
  ],
  [
    'an algorithm in words',
    ({ mint }) => mint({ header: { alg: 'RS256' } }).then((token) => withHeader(token, { alg: ['RS256'], kid: 'k' })),
    401,
    'the token is signed with `not text`, only RS256 is accepted',
  ],
  [
    'an unknown key',
    ({ mint }) => mint({ header: { kid: 'nope' } }),
    401,
    'issuer `contoso` has no signing key `nope`',
  ],
  [
    'a key that is no text',
    async ({ mint }) => withHeader(await mint(), { alg: 'RS256', kid: 7 }),
    401,
    'the token names no signing key (`kid`)',
  ],
  [
    'a forged issuer',
    ({ mint }) => mint({ claims: { iss: 'https://login.evil.example/x/v2.0' } }),
    401,
    'tokens of issuer `https://login.evil.example/x/v2.0` are not accepted here',
  ],
  [
    'an issuer that is no text',
    ({ mint }) => mint({ claims: { iss: ['x'] } }),
    401,
    /^(tokens of issuer|the credential)/,
  ],
  [
    'the key of personal accounts in a directory',
    ({ mint }) => mint({ personalKey: true }),
    401,
    'the token is signed with a key that belongs to another issuer',
  ],
  [
    'the key of directories for a personal account',
    ({ mint, clouds }) => mint({ claims: { tid: PERSONAL, iss: `${clouds.urls.entra}/${PERSONAL}/v2.0` } }),
    401,
    'the token is signed with a key that belongs to another issuer',
    { simulated: { tenants: [OURS, PERSONAL] }, options: { tenants: [OURS, PERSONAL] } },
  ],
  [
    'another key under the name of a published one',
    ({ mint }) => mint({ foreignKey: true }),
    401,
    'the signature of the token is wrong',
  ],
  [
    'a stale token',
    ({ mint }) => mint({ lifetimeS: 60, skewMs: -600_000 }),
    401,
    'the token has expired, request a new one',
  ],
  [
    'a token of the future',
    ({ mint }) => mint({ skewMs: 600_000 }),
    401,
    'the token is not valid yet, compare the clocks of issuer and control plane',
  ],
  [
    'a huge token',
    ({ mint }) => mint({ claims: { x: 'x'.repeat(20_000) } }),
    401,
    'the token is longer than 16384 characters',
  ],
  [
    'a v1.0 token where only v2.0 is taken',
    ({ mint }) => mint({ version: 1 }),
    401,
    'the token is of version 1.0, which this API does not take: set `requestedAccessTokenVersion` of its registration to 2',
    { options: { versions: ['v2'] } },
  ],
  [
    'a v2.0 token where only v1.0 is taken',
    ({ mint }) => mint(),
    401,
    'the token is of version 2.0, which this API does not take: set `requestedAccessTokenVersion` of its registration to 1',
    { options: { versions: ['v1'] } },
  ],
  [
    'no version',
    ({ mint }) => mint({ claims: { ver: undefined } }),
    401,
    'the token names no version (`ver`) of 1.0 or 2.0',
  ],
  [
    'a v1.0 issuer under version 2.0',
    ({ mint, clouds }) => mint({ claims: { iss: `${clouds.urls.entra}/${OURS}/` } }),
    401,
    /^the issuer `.*` is not the one of tenant/,
  ],
  [
    'another audience',
    ({ mint }) => mint({ audience: '00000003-0000-0000-c000-000000000000' }),
    401,
    `the token is for audience \`00000003-0000-0000-c000-000000000000\`, request one for \`${API}\``,
  ],
  [
    'neither scope nor role',
    ({ mint }) => mint({ claims: { roles: undefined } }),
    403,
    'the token carries neither a scope (`scp`) nor an application role (`roles`)',
  ],
  [
    'empty roles and an empty scope',
    ({ mint }) => mint({ user: ADA, claims: { roles: [], scp: '' } }),
    403,
    'the token carries neither a scope (`scp`) nor an application role (`roles`)',
  ],
  [
    'a client that is not listed',
    ({ mint }) => mint(),
    403,
    `client \`${CLIENT}\` is not accepted here`,
    { options: { clients: [PERSONAL] } },
  ],
  [
    "an application's own token where people are asked for",
    ({ mint }) => mint(),
    403,
    "applications' own tokens are not accepted here, request a token for a person",
    { options: { idtyp: ['user'] } },
  ],
  [
    "a person's token where applications are asked for",
    ({ mint }) => mint({ user: ADA }),
    403,
    "people's tokens are not accepted here, request a token for the application itself",
    { options: { idtyp: ['app'] } },
  ],
  [
    'the authentication context missing',
    ({ mint }) => mint({ user: ADA, claims: { acrs: ['p1'] } }),
    401,
    'the token lacks the authentication context `c1`, request one with the claims of the challenge',
    { options: { requireAcrs: ['c1'] } },
  ],
  ['three dots of nothing', () => '...', 401, 'the credential is neither a key (`tp-...`) nor a JSON Web Token'],
  [
    'claims that are no object',
    async ({ mint }) => withClaims(await mint(), '"text"'),
    401,
    'the credential is neither a key (`tp-...`) nor a JSON Web Token',
  ],
]

for (const [what, make, status, message, at] of rows) {
  test(`${what}: refused with ${status} and a sentence of its own`, () =>
    withEntra(async (stage) => {
      const refusal = await refusalOf(stage.ask(await make(stage)))
      if (typeof message === 'string') assert.equal(refusal.message, message)
      else assert.match(refusal.message, message)
      assert.equal(refusal.status, status)
    }, at))
}

test('an algorithm of one issuer is not one of another', () =>
  withEntra(
    async ({ ask, mint }) => {
      const { message } = await refusalOf(ask(withHeader(await mint(), { alg: 'ES256', kid: 'k' })))
      assert.equal(message, 'the token is signed with `ES256`, only RS256 is accepted')
    },
    {
      others: (_clouds, cross) => [
        createOidcIssuer(
          {
            name: 'okta',
            issuer: 'https://id.example',
            audiences: ['api'],
            algorithms: ['ES256'],
            rolesClaim: 'roles',
            tenant: 't',
            place: { cloud: 'local', region: 'local' },
          },
          cross,
          Date.now,
        ),
      ],
    },
  ))

test('a challenge says in the header what the next token has to bring', () =>
  withEntra(
    async ({ ask, mint, clouds }) => {
      const header = challengeOf(await refusalOf(ask(await mint({ user: ADA }))))
      const claims = /, error="insufficient_claims", claims="([\w+/=]+)"$/.exec(header)?.[1] ?? ''
      assert.deepEqual(JSON.parse(Buffer.from(claims, 'base64').toString()), {
        access_token: { acrs: { essential: true, value: 'c1' } },
      })
      assert.ok(
        header.startsWith(
          `Bearer realm="", authorization_uri="${clouds.urls.entra}/${OURS}/oauth2/v2.0/authorize", error=`,
        ),
      )
      assert.equal((await ask(await mint({ user: ADA, claims: { acrs: ['c1'] } }))).kind, 'user')
      assert.equal((await ask(await mint({ user: ADA, claims: { acrs: 'c1' } }))).kind, 'user')
    },
    { options: { requireAcrs: ['c1'] } },
  ))

async function refusalOf(asked: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await asked.then(
    () => assert.fail('it was accepted'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof Refusal, String(error))
  return error
}

/** The same claims with the signature of somebody who knows the public key only. */
async function resigned(token: string, alg: string): Promise<string> {
  return new SignJWT(decodeJwt(token)).setProtectedHeader({ alg, kid: 'k' }).sign(Buffer.alloc(32, 1))
}

function withHeader(token: string, header: object): string {
  const [, claims = '', signature = ''] = token.split('.')
  return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${claims}.${signature}`
}

function withClaims(token: string, text: string): string {
  const [header = '', , signature = ''] = token.split('.')
  return `${header}.${Buffer.from(text).toString('base64url')}.${signature}`
}

test('whatever is sent as a token is let in or refused, and never a fault', () =>
  withEntra(async ({ ask, mint, clouds }) => {
    const good = await mint()
    await ask(good)
    const [head = '', body = ''] = good.split('.')
    const fields = (of: string): Record<string, unknown> =>
      JSON.parse(Buffer.from(of, 'base64url').toString()) as Record<string, unknown>
    const names = ['iss', 'aud', 'tid', 'ver', 'oid', 'exp', 'nbf', 'scp', 'roles', 'groups', 'azp', 'acrs', 'xms_cc']
    const change = fc.dictionary(
      fc.constantFrom(...names, '_claim_names', 'idtyp', 'uti', 'xms_act_fct'),
      fc.jsonValue(),
    )
    await fc.assert(
      fc.asyncProperty(change, fc.boolean(), async (claims, isSigned) => {
        const token = isSigned
          ? await clouds.mintToken({ claims: { ...claims } })
          : withClaims(good, JSON.stringify({ ...fields(body), ...claims }))
        await ask(token).catch((error: unknown) =>
          assert.ok(error instanceof Refusal && error.status < 504, String(error)),
        )
      }),
      { numRuns: 150 },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom('alg', 'kid', 'typ', 'crit', 'b64'), fc.jsonValue()),
        async (header) => {
          const token = withHeader(good, { ...fields(head), ...header })
          await ask(token).catch((error: unknown) =>
            assert.ok(error instanceof Refusal && error.status < 500, String(error)),
          )
        },
      ),
      { numRuns: 100 },
    )
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 200 }), async (text) => {
        await ask(text).catch((error: unknown) =>
          assert.ok(error instanceof Refusal && error.status < 500, String(error)),
        )
      }),
      { numRuns: 100 },
    )
  }))
