import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { Credential, TokenSource } from '#contract/crossing.ts'
import { newTrip } from '#identity/entra.suite.ts'
import type { SimCloudsOptions } from '#simclouds/options.ts'
import type { Reason } from './credential-fault.ts'
import { googleFederation } from './google-federation.ts'
import { googleAccessToken, googleIdToken } from './google-service-account.ts'
import {
  GOOGLE_SCOPE,
  type Keyless,
  MINUTE_MS,
  faultOf,
  fixedIdentity,
  revealed,
  until,
  withKeyless,
} from './keyless.suite.ts'

const PROVIDER = 'projects/1234567890/locations/global/workloadIdentityPools/azure/providers/entra'
const ACCOUNT = 'thinplane@simulated.iam.gserviceaccount.com'

function federatedOf(stage: Keyless, identity = stage.identity(GOOGLE_SCOPE), provider = PROVIDER): TokenSource {
  return googleFederation({ provider, endpoint: stage.clouds.urls['google-tokens'] }, identity, stage.cross, stage.now)
}

function idTokens(stage: Keyless, audience = stage.clouds.urls['cloud-run'], serviceAccount = ACCOUNT): TokenSource {
  const endpoint = stage.clouds.urls['google-tokens']
  return googleIdToken({ serviceAccount, endpoint, audience }, federatedOf(stage), stage.cross, stage.now)
}

async function models({ clouds, cross }: Keyless, credential: Credential): Promise<number> {
  const answer = await cross(newTrip(), {
    layer: 'inference',
    to: { cloud: 'gcp', region: 'us-east4' },
    method: 'GET',
    url: `${clouds.urls['cloud-run']}/v1/models`,
    headers: {},
    credential,
    connectMs: 2000,
    firstByteMs: 5000,
    idleMs: 5000,
    totalMs: 9000,
    maxAnswerBytes: 100_000,
  })
  await answer.text()
  return answer.status
}

const CLOSED: SimCloudsOptions = {
  cloudRun: { idToken: { invokers: [ACCOUNT] } },
}

test('an Azure token becomes an ID token with which Cloud Run lets us in', () =>
  withKeyless(async (stage) => {
    const source = idTokens(stage)
    assert.equal(await models(stage, { kind: 'none' }), 403)
    assert.equal(await models(stage, { kind: 'token', source }), 200)
    const claims = decodeJwt(await revealed(source, newTrip()))
    assert.equal(claims.aud, stage.clouds.urls['cloud-run'])
    assert.equal(claims['email'], ACCOUNT)
    const [form] = stage.sent('google-tokens')
    assert.equal(form?.get('audience'), `//iam.googleapis.com/${PROVIDER}`)
    assert.equal(stage.clouds.requests.count('google-tokens'), 2)
  }, CLOSED))

test('Cloud Run refuses a token for another service, and one of an account without the role', () =>
  withKeyless(
    async (stage) => {
      assert.equal(await models(stage, { kind: 'token', source: idTokens(stage, 'https://other.run.app') }), 401)
      assert.equal(await models(stage, { kind: 'token', source: idTokens(stage) }), 403)
      assert.equal(await models(stage, { kind: 'token', source: federatedOf(stage) }), 401)
    },
    { cloudRun: { idToken: { invokers: ['somebody@else.iam.gserviceaccount.com'] } } },
  ))

test('an ID token is held as long as its own `exp` says, and renewed before', () =>
  withKeyless(
    async (stage) => {
      const source = idTokens(stage)
      const tokens = await Promise.all(Array.from({ length: 20 }, async () => revealed(source, newTrip())))
      assert.equal(new Set(tokens).size, 1)
      assert.equal(stage.clouds.requests.count('google-tokens'), 2)
      // Ten minutes of life: two of them are for the renewal, behind the back of callers.
      stage.pass(8.5 * MINUTE_MS)
      assert.ok(!(source.token(newTrip()) instanceof Promise))
      await until(() => stage.clouds.requests.count('google-tokens') === 3)
      stage.pass(20 * MINUTE_MS)
      assert.ok(source.token(newTrip()) instanceof Promise)
    },
    { googleTokens: { idTokenLifetimeS: 600 } },
  ))

test('a service account gives access tokens for the APIs; without one the federated token is it', () =>
  withKeyless(async (stage) => {
    const endpoint = stage.clouds.urls['google-tokens']
    const federated = federatedOf(stage)
    const source = googleAccessToken({ serviceAccount: ACCOUNT, endpoint }, federated, stage.cross, stage.now)
    assert.match(await revealed(source, newTrip()), /^ya29\.c\./)
    assert.match(await revealed(federated, newTrip()), /^ya29\.d\./)
    stage.pass(59.8 * MINUTE_MS)
    assert.ok(source.token(newTrip()) instanceof Promise)
    await revealed(source, newTrip())
  }))

const rows: readonly (readonly [
  what: string,
  reason: Reason,
  message: RegExp,
  given: {
    readonly mint?: Parameters<typeof fixedIdentity>[1]
    readonly provider?: string
    readonly clouds?: SimCloudsOptions
  },
])[] = [
  [
    'a token for another audience',
    'audience',
    /\(invalid_grant\): add the token's `aud` to the allowed audiences/,
    { mint: { audience: 'api://aws-federation' } },
  ],
  [
    'a provider for another issuer',
    'issuer',
    /\(invalid_grant\): set the issuer URI/,
    { clouds: { googleTokens: { issuer: 'https://sts.windows.net/x/' } } },
  ],
  [
    'a provider that does not exist',
    'provider',
    /\(invalid_target\): `provider` does not exist/,
    { provider: PROVIDER.replace('entra', 'none') },
  ],
  [
    'a subject that the condition rejects',
    'trust',
    /\(unauthorized_client\): the provider's attribute condition/,
    { mint: { client: 'aaaaaaaa-0000-4000-8000-000000000001' } },
  ],
  [
    'a token that has expired',
    'token',
    /\(invalid_grant\): the Azure token is not current/,
    { mint: { lifetimeS: -10 } },
  ],
  ['a token of a foreign key', 'token', /\(invalid_grant\)/, { mint: { foreignKey: true } }],
]

for (const [what, reason, message, { mint = {}, provider, clouds = {} }] of rows) {
  test(`${what} is refused by Google STS, and the fault says what to change`, () =>
    withKeyless(async (stage) => {
      const identity = fixedIdentity(stage, { audience: 'api://google-federation', ...mint })
      await faultOf(() => federatedOf(stage, identity, provider).token(newTrip()), reason, message)
    }, clouds))
}

test('a service account without the binding, or none, names the role that is missing', () =>
  withKeyless(async (stage) => {
    const missing = 'nobody@simulated.iam.gserviceaccount.com'
    const source = idTokens(stage, 'https://x.run.app', missing)
    await faultOf(
      () => source.token(newTrip()),
      'binding',
      /\(PERMISSION_DENIED, 403\): grant this identity the role `roles\/iam\.workloadIdentityUser` on `nobody@/,
    )
  }))

test('Google being busy, broken or away is no verdict, and the next try asks again', () =>
  withKeyless(async (stage) => {
    for (const path of ['/v1/token', ':generateIdToken']) {
      for (const kind of ['error', 'throttle', 'malformed', 'end-early'] as const) {
        const source = idTokens(stage)
        stage.clouds.faults.set({ service: 'google-tokens', kind, path })
        await faultOf(() => source.token(newTrip()), 'none', /^no token for the call: Google /)
        stage.clouds.faults.clear()
        assert.match(await revealed(source, newTrip()), /^ey/)
      }
    }
  }))
