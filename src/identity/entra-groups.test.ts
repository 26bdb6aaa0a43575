import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Trip } from '#contract/crossing.ts'
import type { EntraUser } from '#simclouds/options.ts'
import { bearer, newTrip, withEntra } from './entra.suite.ts'
import { identify } from './identify.ts'

const MINUTE_MS = 60_000

function ids(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `99999999-0000-4000-8000-${String(count - at).padStart(12, '0')}`)
}

function person(name: string, count: number): EntraUser {
  return {
    name,
    preferredUsername: `${name}@contoso.example`,
    oid: `dddddddd-0000-4000-8000-${name.padStart(12, '0').replaceAll(/[^0-9a-f]/g, '0')}`,
    roles: ['developer'],
    groups: ids(count),
    scopes: 'Prompt.Submit',
  }
}

const MANY = person('bea', 250)
const TOO_MANY = person('cab', 1001)
const SIMULATED = { users: [MANY, TOO_MANY, person('fae', 11_001), person('abe', 3)] }
const OUT = 'the groups of the caller can not be read from Microsoft Graph'

test('groups that a token has no room for are read from Graph, once for many tokens and callers side by side', () =>
  withEntra(
    async ({ deps, mint, clouds, ask }) => {
      const tokens = await Promise.all([1, 2, 3].map(() => mint({ user: 'bea' })))
      const trips = tokens.map(() => newTrip())
      const principals = await Promise.all(
        tokens.map(async (token, at) => identify(deps, bearer(token), trips[at] ?? newTrip())),
      )
      for (const { groups } of principals) assert.deepEqual(groups, MANY.groups.toSorted())
      await ask(await mint({ user: 'bea' }))
      assert.equal(clouds.requests.count('graph'), 1)
      const [asked] = clouds.requests.last('graph')
      assert.equal(asked?.target, `/v1.0/users/${MANY.oid}/getMemberObjects`)
      assert.equal(asked.body, '{"securityEnabledOnly":true}')
      const tokenRequests = clouds.requests.last('entra').filter(({ target }) => target.endsWith('/token'))
      assert.equal(tokenRequests.length, 1)
      const seen = (trip: Trip | undefined) => trip?.crossings.map(({ layer, host }) => `${layer} ${host}`) ?? []
      assert.equal(
        trips.flatMap(seen).filter((crossing) => crossing.includes(new URL(clouds.urls.graph).host)).length,
        1,
      )
    },
    { simulated: SIMULATED, graph: {} },
  ))

test('the address in the token is not asked', () =>
  withEntra(
    async ({ ask, mint }) => {
      const claims = { _claim_sources: { src1: { endpoint: 'http://127.0.0.1:9/steal' } } }
      assert.equal((await ask(await mint({ user: 'bea', claims }))).groups.length, 250)
    },
    { simulated: SIMULATED, graph: {} },
  ))

test('a token with room for its groups asks nobody', () =>
  withEntra(
    async ({ ask, mint, clouds }) => {
      assert.equal((await ask(await mint({ user: 'abe' }))).groups.length, 3)
      assert.equal(clouds.requests.count('graph'), 0)
    },
    { simulated: SIMULATED, graph: {} },
  ))

test('groups are read again after their time, also for a token that was taken before', () =>
  withEntra(
    async ({ ask, mint, clouds, pass }) => {
      const token = await mint({ user: 'bea', lifetimeS: 36_000 })
      await ask(token)
      pass(9 * MINUTE_MS)
      await ask(token)
      assert.equal(clouds.requests.count('graph'), 1)
      pass(2 * MINUTE_MS)
      await ask(token)
      assert.equal(clouds.requests.count('graph'), 2)
    },
    { simulated: SIMULATED, graph: {} },
  ))

for (const fault of ['error', 'throttle', 'malformed', 'refuse', 'reset-before'] as const) {
  test(`with Graph out (${fault}) the caller is told 503, and is let in when it is back`, () =>
    withEntra(
      async ({ ask, mint, clouds }) => {
        const token = await mint({ user: 'bea' })
        clouds.faults.set({ service: 'graph', kind: fault })
        for (let time = 0; time < 2; time += 1)
          await assert.rejects(ask(token), { code: 'IDENTITY_UNAVAILABLE', status: 503, message: OUT, retryAfterS: 5 })
        clouds.faults.clear()
        assert.equal((await ask(token)).groups.length, 250)
      },
      { simulated: SIMULATED, graph: {} },
    ))
}

test('what the directory refuses us, or does not know, is no empty list', () =>
  withEntra(
    async ({ ask, mint, clouds }) => {
      clouds.faults.set({ service: 'entra', kind: 'error', path: '/token' })
      await assert.rejects(ask(await mint({ user: 'bea' })), { code: 'IDENTITY_UNAVAILABLE', message: OUT })
      clouds.faults.clear()
      const stranger = { oid: 'dddddddd-0000-4000-8000-0000000000ff' }
      await assert.rejects(ask(await mint({ user: 'bea', claims: stranger })), { code: 'IDENTITY_UNAVAILABLE' })
    },
    { simulated: SIMULATED, graph: {} },
  ))

test('more groups than the limit are a 403, never a cut list', () =>
  withEntra(
    async ({ ask, mint }) => {
      const message =
        'the caller is in more than 1000 groups, have the application assign app roles or only its own groups to the token'
      for (const user of ['cab', 'fae'])
        await assert.rejects(ask(await mint({ user })), { code: 'IDENTITY_FORBIDDEN', status: 403, message })
    },
    { simulated: SIMULATED, graph: {} },
  ))

test('without Graph such a token is refused, unless it is said that groups do not matter', async () => {
  await withEntra(
    async ({ ask, mint }) => {
      await assert.rejects(ask(await mint({ user: 'bea' })), {
        code: 'IDENTITY_UNAVAILABLE',
        message:
          "the token has no room for the caller's groups and this control plane may not look them up: set `graph` of the issuer, or `overage: ignore`",
      })
      await assert.rejects(ask(await mint({ user: 'abe', claims: { groups: undefined, hasgroups: true } })), {
        code: 'IDENTITY_UNAVAILABLE',
      })
    },
    { simulated: SIMULATED },
  )
  await withEntra(
    async ({ ask, mint, clouds }) => {
      assert.deepEqual((await ask(await mint({ user: 'bea' }))).groups, [])
      assert.equal(clouds.requests.count('graph'), 0)
    },
    { simulated: SIMULATED, options: { overage: 'ignore' }, graph: {} },
  )
})

test('an application is looked up among the applications', () =>
  withEntra(
    async ({ ask, mint, clouds }) => {
      const overage = { _claim_names: { groups: 'src1' } }
      assert.deepEqual((await ask(await mint({ claims: overage }))).groups, ['g1'])
      assert.match(clouds.requests.last('graph')[0]?.target ?? '', /^\/v1\.0\/servicePrincipals\//)
    },
    {
      graph: {},
      simulated: {
        clients: [
          {
            clientId: 'aaaaaaaa-0000-4000-8000-000000000001',
            secret: 's',
            oid: 'cccccccc-0000-4000-8000-000000000003',
            roles: ['Gateway.Invoke'],
            groups: ['g1'],
          },
          {
            clientId: 'bbbbbbbb-0000-4000-8000-000000000002',
            secret: 's',
            oid: 'cccccccc-0000-4000-8000-000000000005',
            roles: [],
            graphRoles: ['Application.Read.All'],
          },
        ],
      },
    },
  ))
