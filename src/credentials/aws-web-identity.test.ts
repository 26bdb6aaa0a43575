import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import type { Credential, SessionSource, TokenSource, Trip } from '#contract/crossing.ts'
import { newTrip } from '#identity/entra.suite.ts'
import { Secret } from '#kit/secret.ts'
import type { SimCloudsOptions } from '#simclouds/options.ts'
import { type AwsWebIdentityOptions, awsWebIdentity } from './aws-web-identity.ts'
import { bedrockSessionPolicy } from './bedrock-session-policy.ts'
import type { Reason } from './credential-fault.ts'
import { AWS_SCOPE, type Keyless, MINUTE_MS, faultOf, fixedIdentity, until, withKeyless } from './keyless.suite.ts'

const ROLE = 'arn:aws:iam::123456789012:role/thinplane'
const MODEL = 'amazon.nova-lite-v1:0'

function sessionsOf(
  stage: Keyless,
  options: Partial<AwsWebIdentityOptions> = {},
  identity: TokenSource = stage.identity(AWS_SCOPE),
): SessionSource {
  return awsWebIdentity(
    {
      roleArn: ROLE,
      region: 'us-east-1',
      endpoint: stage.clouds.urls.sts,
      sessionName: 'thinplane',
      sessionSeconds: 3600,
      scope: 'target',
      target: 'nova',
      policy: bedrockSessionPolicy(MODEL, ROLE),
      digest: (tenant, text) => Buffer.from(`${tenant}/${text}`).toString('hex').padStart(64, '0').slice(-64),
      ...options,
    },
    identity,
    stage.cross,
    stage.now,
  )
}

function credentialOf(source: SessionSource): Credential {
  return { kind: 'aws-session', service: 'bedrock', region: 'us-east-1', source }
}

async function converse({ clouds, cross }: Keyless, credential: Credential, model = MODEL) {
  const answer = await cross(newTrip(), {
    layer: 'inference',
    to: { cloud: 'aws', region: 'us-east-1' },
    method: 'POST',
    url: `${clouds.urls.bedrock}/model/${encodeURIComponent(model)}/converse`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: [{ text: 'hello' }] }] }),
    credential,
    connectMs: 2000,
    firstByteMs: 5000,
    idleMs: 5000,
    totalMs: 9000,
    maxAnswerBytes: 100_000,
  })
  await answer.text()
  return { status: answer.status, type: (answer.headers['x-amzn-errortype'] ?? '').split(':')[0] }
}

test('an Azure token becomes a session that Bedrock accepts, signed with its security token', () =>
  withKeyless(async (stage) => {
    const source = sessionsOf(stage)
    assert.deepEqual(await converse(stage, credentialOf(source)), { status: 200, type: '' })
    const session = await source.session(newTrip())
    assert.ok(!inspect(source, { depth: 9 }).includes(session.secretAccessKey.reveal()))
    const [form, ...more] = stage.sent('sts')
    assert.deepEqual(more, [])
    assert.deepEqual(
      ['Action', 'Version', 'RoleArn', 'RoleSessionName', 'DurationSeconds'].map((name) => form?.get(name)),
      ['AssumeRoleWithWebIdentity', '2011-06-15', ROLE, 'thinplane-nova', '3600'],
    )
  }))

test("a target's session may call its own model and no other", () =>
  withKeyless(async (stage) => {
    const credential = credentialOf(sessionsOf(stage))
    assert.equal((await converse(stage, credential)).status, 200)
    assert.deepEqual(await converse(stage, credential, 'amazon.nova-pro-v1:0'), {
      status: 403,
      type: 'AccessDeniedException',
    })
  }))

test('a session without its token, with another one or after its end is refused by Bedrock', () =>
  withKeyless(
    async (stage) => {
      const { accessKeyId, secretAccessKey, sessionToken } = await sessionsOf(stage).session(newTrip())
      const keys = { kind: 'aws-sigv4', service: 'bedrock', region: 'us-east-1', accessKeyId, secretAccessKey } as const
      const invalid = { status: 403, type: 'UnrecognizedClientException' }
      assert.deepEqual(await converse(stage, keys), invalid)
      assert.deepEqual(await converse(stage, { ...keys, sessionToken: new Secret('another') }), invalid)
      await new Promise((resolve) => setTimeout(resolve, 1100))
      assert.deepEqual(await converse(stage, { ...keys, sessionToken }), { status: 403, type: 'ExpiredTokenException' })
    },
    { sts: { sessionLifetimeS: 1 } },
  ))

test('one exchange for many who wait, renewed before its end with nobody waiting', () =>
  withKeyless(async (stage) => {
    const source = sessionsOf(stage)
    const many = await Promise.all(Array.from({ length: 20 }, async () => source.session(newTrip())))
    assert.equal(new Set(many).size, 1)
    assert.equal(stage.clouds.requests.count('sts'), 1)
    stage.pass(56 * MINUTE_MS)
    assert.equal(source.session(newTrip()), many[0])
    await until(() => source.session(newTrip()) !== many[0])
    assert.equal(stage.clouds.requests.count('sts'), 2)
    assert.equal(stage.clouds.requests.count('managed-identity'), 1)
  }))

test('a session that is good goes on while STS is out, and after its end there is a fault', () =>
  withKeyless(async (stage) => {
    const source = sessionsOf(stage)
    const held = await source.session(newTrip())
    stage.clouds.faults.set({ service: 'sts', kind: 'error' })
    stage.pass(57 * MINUTE_MS)
    assert.equal(source.session(newTrip()), held)
    stage.pass(3 * MINUTE_MS)
    await faultOf(() => source.session(newTrip()), 'none', /^no token for the call: AWS STS answered 500$/)
  }))

function tripOf(tenant: string, id: string): Trip {
  return { ...newTrip(), asker: { tenant, id } }
}

for (const [scope, sessions] of [
  ['target', 1],
  ['tenant', 2],
  ['caller', 3],
] as const) {
  test(`with the scope ${scope} three callers of two tenants have ${sessions} sessions, whose names name nobody`, () =>
    withKeyless(async (stage) => {
      const digest = (tenant: string, text: string): string =>
        Buffer.from(new TextEncoder().encode(`${tenant}${text}`).toReversed())
          .toString('hex')
          .padEnd(64, '0')
      const source = sessionsOf(stage, { scope, digest })
      const callers = [tripOf('contoso', 'ada@contoso.example'), tripOf('contoso', 'bob'), tripOf('fabrikam', 'eve')]
      for (const trip of [...callers, ...callers]) await source.session(trip)
      const names = stage.sent('sts').map((form) => form.get('RoleSessionName') ?? '')
      assert.equal(new Set(names).size, sessions)
      assert.equal(names.length, sessions)
      for (const name of names) {
        assert.match(name, scope === 'target' ? /^thinplane-nova$/ : /^thinplane-[0-9a-f]{32}$/)
        assert.doesNotMatch(name, /ada|contoso|eve|@/)
      }
    }))
}

const rows: readonly (readonly [
  what: string,
  reason: Reason,
  message: RegExp,
  given: {
    readonly mint?: Parameters<typeof fixedIdentity>[1]
    readonly options?: Partial<AwsWebIdentityOptions>
    readonly clouds?: SimCloudsOptions
  },
])[] = [
  [
    'a token for another audience',
    'audience',
    /\(InvalidIdentityToken\): add the token's `aud`/,
    { mint: { audience: 'api://google-federation' } },
  ],
  [
    'an account without the provider',
    'provider',
    /\(InvalidIdentityToken\): create an OIDC provider/,
    { clouds: { sts: { provider: { issuer: 'https://sts.windows.net/x/', audiences: ['api://aws-federation'] } } } },
  ],
  [
    'a token of a foreign key',
    'token',
    /\(InvalidIdentityToken\): the token is not genuine/,
    { mint: { foreignKey: true } },
  ],
  ['a token that has expired', 'token', /\(ExpiredToken\): the Azure token has expired/, { mint: { lifetimeS: -10 } }],
  [
    'a subject that the role does not trust',
    'trust',
    /\(AccessDenied\): let the trust policy of `arn:aws:iam::123456789012:role\/thinplane`/,
    { mint: { client: 'aaaaaaaa-0000-4000-8000-000000000001' } },
  ],
  ['a role that does not exist', 'trust', /\(AccessDenied\)/, { options: { roleArn: `${ROLE}-else` } }],
  [
    'a session longer than the role allows',
    'request',
    /\(ValidationError\): look at .*`sessionSeconds`/,
    { options: { sessionSeconds: 7200 } },
  ],
  [
    'a policy that is none',
    'request',
    /\(MalformedPolicyDocument\): the session policy is refused/,
    { options: { policy: '{' } },
  ],
]

for (const [what, reason, message, { mint = {}, options = {}, clouds = {} }] of rows) {
  test(`${what} is refused by STS, and the fault says what to change`, () =>
    withKeyless(async (stage) => {
      const identity = fixedIdentity(stage, { audience: 'api://aws-federation', ...mint })
      await faultOf(() => sessionsOf(stage, options, identity).session(newTrip()), reason, message)
    }, clouds))
}

test('STS being busy, broken or away is no verdict, and the next try asks again', () =>
  withKeyless(async (stage) => {
    const source = sessionsOf(stage)
    for (const kind of ['error', 'throttle', 'malformed', 'refuse', 'end-early'] as const) {
      stage.clouds.faults.set({ service: 'sts', kind })
      await faultOf(() => source.session(newTrip()), 'none', /^no token for the call: AWS STS /)
      stage.clouds.faults.clear()
    }
    assert.ok((await source.session(newTrip())).sessionToken instanceof Secret)
  }))

const policies: readonly (readonly [model: string, resources: unknown])[] = [
  [MODEL, `arn:aws:bedrock:*::foundation-model/${MODEL}`],
  [
    `eu.${MODEL}`,
    [`arn:aws:bedrock:*:123456789012:inference-profile/eu.${MODEL}`, `arn:aws:bedrock:*::foundation-model/${MODEL}`],
  ],
  ['arn:aws:bedrock:us-east-1:1:provisioned-model/p', 'arn:aws:bedrock:us-east-1:1:provisioned-model/p'],
]

test('the policy of a session names the model, in the form that IAM knows it by', () => {
  for (const [model, resources] of policies) {
    assert.deepEqual(JSON.parse(bedrockSessionPolicy(model, ROLE)), {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'bedrock:InvokeModel*', Resource: resources }],
    })
  }
  const profile = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc'
  const { Statement } = JSON.parse(bedrockSessionPolicy(profile, ROLE)) as { Statement: readonly unknown[] }
  assert.deepEqual(Statement[1], {
    Effect: 'Allow',
    Action: 'bedrock:InvokeModel*',
    Resource: 'arn:aws:bedrock:*::foundation-model/*',
    Condition: { StringEquals: { 'bedrock:InferenceProfileArn': profile } },
  })
})
