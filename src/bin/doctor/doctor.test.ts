import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { SimCloudsOptions } from '#simclouds/options.ts'
import { type SimClouds, startSimClouds } from '#simclouds/start.ts'
import { examine } from './examine.ts'
import { probeOf } from './reach.ts'
import { isBroken, report } from './report.ts'
import type { Chain } from './walk.ts'

const ROLE = 'arn:aws:iam::123456789012:role/thinplane'
const PROVIDER = 'projects/1234567890/locations/global/workloadIdentityPools/azure/providers/entra'
const ACCOUNT = 'thinplane@simulated.iam.gserviceaccount.com'
const SUBJECT = 'eeeeeeee-0000-4000-8000-000000000005'
const CLOSED: SimCloudsOptions = { cloudRun: { idToken: { invokers: [ACCOUNT] } } }

function configOf({ urls, settings }: SimClouds, change: (yaml: string) => string): string {
  const identity = (resource: string): string =>
    `identity: {kind: entra-managed-identity, scope: ${resource}/.default, endpoint: ${urls['managed-identity']}}`
  return change(`
identity: {issuers: [{kind: entra, name: contoso, authority: ${urls.entra}, tenants: [${settings.entra.tenants[0] ?? ''}], audiences: [x]}]}
guard:
  profiles: {balanced: {managed: off}}
  contentSafety:
    endpoint: ${urls['content-safety']}
    credential: {kind: entra-managed-identity, scope: https://cognitiveservices.azure.com/.default, endpoint: ${urls['managed-identity']}}
targets:
  nova:
    provider: bedrock
    place: {cloud: aws, region: us-east-1}
    endpoint: ${urls.bedrock}
    model: amazon.nova-lite-v1:0
    credential:
      kind: aws-web-identity
      roleArn: ${ROLE}
      region: us-east-1
      endpoint: ${urls.sts}
      ${identity('api://aws-federation')}
  llama:
    provider: openai-compatible
    place: {cloud: gcp, region: us-east4}
    endpoint: ${urls['cloud-run']}
    model: simulated-llama
    credential:
      kind: google-id-token
      provider: ${PROVIDER}
      serviceAccount: ${ACCOUNT}
      stsEndpoint: ${urls['google-tokens']}
      iamEndpoint: ${urls['google-tokens']}
      ${identity('api://google-federation')}
aliases: {chat: {targets: [nova, llama]}}
`)
}

/** Walks one target, or everything. */
type Run = (target?: string) => Promise<{ readonly chains: readonly Chain[]; readonly text: string }>

async function examined(
  body: (run: Run, clouds: SimClouds) => Promise<void>,
  options: SimCloudsOptions = {},
  change: (yaml: string) => string = (yaml) => yaml,
): Promise<void> {
  const clouds = await startSimClouds({ latencyScale: 0, ...CLOSED, ...options })
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'))
  const file = join(folder, 'thinplane.yaml')
  await writeFile(file, configOf(clouds, change))
  try {
    await body(async (target) => {
      const chains = await examine(file, target, {})
      return { chains, text: report(chains) }
    }, clouds)
  } finally {
    await clouds.close()
    await rm(folder, { recursive: true })
  }
}

test('a deployment whose trust is in order is fine, one line a step, and no token is shown', () =>
  examined(async (run) => {
    const { chains, text } = await run()
    assert.ok(!chains.some((chain) => isBroken(chain)), text)
    const steps = text.split('\n').filter((line) => line.startsWith('  '))
    assert.deepEqual(
      steps.map((line) => line.trim().split(/ {2,}/).slice(0, 2)),
      'resolve,connect,azure token,aws session,reach,resolve,connect,azure token,google exchange,service account,reach,resolve,connect,azure token'
        .split(',')
        .map((step) => ['ok', step]),
    )
    assert.match(text, /3 chains, all fine\n$/)
    assert.match(text, new RegExp(`audience \`api://aws-federation\`, subject \`${SUBJECT}\``))
    assert.doesNotMatch(text, /eyJ|ya29|ASIA/)
  }))

const issuer = (clouds: SimClouds): string => `${clouds.urls.entra}/${clouds.settings.entra.tenants[0] ?? ''}/`

const broken: readonly (readonly [
  what: string,
  target: 'nova' | 'llama',
  step: string,
  mend: (clouds: SimClouds) => readonly string[],
  options: SimCloudsOptions,
  change?: (yaml: string) => string,
])[] = [
  [
    'a role that trusts somebody else',
    'nova',
    'aws session',
    (clouds) => {
      const provider = issuer(clouds).replace('http://', '')
      return [
        'aws iam update-assume-role-policy --role-name thinplane',
        `"Federated": "arn:aws:iam::123456789012:oidc-provider/${provider}"`,
        `"${provider}:aud": "api://aws-federation"`,
        `"${provider}:sub": "${SUBJECT}"`,
      ]
    },
    { sts: { roles: [{ arn: ROLE, audience: 'api://aws-federation', subject: 'somebody', maxSessionS: 3600 }] } },
  ],
  [
    'an account without the provider',
    'nova',
    'aws session',
    (clouds) => [
      `aws iam create-open-id-connect-provider --url ${issuer(clouds)} --client-id-list api://aws-federation`,
    ],
    { sts: { provider: { issuer: 'https://sts.windows.net/other/', audiences: ['api://aws-federation'] } } },
  ],
  [
    'a provider for another audience',
    'nova',
    'aws session',
    () => ['aws iam add-client-id-to-open-id-connect-provider', '--client-id api://aws-federation'],
    { sts: { provider: { issuer: undefined, audiences: ['api://other'] } } },
  ],
  [
    'a pool that does not exist',
    'llama',
    'google exchange',
    (clouds) => [
      'gcloud iam workload-identity-pools create azure --project=1234567890',
      `create-oidc entra --project=1234567890 --location=global --workload-identity-pool=azure --issuer-uri=${issuer(clouds)} --allowed-audiences=api://google-federation`,
      `--attribute-condition="assertion.sub == '${SUBJECT}'"`,
    ],
    { googleTokens: { provider: 'projects/1/locations/global/workloadIdentityPools/x/providers/y' } },
  ],
  [
    'a Google provider for another audience',
    'llama',
    'google exchange',
    () => ['providers update-oidc entra', '--allowed-audiences=api://google-federation'],
    { googleTokens: { audiences: ['api://other'] } },
  ],
  [
    'a Google provider for another issuer',
    'llama',
    'google exchange',
    (clouds) => [`--issuer-uri=${issuer(clouds)}`],
    { googleTokens: { issuer: 'https://sts.windows.net/other/' } },
  ],
  [
    'a condition that rejects the identity',
    'llama',
    'google exchange',
    () => [`update-oidc entra`, `--attribute-condition="assertion.sub == '${SUBJECT}'"`],
    { googleTokens: { subjects: [] } },
  ],
  [
    'a service account without the binding',
    'llama',
    'service account',
    () => [
      `gcloud iam service-accounts add-iam-policy-binding ${ACCOUNT} --role=roles/iam.workloadIdentityUser --member=principal://iam.googleapis.com/projects/1234567890/locations/global/workloadIdentityPools/azure/subject/${SUBJECT}`,
    ],
    { googleTokens: { serviceAccounts: [{ email: ACCOUNT, members: [] }] } },
  ],
  [
    'a service that the account may not invoke',
    'llama',
    'reach',
    () => [
      `gcloud run services add-iam-policy-binding SERVICE --region=us-east4 --member=serviceAccount:${ACCOUNT} --role=roles/run.invoker`,
    ],
    { cloudRun: { idToken: { invokers: [] } } },
  ],
  [
    'an ID token for another service',
    'llama',
    'reach',
    () => ['the token is for `https://other.run.app`'],
    {},
    (yaml) => yaml.replace('kind: google-id-token', 'kind: google-id-token\n      audience: https://other.run.app'),
  ],
  [
    'a role that may not call the model',
    'nova',
    'reach',
    () => [
      'aws iam put-role-policy --role-name thinplane',
      '"Resource": "arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0"',
    ],
    { faults: [{ service: 'bedrock', kind: 'error', status: 403, path: '/converse' }] },
  ],
  [
    'a model that is not there',
    'nova',
    'reach',
    () => ['look at `model`: there is no `amazon.nova-lite-v1:0` in this region'],
    { bedrock: { models: ['another'] } },
  ],
  [
    'a Google API that the federated identity may not use',
    'llama',
    'reach',
    () => [
      `--role=roles/aiplatform.user --member=principal://iam.googleapis.com/projects/1234567890/locations/global/workloadIdentityPools/azure/subject/${SUBJECT}`,
    ],
    { cloudRun: { bearer: 'another' } },
    (yaml) => yaml.replace('kind: google-id-token', 'kind: google-access-token').replace(/ +serviceAccount: .*\n/, ''),
  ],
  [
    'an Azure resource on which the identity has no role',
    'llama',
    'reach',
    () => [
      `az role assignment create --assignee-object-id ${SUBJECT} --assignee-principal-type ServicePrincipal --role "Cognitive Services OpenAI User"`,
    ],
    { cloudRun: { bearer: 'another' } },
    (yaml) =>
      yaml.replace(
        /kind: google-id-token\n(?: {6}.*\n)*? {6}identity: \{(.*)\}\n/,
        (_, identity: string) =>
          identity
            .split(', ')
            .map((field) => field.replace('api://google-federation', 'https://cognitiveservices.azure.com'))
            .join('\n      ') + '\n',
      ),
  ],
  [
    'a platform whose token the application does not trust',
    'nova',
    'azure token',
    () => ['was not asked: the token file', 'az ad app federated-credential create --id c --parameters'],
    {},
    (yaml) =>
      yaml.replace(
        /identity: \{kind: entra-managed-identity, scope: api:\/\/aws-federation.*\}/,
        'identity: {kind: entra-workload, issuer: contoso, scope: api://aws-federation/.default, clientId: c, tokenFile: nowhere}',
      ),
  ],
  [
    'a machine without an identity',
    'nova',
    'azure token',
    () => ['az containerapp identity assign'],
    { managedIdentity: { isAssigned: false } },
  ],
  [
    'an application that stands for the other cloud and is not registered',
    'nova',
    'azure token',
    () => ['az ad app create --display-name thinplane-federation --identifier-uris api://aws-federation'],
    { entra: { federation: [] } },
  ],
]

for (const [what, target, step, mend, options, change] of broken) {
  test(`${what}: doctor says \`${step}\` has failed, and what to add`, () =>
    examined(
      async (run, clouds) => {
        const { text } = await run(target)
        const failed = text.split('\n').filter((line) => line.startsWith('  failed'))
        assert.equal(failed.length, 1, text)
        assert.ok(failed[0]?.startsWith(`  failed   ${step} `), text)
        assert.match(text, /mend: /)
        for (const each of mend(clouds)) assert.ok(text.includes(each), `${each}\nis not in\n${text}`)
        assert.match(text, /1 chain, 1 broken\n$/)
        assert.doesNotMatch(text, /eyJ|ya29|ASIA/)
      },
      options,
      change,
    ))
}

test('a name without an address and a port where nobody listens fail at their step; the credential is walked all the same', () =>
  examined(
    async (run) => {
      const { chains } = await run()
      const stepsOf = (name: string) =>
        chains.find((chain) => chain.name === name)?.steps.map((each) => `${each.step} ${each.status}`)
      assert.deepEqual(stepsOf('targets.nova'), [
        'resolve failed',
        'connect skipped',
        'azure token ok',
        'aws session ok',
        'reach skipped',
      ])
      assert.deepEqual(stepsOf('targets.llama')?.slice(0, 3), ['resolve ok', 'connect failed', 'azure token ok'])
    },
    {},
    (yaml) =>
      yaml
        .replace(/(region: us-east-1}\n {4}endpoint: ).*/, '$1http://nobody.invalid')
        .replace(/(region: us-east4}\n {4}endpoint: ).*/, '$1http://127.0.0.1:9'),
  ))

test('a secret that is missing is named by its reference', () =>
  examined(
    async (run) => {
      const { text } = await run('nova')
      assert.match(
        text,
        /failed {3}credential .*\n {11}mend: targets\.nova\.credential\.identity\.secret: the environment variable `NOT_SET`/,
      )
    },
    {},
    (yaml) =>
      yaml.replace(
        /identity: \{kind: entra-managed-identity, scope: api:\/\/aws-federation.*\}/,
        'identity: {kind: entra-client, issuer: contoso, scope: api://aws-federation/.default, clientId: x, secret: {env: NOT_SET}}',
      ),
  ))

test('each kind of target is asked at its own place, for nothing that costs', () => {
  const asked = (provider: string, endpoint: string): string => {
    const { method, url } = probeOf({ provider, endpoint, model: 'm:1' })
    return `${method} ${url}`
  }
  const vertex = 'https://us-east4-aiplatform.googleapis.com/v1/projects/p/locations/us-east4'
  assert.equal(asked('openai-compatible', 'http://a'), 'GET http://a/v1/models')
  assert.equal(asked('openai', 'http://a'), 'GET http://a/v1/models')
  assert.equal(asked('azure-openai', 'http://a'), 'GET http://a/openai/v1/models')
  assert.equal(asked('anthropic', 'http://a'), 'GET http://a/v1/models')
  assert.equal(asked('bedrock', 'http://a'), 'POST http://a/model/m%3A1/converse')
  assert.equal(asked('vertex-gemini', vertex), `POST ${vertex}/publishers/google/models/m:1:countTokens`)
  assert.equal(asked('vertex-claude', vertex), `POST ${vertex}/publishers/anthropic/models/count-tokens:rawPredict`)
})
