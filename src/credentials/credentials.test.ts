import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { CrossFault, type SecretValue, type Trip } from '#contract/crossing.ts'
import { Refusal } from '#contract/refusal.ts'
import { type Stage, bearer, gatewayApp, newTrip, withEntra } from '#identity/entra.suite.ts'
import { identify } from '#identity/identify.ts'
import { clientCredentials } from './client-credentials.ts'
import { onBehalfOf } from './on-behalf-of.ts'
import { createTokenStore } from './token-store.ts'

const SCOPE = 'https://cognitiveservices.azure.com/.default'
const OURS = '11111111-2222-4333-8444-555555555555'
const MINUTE_MS = 60_000

function tokenRequests({ clouds }: Stage): readonly URLSearchParams[] {
  const asked = clouds.requests.last('entra').filter(({ target }) => target.endsWith('/oauth2/v2.0/token'))
  return asked.map(({ body }) => new URLSearchParams(body))
}

async function tripOf({ deps }: Stage, token: string): Promise<Trip> {
  const trip = newTrip()
  await identify(deps, bearer(token), trip)
  return trip
}

function oboAt(stage: Stage, issuer = 'contoso') {
  return onBehalfOf({ app: gatewayApp(stage.clouds), issuer, scope: SCOPE }, stage.cross, stage.now)
}

test("the application's own token is asked for once, held, and renewed before its end", () =>
  withEntra(async (stage) => {
    const source = clientCredentials(
      { app: gatewayApp(stage.clouds), tenant: OURS, scope: SCOPE },
      stage.cross,
      stage.now,
    )
    const many = await Promise.all(Array.from({ length: 20 }, async () => source.token(newTrip())))
    assert.equal(new Set(many.map((secret) => secret.reveal())).size, 1)
    assert.equal(tokenRequests(stage).length, 1)
    assert.equal(decodeJwt(many[0]?.reveal() ?? '').aud, 'https://cognitiveservices.azure.com')
    const held = source.token(newTrip())
    assert.ok(!(held instanceof Promise))
    // Five minutes before its end it is used once more while the next one comes.
    stage.pass(56 * MINUTE_MS)
    assert.equal((await source.token(newTrip())).reveal(), held.reveal())
    while (tokenRequests(stage).length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    stage.pass(4 * MINUTE_MS)
    assert.notEqual((await source.token(newTrip())).reveal(), held.reveal())
    assert.equal(tokenRequests(stage).length, 2)
  }))

test('a token that is good goes on while Entra is out, and after it there is a fault and no refusal', () =>
  withEntra(async (stage) => {
    const source = clientCredentials(
      { app: gatewayApp(stage.clouds), tenant: OURS, scope: SCOPE },
      stage.cross,
      stage.now,
    )
    const held = await source.token(newTrip())
    stage.clouds.faults.set({ service: 'entra', kind: 'error' })
    stage.pass(57 * MINUTE_MS)
    assert.equal((await source.token(newTrip())).reveal(), held.reveal())
    stage.pass(3 * MINUTE_MS)
    await assert.rejects(
      async () => source.token(newTrip()),
      (error: unknown) =>
        error instanceof CrossFault &&
        error.kind === 'credential' &&
        /^no token for the call: Entra answered 500$/.test(error.message),
    )
  }))

test('what Entra refuses us is a fault that names its code and no secret', () =>
  withEntra(async (stage) => {
    const app = gatewayApp(stage.clouds)
    const wrong = { ...app, secret: { reveal: () => 'not-the-secret' } }
    const source = clientCredentials({ app: wrong, tenant: OURS, scope: SCOPE }, stage.cross, stage.now)
    const error: unknown = await Promise.resolve(source.token(newTrip())).catch((thrown: unknown) => thrown)
    assert.ok(error instanceof CrossFault)
    assert.match(error.message, /invalid_client \(AADSTS7000215\)$/)
    assert.ok(!inspect(error, { depth: 9 }).includes('not-the-secret'))
  }))

test("a person's token is exchanged once for each of their tokens, and names the person at the target", () =>
  withEntra(async (stage) => {
    const source = oboAt(stage)
    const ada = await stage.mint({ user: 'Ada Example' })
    const dev = await stage.mint({ user: 'Dev Example' })
    const trips = await Promise.all([ada, ada, ada, dev].map(async (token) => tripOf(stage, token)))
    const tokens = await Promise.all(trips.map(async (trip) => source.token(trip)))
    assert.equal(new Set(tokens.map((secret) => secret.reveal())).size, 2)
    const claims = decodeJwt(tokens[0]?.reveal() ?? '')
    assert.equal(claims['oid'], decodeJwt(ada)['oid'])
    assert.equal(claims.aud, 'https://cognitiveservices.azure.com')
    const [first, second, ...more] = tokenRequests(stage)
    assert.deepEqual(more, [])
    for (const form of [first, second]) {
      assert.deepEqual(
        [form?.get('grant_type'), form?.get('requested_token_use'), form?.get('scope')],
        ['urn:ietf:params:oauth:grant-type:jwt-bearer', 'on_behalf_of', SCOPE],
      )
    }
    // It is held until shortly before its end, and shows itself nowhere.
    assert.ok(!(source.token(trips[0] ?? newTrip()) instanceof Promise))
    assert.ok(!inspect(trips, { depth: 9 }).includes(ada))
    assert.ok(!JSON.stringify(trips).includes(ada))
  }))

const refused: readonly (readonly [what: string, trip: (stage: Stage) => Promise<Trip>, why: string])[] = [
  ['a key', () => Promise.resolve(newTrip()), 'a key can not be exchanged'],
  [
    "an application's own token",
    async (stage) => tripOf(stage, await stage.mint()),
    "an application's own token can not be exchanged",
  ],
  [
    'a token of another issuer',
    async (stage) => {
      const trip = await tripOf(stage, await stage.mint({ user: 'Ada Example' }))
      if (trip.caller !== undefined) trip.caller = { ...trip.caller, via: 'okta' }
      return trip
    },
    'a token of issuer `okta` can not be exchanged',
  ],
]

for (const [what, trip, why] of refused) {
  test(`${what} is not exchanged, and the caller is told what is`, () =>
    withEntra(async (stage) => {
      const given = await trip(stage)
      await assert.rejects(async () => oboAt(stage).token(given), {
        code: 'IDENTITY_FORBIDDEN',
        status: 403,
        message: `the target acts on behalf of the person who asks: ${why}, send a person's access token of issuer \`contoso\``,
      })
      assert.equal(tokenRequests(stage).length, 0)
    }))
}

test('a person who has to do something at the issuer gets its challenge', () =>
  withEntra(
    async (stage) => {
      const trip = await tripOf(stage, await stage.mint({ user: 'eve' }))
      const error: unknown = await Promise.resolve(oboAt(stage).token(trip)).catch((thrown: unknown) => thrown)
      assert.ok(error instanceof Refusal)
      assert.equal(error.status, 401)
      assert.equal(
        error.message,
        'the directory wants you to sign in again for this target (AADSTS50079), request a token with the claims of the challenge',
      )
      assert.deepEqual(JSON.parse(error.challenge?.claims ?? ''), {
        access_token: { polids: { essential: true, values: ['simulated-policy'] } },
      })
    },
    {
      simulated: {
        users: [
          {
            name: 'eve',
            preferredUsername: 'eve@contoso.example',
            oid: 'dddddddd-0000-4000-8000-0000000000ee',
            roles: ['developer'],
            groups: [],
            scopes: 'Prompt.Submit',
            needsInteraction: true,
          },
        ],
      },
    },
  ))

test('Entra being out is no refusal of the caller, and the next try asks again', () =>
  withEntra(async (stage) => {
    const source = oboAt(stage)
    const trip = await tripOf(stage, await stage.mint({ user: 'Ada Example' }))
    for (const kind of ['error', 'throttle', 'malformed', 'refuse', 'end-early'] as const) {
      stage.clouds.faults.set({ service: 'entra', kind, path: kind === 'refuse' ? undefined : '/token' })
      await assert.rejects(async () => source.token(trip), { name: 'CrossFault', kind: 'credential' }, kind)
      stage.clouds.faults.clear()
    }
    assert.match((await source.token(trip)).reveal(), /^ey/)
  }))

test('a caller who leaves does not take the token from the others', () =>
  withEntra(async (stage) => {
    const source = oboAt(stage)
    const token = await stage.mint({ user: 'Ada Example' })
    const leaving = new AbortController()
    const first = { ...(await tripOf(stage, token)), signal: leaving.signal }
    const second = await tripOf(stage, token)
    stage.clouds.faults.set({ service: 'entra', kind: 'latency', ms: 60, path: '/token' })
    const both = [first, second].map(async (trip) => source.token(trip))
    leaving.abort()
    const [, kept] = await Promise.all(both)
    assert.match(kept?.reveal() ?? '', /^ey/)
    assert.equal(tokenRequests(stage).length, 1)
  }))

test('the number of held tokens is bounded', async () => {
  const store = createTokenStore(10, () => 0)
  let issued = 0
  const get = async (key: string): Promise<SecretValue> =>
    store.get(key, () => {
      issued += 1
      return Promise.resolve({ secret: { reveal: () => key }, expiresAtEpochMs: 3_600_000 })
    })
  for (let at = 0; at < 100; at += 1) await get(`k${at}`)
  await get('k0')
  assert.equal(issued, 101)
  await get('k99')
  assert.equal(issued, 101)
})

test('a refresh that fails behind the back of callers is not tried again at once', async () => {
  let now = 0
  let asked = 0
  const store = createTokenStore(10, () => now)
  const get = async (): Promise<SecretValue> =>
    store.get('k', () => {
      asked += 1
      return asked === 1
        ? Promise.resolve({ secret: { reveal: () => 'held' }, expiresAtEpochMs: 3_600_000 })
        : Promise.reject(new Error('out'))
    })
  await get()
  now = 3_400_000
  for (let time = 0; time < 5; time += 1) {
    assert.equal((await get()).reveal(), 'held')
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(asked, 2)
  now += 10_000
  await get()
  assert.equal(asked, 3)
})
