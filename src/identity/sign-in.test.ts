import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import type { Cross } from '#contract/crossing.ts'
import { type Stage, gatewayApp, newTrip, withEntra } from './entra.suite.ts'
import { type SignIn, createSignIn, safePath } from './sign-in.ts'

const REDIRECT = 'http://127.0.0.1:8080/auth/callback'
const OURS = '11111111-2222-4333-8444-555555555555'

function signInAt({ clouds, cross, now }: Stage): SignIn {
  const { clientId, secret } = gatewayApp(clouds)
  return createSignIn(
    {
      issuer: `${clouds.urls.entra}/${OURS}/v2.0`,
      clientId,
      secret,
      scopes: ['openid', 'profile'],
      tenant: '',
      rolesClaim: 'roles',
      place: { cloud: 'azure', region: 'eastus' },
    },
    cross,
    now,
  )
}

/** What the browser does: follows the link, picks a person, and comes back. */
async function visit(location: string, person: string): Promise<URLSearchParams> {
  const back = await new Promise<string>((resolve, reject) => {
    request(`${location}&person=${person}`, (response) => {
      response.resume()
      resolve(response.headers.location ?? '')
    })
      .on('error', reject)
      .end()
  })
  assert.ok(back.startsWith(`${REDIRECT}?`), back)
  return new URL(back).searchParams
}

async function begin(stage: Stage, signIn: SignIn, returnTo = '/#requests') {
  const { location, pending } = await signIn.begin({ redirectUri: REDIRECT, returnTo }, newTrip())
  const person = stage.clouds.settings.entra.users.find(({ roles }) => roles.includes('auditor'))
  return { location, pending, query: await visit(location, person?.oid ?? ''), person }
}

test('a person comes back with the roles of their ID token', () =>
  withEntra(async (stage) => {
    const signIn = signInAt(stage)
    const { pending, query, person, location } = await begin(stage, signIn)
    assert.ok(!location.includes('verifier'))
    const who = await signIn.finish({ query, pending, redirectUri: REDIRECT }, newTrip())
    assert.equal(who.name, person?.name)
    assert.equal(who.returnTo, '/#requests')
    assert.deepEqual(
      { ...who.principal },
      {
        subject: person?.oid,
        tenant: OURS,
        kind: 'user',
        roles: ['auditor'],
        groups: [],
        client: stage.clouds.settings.entra.audience,
        via: 'sign-in',
        credentialId: '',
      },
    )
  }))

test('a code is good once, with its own verifier, for the browser that began', () =>
  withEntra(async (stage) => {
    const signIn = signInAt(stage)
    const first = await begin(stage, signIn)
    const second = await begin(stage, signIn)
    const finish = async (query: URLSearchParams, pending: string) =>
      signIn.finish({ query, pending, redirectUri: REDIRECT }, newTrip())
    await assert.rejects(finish(first.query, second.pending), {
      code: 'IDENTITY_INVALID',
      message: 'the answer belongs to another sign-in, sign in again',
    })
    await assert.rejects(finish(first.query, ''), {
      message: 'this browser has not begun a sign-in here, sign in again',
    })
    // The state of one and the code of the other: the verifier does not fit.
    const mixed = new URLSearchParams({ code: first.query.get('code') ?? '', state: second.query.get('state') ?? '' })
    const refused = { code: 'IDENTITY_INVALID', message: 'the issuer does not take the code, sign in again' }
    await assert.rejects(finish(mixed, second.pending), refused)
    await assert.rejects(finish(first.query, first.pending), refused)
    const third = await begin(stage, signIn)
    await finish(third.query, third.pending)
    await assert.rejects(finish(third.query, third.pending), refused)
  }))

test('who takes too long, declines, or comes back with nothing, begins again', () =>
  withEntra(async (stage) => {
    const signIn = signInAt(stage)
    const { pending, query, location } = await begin(stage, signIn)
    const finish = async (answer: URLSearchParams) =>
      signIn.finish({ query: answer, pending, redirectUri: REDIRECT }, newTrip())
    await assert.rejects(finish(await visit(location, '')), {
      message: 'the issuer ended the sign-in with `access_denied`, sign in again',
    })
    await assert.rejects(finish(new URLSearchParams({ state: query.get('state') ?? '' })), {
      message: 'the issuer sent no code, sign in again',
    })
    stage.pass(10 * 60_000)
    await assert.rejects(finish(query), { code: 'IDENTITY_EXPIRED' })
  }))

test('an issuer that is out is a 503, before and after', () =>
  withEntra(async (stage) => {
    const signIn = signInAt(stage)
    const out = { code: 'IDENTITY_UNAVAILABLE', status: 503, message: 'the issuer of the sign-in can not be asked' }
    stage.clouds.faults.set({ service: 'entra', kind: 'error' })
    await assert.rejects(signIn.begin({ redirectUri: REDIRECT, returnTo: '/' }, newTrip()), out)
    stage.clouds.faults.clear()
    for (const kind of ['error', 'malformed', 'reset-before'] as const) {
      const { pending, query } = await begin(stage, signIn)
      stage.clouds.faults.set({ service: 'entra', kind })
      await assert.rejects(signIn.finish({ query, pending, redirectUri: REDIRECT }, newTrip()), out, kind)
      stage.clouds.faults.clear()
    }
  }))

/** An issuer that sends whatever ID token it likes. */
async function forged(change: Record<string, unknown>, header: Record<string, unknown> = {}) {
  const issuer = 'https://id.example'
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k' }
  let nonce = ''
  const cross = (async (_trip: unknown, { url }: { url: string }) => {
    const idToken = async () =>
      new SignJWT({ iss: issuer, aud: 'app', sub: 'ada', nonce, exp: Math.floor(Date.now() / 1000) + 60, ...change })
        .setProtectedHeader({ alg: 'RS256', kid: 'k', ...header })
        .sign(privateKey)
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': {
        issuer,
        jwks_uri: `${issuer}/keys`,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
      },
      '/keys': { keys: [jwk] },
      '/token': { id_token: url.endsWith('/token') ? await idToken() : '' },
    }
    return { status: 200, text: () => Promise.resolve(JSON.stringify(answers[new URL(url).pathname])) }
  }) as unknown as Cross
  const signIn = createSignIn(
    {
      issuer,
      clientId: 'app',
      secret: undefined,
      scopes: ['openid'],
      tenant: 'fabrikam',
      rolesClaim: 'roles',
      place: { cloud: 'local', region: 'local' },
    },
    cross,
    Date.now,
  )
  const { location, pending } = await signIn.begin({ redirectUri: REDIRECT, returnTo: '/' }, newTrip())
  const asked = new URL(location).searchParams
  nonce = asked.get('nonce') ?? ''
  const query = new URLSearchParams({ code: 'c', state: asked.get('state') ?? '' })
  return signIn.finish({ query, pending, redirectUri: REDIRECT }, newTrip())
}

const wrong: readonly (readonly [what: string, change: Record<string, unknown>, message: string | RegExp])[] = [
  ['of another issuer', { iss: 'https://evil.example' }, 'the ID token is of another issuer, sign in again'],
  ['for another application', { aud: 'other' }, 'the ID token is for another application, sign in again'],
  [
    'for several, issued to another',
    { aud: ['app', 'x'], azp: 'x' },
    'the ID token was issued to another application, sign in again',
  ],
  ['of another sign-in', { nonce: 'x' }, 'the ID token belongs to another sign-in, sign in again'],
  ['without a nonce', { nonce: undefined }, 'the ID token belongs to another sign-in, sign in again'],
  ['that has expired', { exp: 1 }, 'the token has expired, request a new one'],
  ['that names nobody', { sub: undefined }, 'the ID token names nobody, sign in again'],
]

for (const [what, change, message] of wrong) {
  test(`an ID token ${what} is not taken`, async () => {
    await assert.rejects(forged(change), { message })
  })
}

test('an ID token by another key is not taken, a good one is', async () => {
  await assert.rejects(forged({}, { kid: 'x' }), {
    message: 'the issuer has no key that the ID token is signed with, sign in again',
  })
  const { principal } = await forged({ roles: ['viewer'] })
  assert.deepEqual([principal.subject, principal.tenant, principal.roles], ['ada', 'fabrikam', ['viewer']])
})

test('the way back leads to this server only', () => {
  for (const path of ['/', '/a/b?c=d&e=%20#f']) assert.equal(safePath(path), path)
  for (const path of [
    '',
    'a',
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    'javascript:alert(1)',
    '/\tevil',
    '/a\r\nset-cookie: x',
    '/<script>',
  ])
    assert.equal(safePath(path), '/', JSON.stringify(path))
})
