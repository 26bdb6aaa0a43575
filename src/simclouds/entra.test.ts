import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { at, send, textAt, withClouds } from './client.suite.ts'
import type { SimClouds } from './start.ts'

function tenantOf(clouds: SimClouds): string {
  return clouds.settings.entra.tenants[0] ?? ''
}

function tokenRequest(clouds: SimClouds, changes: Readonly<Record<string, string | undefined>> = {}, tenant?: string) {
  const [client] = clouds.settings.entra.clients
  const form = {
    grant_type: 'client_credentials',
    client_id: client?.clientId,
    client_secret: client?.secret,
    scope: `${clouds.settings.entra.appIdUri}/.default`,
    ...changes,
  }
  const present = Object.entries(form).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return send(
    `${clouds.urls.entra}/${tenant ?? tenantOf(clouds)}/oauth2/v2.0/token`,
    new URLSearchParams(present).toString(),
    { 'content-type': 'application/x-www-form-urlencoded' },
  )
}

async function verify(clouds: SimClouds, token: string, version: 1 | 2) {
  const base = `${clouds.urls.entra}/${tenantOf(clouds)}`
  const metadata = await send(`${base}${version === 2 ? '/v2.0' : ''}/.well-known/openid-configuration`, undefined)
  const keys = createRemoteJWKSet(new URL(textAt(metadata.text, 'jwks_uri')))
  return jwtVerify(token, keys, { issuer: textAt(metadata.text, 'issuer'), algorithms: ['RS256'] })
}

test('client credentials give a token that verifies against the discovery document', () =>
  withClouds({}, async (clouds) => {
    const answered = await tokenRequest(clouds)
    assert.equal(answered.status, 200)
    assert.equal(at(answered.text, 'token_type'), 'Bearer')
    assert.equal(at(answered.text, 'expires_in'), 3599)
    const { payload } = await verify(clouds, textAt(answered.text, 'access_token'), 2)
    assert.equal(payload.aud, clouds.settings.entra.audience)
    assert.equal(payload['azp'], clouds.settings.entra.clients[0]?.clientId)
    assert.deepEqual(payload['roles'], ['Gateway.Invoke'])
    assert.deepEqual([payload['idtyp'], payload['ver'], payload['scp']], ['app', '2.0', undefined])
  }))

test('an API of version 1 gets tokens of version 1 from the same endpoint', () =>
  withClouds({ entra: { tokenVersion: 1 } }, async (clouds) => {
    const answered = await tokenRequest(clouds)
    const { payload, protectedHeader } = await verify(clouds, textAt(answered.text, 'access_token'), 1)
    assert.equal(payload.aud, clouds.settings.entra.appIdUri)
    assert.equal(payload['appid'], clouds.settings.entra.clients[0]?.clientId)
    assert.equal(payload.iss, `${clouds.urls.entra}/${tenantOf(clouds)}/`)
    assert.equal(protectedHeader.x5t, protectedHeader.kid)
  }))

test('the keys carry their issuer as a template', () =>
  withClouds({}, async (clouds) => {
    const v2 = await send(`${clouds.urls.entra}/common/discovery/v2.0/keys`, undefined)
    assert.equal(at(v2.text, 'keys', 0, 'issuer'), `${clouds.urls.entra}/{tenantid}/v2.0`)
    const metadata = await send(`${clouds.urls.entra}/common/v2.0/.well-known/openid-configuration`, undefined)
    assert.equal(at(metadata.text, 'issuer'), `${clouds.urls.entra}/{tenantid}/v2.0`)
  }))

const refused: readonly (readonly [
  why: string,
  changes: Readonly<Record<string, string | undefined>>,
  status: number,
  error: string,
  code: number,
])[] = [
  ['a wrong secret', { client_secret: 'x' }, 401, 'invalid_client', 7000215],
  ['no secret', { client_secret: undefined }, 401, 'invalid_client', 7000218],
  ['an unknown client', { client_id: 'x' }, 400, 'unauthorized_client', 700016],
  ['no client', { client_id: undefined }, 400, 'invalid_request', 900144],
  ['no scope', { scope: undefined }, 400, 'invalid_request', 900144],
  ['a scope that is not .default', { scope: 'api://x/read' }, 400, 'invalid_scope', 1002012],
  ['an unknown resource', { scope: 'api://x/.default' }, 400, 'invalid_resource', 500011],
  ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type', 70003],
  ['no grant', { grant_type: undefined }, 400, 'invalid_request', 900144],
]

test('what the directory would refuse is refused with its codes', () =>
  withClouds({}, async (clouds) => {
    for (const [why, changes, status, error, code] of refused) {
      const answered = await tokenRequest(clouds, changes)
      assert.equal(answered.status, status, why)
      assert.equal(at(answered.text, 'error'), error, why)
      assert.deepEqual(at(answered.text, 'error_codes'), [code], why)
      assert.match(textAt(answered.text, 'error_description'), new RegExp(`^AADSTS${code}: .*Trace ID: `), why)
    }
    const tenant = await tokenRequest(clouds, {}, '00000000-0000-4000-8000-000000000000')
    assert.deepEqual([tenant.status, at(tenant.text, 'error_codes', 0)], [400, 90002])
  }))

test('the secret may come by basic authentication', () =>
  withClouds({}, async (clouds) => {
    const [client] = clouds.settings.entra.clients
    const basic = Buffer.from(`${client?.clientId}:${client?.secret}`).toString('base64')
    const answered = await send(
      `${clouds.urls.entra}/${tenantOf(clouds)}/oauth2/v2.0/token`,
      `grant_type=client_credentials&scope=${encodeURIComponent('https://cognitiveservices.azure.com/.default')}`,
      { authorization: `Basic ${basic}` },
    )
    const claims = decodeJwt(textAt(answered.text, 'access_token'))
    assert.deepEqual([claims.aud, claims['ver']], ['https://cognitiveservices.azure.com', '1.0'])
  }))

test('after a rollover new tokens have a new key, and old tokens verify until the old key goes', () =>
  withClouds({ entra: { oldKeyMs: 150 } }, async (clouds) => {
    const old = await clouds.mintToken()
    const kid = await clouds.rotateKeys()
    const next = await clouds.mintToken()
    assert.equal(decodeProtectedHeader(next).kid, kid)
    assert.notEqual(decodeProtectedHeader(old).kid, kid)
    await verify(clouds, next, 2)
    await verify(clouds, old, 2)
    await new Promise((resolve) => setTimeout(resolve, 200))
    await assert.rejects(verify(clouds, old, 2), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
    await verify(clouds, next, 2)
  }))

test('a token of a user carries scopes, roles and groups, and the overage claims beyond 200 groups', () =>
  withClouds({}, async (clouds) => {
    const claims = decodeJwt(await clouds.mintToken({ user: 'ada@contoso.example', scopes: 'a b' }))
    assert.deepEqual([claims['scp'], claims['idtyp'], claims['name']], ['a b', undefined, 'Ada Example'])
    assert.equal((claims['groups'] as unknown[]).length, 1)
    assert.notEqual(claims.sub, claims['oid'])
    const groups = Array.from({ length: 201 }, (_, index) => `group-${index}`)
    const many = decodeJwt(await clouds.mintToken({ user: 'Ada Example', groups }))
    assert.equal(many['groups'], undefined)
    assert.deepEqual(many['_claim_names'], { groups: 'src1' })
    assert.match(JSON.stringify(many['_claim_sources']), /getMemberObjects/)
  }))

test('claims, header and key of a token can be bent', () =>
  withClouds({}, async (clouds) => {
    const bent = await clouds.mintToken({ claims: { tid: 'x', roles: undefined }, header: { kid: 'nope' } })
    assert.deepEqual([decodeJwt(bent)['tid'], decodeJwt(bent)['roles']], ['x', undefined])
    assert.equal(decodeProtectedHeader(bent).kid, 'nope')
    await assert.rejects(verify(clouds, await clouds.mintToken({ foreignKey: true }), 2), {
      code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    })
    await assert.rejects(clouds.mintToken({ client: 'x' }), { name: 'MintProblem', message: 'there is no client `x`' })
    await assert.rejects(clouds.mintToken({ user: 'Eve' }), { name: 'MintProblem', message: 'there is no user `Eve`' })
    await assert.rejects(clouds.mintToken({ tenant: 'x' }), { name: 'MintProblem', message: 'there is no tenant `x`' })
  }))

test('a skewed clock moves iat, nbf and exp', () =>
  withClouds({ faults: [{ service: 'entra', kind: 'skew', ms: -7_200_000 }] }, async (clouds) => {
    const nowS = Date.now() / 1000
    const answered = await tokenRequest(clouds)
    for (const token of [textAt(answered.text, 'access_token'), await clouds.mintToken()]) {
      const { iat = 0, nbf = 0, exp = 0 } = decodeJwt(token)
      assert.ok(Math.abs(nowS - 7_200 - iat) < 5)
      assert.deepEqual([nbf - iat, exp - iat], [0, 3_600])
    }
  }))

test('throttling and errors speak as the directory does', () =>
  withClouds({ faults: [{ service: 'entra', kind: 'throttle', path: '/token' }] }, async (clouds) => {
    const answered = await tokenRequest(clouds)
    assert.equal(answered.status, 429)
    assert.match(textAt(answered.text, 'error_description'), /^AADSTS90055: /)
    assert.equal((await send(`${clouds.urls.entra}/common/discovery/keys`, undefined)).status, 200)
  }))
