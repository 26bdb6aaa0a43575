import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { type Answered, at, send, textAt, withClouds } from './client.suite.ts'
import type { SimClouds } from './start.ts'

const SCOPE = 'https://cognitiveservices.azure.com/.default'
const REDIRECT = 'http://127.0.0.1:1234/back'
const VERIFIER = 'v'.repeat(43)
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

type Form = Readonly<Record<string, string | undefined>>

function tokenRequest(clouds: SimClouds, form: Form): Promise<Answered> {
  const { clients, tenants, audience } = clouds.settings.entra
  const client = clients.find(({ clientId }) => clientId === audience)
  const all = { client_id: client?.clientId, client_secret: client?.secret, ...form }
  const present = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return send(`${clouds.urls.entra}/${tenants[0]}/oauth2/v2.0/token`, new URLSearchParams(present).toString())
}

function exchange(clouds: SimClouds, assertion: string, form: Form = {}): Promise<Answered> {
  return tokenRequest(clouds, {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    requested_token_use: 'on_behalf_of',
    assertion,
    scope: `${SCOPE} openid profile offline_access`,
    ...form,
  })
}

test("a person's token for the application becomes one for the resource", () =>
  withClouds({}, async (clouds) => {
    const assertion = await clouds.mintToken({ user: 'Ada Example' })
    const answered = await exchange(clouds, assertion)
    assert.equal(answered.status, 200)
    const claims = decodeJwt(textAt(answered.text, 'access_token'))
    assert.equal(claims['oid'], decodeJwt(assertion)['oid'])
    assert.deepEqual([claims.aud, claims['scp']], ['https://cognitiveservices.azure.com', 'user_impersonation'])
  }))

test('what is no such token is not exchanged', () =>
  withClouds({}, async (clouds) => {
    const good = await clouds.mintToken({ user: 'Ada Example' })
    const rows = [
      [await exchange(clouds, await clouds.mintToken()), 7000114],
      [await exchange(clouds, await clouds.mintToken({ user: 'Ada Example', audience: 'api://other' })), 500131],
      [await exchange(clouds, await clouds.mintToken({ user: 'Ada Example', foreignKey: true })), 50013],
      [await exchange(clouds, await clouds.mintToken({ user: 'Ada Example', skewMs: -8_000_000 })), 50013],
      [await exchange(clouds, 'x'), 50013],
      [await exchange(clouds, good, { scope: 'api://unknown/.default' }), 500011],
      [await exchange(clouds, good, { requested_token_use: undefined }), 900144],
      [
        await exchange(clouds, good, {
          client_id: clouds.settings.entra.clients[0]?.clientId,
          client_secret: clouds.settings.entra.clients[0]?.secret,
        }),
        500131,
      ],
    ] as const
    for (const [answered, code] of rows) {
      assert.equal(answered.status, 400, String(code))
      assert.deepEqual(at(answered.text, 'error_codes'), [code])
    }
  }))

function authorizeUrl(clouds: SimClouds, changes: Form = {}): string {
  const query = {
    client_id: clouds.settings.entra.audience,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid profile',
    state: 's',
    nonce: 'n',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    person: clouds.settings.entra.users[1]?.oid,
    ...changes,
  }
  const present = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return `${clouds.urls.entra}/${clouds.settings.entra.tenants[0]}/oauth2/v2.0/authorize?${new URLSearchParams(present).toString()}`
}

async function codeFor(clouds: SimClouds, changes: Form = {}): Promise<URLSearchParams> {
  const { status, headers } = await send(authorizeUrl(clouds, changes), undefined)
  assert.equal(status, 302)
  const back = new URL(String(headers['location']))
  assert.equal(back.origin + back.pathname, REDIRECT)
  return back.searchParams
}

test('the page lists the people, says that it is simulated, and asks no password', () =>
  withClouds({}, async (clouds) => {
    const { status, text, headers } = await send(
      authorizeUrl(clouds, { person: undefined, state: '"><script>' }),
      undefined,
    )
    assert.equal(status, 200)
    assert.match(text, /Simulated Entra/)
    for (const { name } of clouds.settings.entra.users) assert.ok(text.includes(name), name)
    assert.doesNotMatch(text, /<script|type="password"/)
    assert.match(String(headers['content-security-policy']), /default-src 'none'/)
  }))

test('a code is redeemed once, by its application, with its verifier and address', () =>
  withClouds({}, async (clouds) => {
    const redeem = async (code: string, form: Form = {}) =>
      tokenRequest(clouds, {
        grant_type: 'authorization_code',
        code,
        redirect_uri: REDIRECT,
        code_verifier: VERIFIER,
        ...form,
      })
    const query = await codeFor(clouds)
    assert.equal(query.get('state'), 's')
    const code = query.get('code') ?? ''
    const answered = await redeem(code)
    assert.equal(answered.status, 200)
    const claims = decodeJwt(textAt(answered.text, 'id_token'))
    const person = clouds.settings.entra.users[1]
    assert.deepEqual(
      [claims['oid'], claims['roles'], claims['nonce'], claims.aud],
      [person?.oid, person?.roles, 'n', clouds.settings.entra.audience],
    )
    const fresh = async () => (await codeFor(clouds)).get('code') ?? ''
    const { clientId, secret } = clouds.settings.entra.clients[0] ?? { clientId: '', secret: '' }
    const rows = [
      [await redeem(code), 54005],
      [await redeem(await fresh(), { code_verifier: 'w'.repeat(43) }), 501481],
      [await redeem(await fresh(), { code_verifier: undefined }), 501481],
      [await redeem(await fresh(), { redirect_uri: 'http://127.0.0.1:1/other' }), 500112],
      [await redeem(await fresh(), { client_id: clientId, client_secret: secret }), 700005],
      [await redeem(await fresh(), { code: undefined }), 900144],
    ] as const
    for (const [refused, number] of rows) {
      assert.equal(refused.status, 400)
      assert.deepEqual(at(refused.text, 'error_codes'), [number])
    }
  }))

test('what can not be sent back stays on the page, the rest goes back as an error', () =>
  withClouds({}, async (clouds) => {
    for (const changes of [{ client_id: 'x' }, { redirect_uri: 'https://evil.example/' }, { redirect_uri: 'x' }]) {
      const { status, headers } = await send(authorizeUrl(clouds, changes), undefined)
      assert.deepEqual([status, headers['location']], [400, undefined])
    }
    for (const [changes, error] of [
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ code_challenge: undefined }, 'invalid_request'],
      [{ code_challenge_method: 'plain' }, 'invalid_request'],
      [{ scope: 'profile' }, 'invalid_scope'],
      [{ person: '' }, 'access_denied'],
    ] as const)
      assert.deepEqual(
        [(await codeFor(clouds, changes)).get('error'), (await codeFor(clouds, changes)).get('state')],
        [error, 's'],
      )
  }))
