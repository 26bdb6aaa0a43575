import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { newTrip } from '#identity/entra.suite.ts'
import { Secret } from '#kit/secret.ts'
import { AWS_SCOPE, HERE, type Keyless, MINUTE_MS, faultOf, revealed, until, withKeyless } from './keyless.suite.ts'
import { managedIdentity } from './managed-identity.ts'

function appService({ clouds, cross, now }: Keyless, header: string) {
  const endpoint = `${clouds.urls['managed-identity']}/msi/token`
  return managedIdentity(
    { place: HERE, form: { kind: 'app', endpoint, header: new Secret(header) }, scope: AWS_SCOPE, clientId: undefined },
    cross,
    now,
  )
}

test('the metadata service is asked once for many, for the resource of the scope', () =>
  withKeyless(async (stage) => {
    const source = stage.identity(AWS_SCOPE)
    const trips = Array.from({ length: 20 }, newTrip)
    const tokens = await Promise.all(trips.map(async (trip) => revealed(source, trip)))
    assert.equal(new Set(tokens).size, 1)
    const claims = decodeJwt(tokens[0] ?? '')
    assert.equal(claims.aud, 'api://aws-federation')
    assert.equal(claims.sub, 'eeeeeeee-0000-4000-8000-000000000005')
    const asked = stage.clouds.requests.last('managed-identity')
    assert.equal(asked.length, 1)
    assert.equal(asked[0]?.headers['metadata'], 'true')
    assert.equal(stage.sent('managed-identity')[0]?.get('resource'), 'api://aws-federation')
    assert.equal(trips.flatMap(({ crossings }) => crossings).length, 1)
    assert.equal(trips[0]?.crossings[0]?.layer, 'identity')
    assert.ok(!inspect(source, { depth: 9 }).includes(tokens[0] ?? 'x'))
  }))

test('a token of the metadata service is renewed before its end, with nobody waiting', () =>
  withKeyless(async (stage) => {
    const source = stage.identity(AWS_SCOPE)
    const first = await revealed(source, newTrip())
    stage.pass(24 * 60 * MINUTE_MS - 4 * MINUTE_MS)
    assert.ok(!(source.token(newTrip()) instanceof Promise))
    await until(() => stage.clouds.requests.count('managed-identity') === 2)
    await until(() => (source.token(newTrip()) as Secret).reveal() !== first)
  }))

test('App Service and Container Apps give a token for their header, and say only when it ends', () =>
  withKeyless(
    async (stage) => {
      const source = appService(stage, stage.clouds.settings.managedIdentity.header)
      const first = await revealed(source, newTrip())
      assert.equal(decodeJwt(first).aud, 'api://aws-federation')
      assert.equal(stage.sent('managed-identity')[0]?.get('api-version'), '2019-08-01')
      stage.pass(61 * MINUTE_MS)
      await revealed(source, newTrip())
      assert.equal(stage.clouds.requests.count('managed-identity'), 2)
    },
    { managedIdentity: { lifetimeS: 3600 } },
  ))

test('a wrong header, a machine without identity and an unknown resource say what to change', () =>
  withKeyless(async (stage) => {
    await faultOf(() => appService(stage, 'wrong').token(newTrip()), 'identity', /refused \(unauthorized, 401\)/)
    await faultOf(
      () => stage.identity('api://nobody/.default').token(newTrip()),
      'audience',
      /refused `api:\/\/nobody\/\.default` \(invalid_resource\): register an application with this id URI/,
    )
    await withKeyless(
      (bare) =>
        faultOf(
          () => bare.identity(AWS_SCOPE).token(newTrip()),
          'identity',
          /^no token for the call: the managed identity endpoint refused \(invalid_request, 400\): assign a managed identity/,
        ),
      { managedIdentity: { isAssigned: false } },
    )
  }))

test('a user-assigned identity is asked for by its client id', () =>
  withKeyless(async ({ clouds, cross, now }) => {
    const ask = (clientId: string) =>
      managedIdentity(
        { place: HERE, form: { kind: 'imds', endpoint: clouds.urls['managed-identity'] }, scope: AWS_SCOPE, clientId },
        cross,
        now,
      )
    assert.match(await revealed(ask(clouds.settings.managedIdentity.clientId), newTrip()), /^ey/)
    await faultOf(() => ask('00000000-0000-4000-8000-000000000009').token(newTrip()), 'identity', /client id/)
  }))

test('an endpoint that is busy, broken or away is no verdict, and the next try asks again', () =>
  withKeyless(async (stage) => {
    const source = stage.identity(AWS_SCOPE)
    for (const kind of ['error', 'throttle', 'malformed', 'refuse', 'end-early'] as const) {
      stage.clouds.faults.set({ service: 'managed-identity', kind })
      await faultOf(() => source.token(newTrip()), 'none', /^no token for the call: the managed identity endpoint /)
      stage.clouds.faults.clear()
    }
    assert.match(await revealed(source, newTrip()), /^ey/)
  }))
