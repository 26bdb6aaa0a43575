import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type Cross, CrossFault, type CrossRequest } from '#contract/crossing.ts'
import { type Problem, parseConfig } from '#config/load.ts'
import { resolveCredential } from '#config/secrets.ts'
import { Secret } from '#kit/secret.ts'
import { ownTrip } from './own-trip.ts'
import { tokenSourcesOf } from './token-sources.ts'

const AWS = `kind: aws-web-identity, roleArn: 'arn:aws:iam::123456789012:role/x'`
const GOOGLE = `kind: google-id-token, provider: projects/1/locations/global/workloadIdentityPools/p/providers/q, serviceAccount: a@p.iam.gserviceaccount.com`
const MANAGED = 'identity: {kind: entra-managed-identity, scope: api://x/.default}'
const WORKLOAD = 'identity: {kind: entra-workload, issuer: contoso, scope: api://x/.default, clientId: c}'

interface Asked {
  readonly calls: readonly CrossRequest[]
  readonly problems: readonly Problem[]
}

/** Asks each of these credentials for something; the token endpoint answers, everybody else is out. */
async function ask(credentials: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Asked> {
  const targets = credentials.map(
    (credential, at) =>
      `  t${at}: {provider: bedrock, place: {cloud: gcp, region: us-east4}, endpoint: https://t${at}.run.app/deep, model: m, credential: {${credential}}}`,
  )
  const config = parseConfig(
    `
identity: {issuers: [{kind: entra, name: contoso, tenants: [11111111-2222-4333-8444-555555555555], audiences: [a]}]}
guard: {profiles: {balanced: {managed: off}}}
targets:
${targets.join('\n')}
aliases: {chat: {targets: [t0]}}
`,
    'thinplane.yaml',
  )
  const calls: CrossRequest[] = []
  const cross: Cross = (_trip, request) => {
    calls.push(request)
    const body = answerOf(request.url)
    if (body === undefined) return Promise.reject(new CrossFault('connect', 'out'))
    const crossing = { status: 200 } as Awaited<ReturnType<Cross>>['crossing']
    const text = () => Promise.resolve(JSON.stringify(body))
    const nothing = { setIdleMs: () => undefined, cancel: () => undefined }
    return Promise.resolve({ status: 200, headers: {}, body: emptyBody(), text, crossing, ...nothing })
  }
  const problems: Problem[] = []
  const lookUp = { environment, resolve: (path: string) => `/config/${path}`, problems }
  const tokenSources = tokenSourcesOf(config, { ...lookUp, cross })
  for (const [name, target] of Object.entries(config.targets)) {
    const path = `targets.${name}.credential`
    const made = resolveCredential(target.credential, path, { ...lookUp, tokenSources }, { name, ...target })
    const get = async (): Promise<unknown> =>
      made.kind === 'aws-session'
        ? made.source.session(ownTrip())
        : made.kind === 'token'
          ? made.source.token(ownTrip())
          : undefined
    await get().catch(() => undefined)
  }
  return { calls, problems }
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {
  yield* []
}

function answerOf(url: string): unknown {
  if (url.includes('169.254') || url.includes('/msi')) return { access_token: 'azure', expires_in: '3600' }
  return url.includes('sts.googleapis.com') ? { access_token: 'federated', expires_in: 3600 } : undefined
}

test('equal identities and federations are asked once, however many targets use them', async () => {
  const { calls } = await ask([
    `${GOOGLE}, ${MANAGED}`,
    `${GOOGLE}, ${MANAGED}`,
    `${AWS}, region: us-east-1, ${MANAGED}`,
  ])
  assert.deepEqual(
    calls.map(({ url }) => new URL(url).host),
    [
      '169.254.169.254',
      'sts.googleapis.com',
      'iamcredentials.googleapis.com',
      'iamcredentials.googleapis.com',
      'sts.us-east-1.amazonaws.com',
    ],
  )
})

test('the audience of an ID token is the service that the target is, or what is written', async () => {
  const { calls } = await ask([`${GOOGLE}, ${MANAGED}`, `${GOOGLE}, audience: https://a.example, ${MANAGED}`])
  const audiences = calls
    .filter(({ url }) => url.endsWith(':generateIdToken'))
    .map(({ body }) => (JSON.parse(body ?? '') as { readonly audience: string }).audience)
  assert.deepEqual(audiences, ['https://t0.run.app', 'https://a.example'])
})

test('a role is assumed at the STS of its region, also in China', async () => {
  const { calls } = await ask([`${AWS}, region: cn-north-1, ${MANAGED}`])
  assert.equal(calls.at(-1)?.url, 'https://sts.cn-north-1.amazonaws.com.cn/')
})

test("a managed identity comes from the platform's own endpoint where there is one", async () => {
  const environment = { IDENTITY_ENDPOINT: 'http://127.0.0.1:42356/msi/token/', IDENTITY_HEADER: 'h' }
  const { calls } = await ask([`${AWS}, region: us-east-1, ${MANAGED}`], environment)
  assert.equal(calls[0]?.url, 'http://127.0.0.1:42356/msi/token?api-version=2019-08-01&resource=api%3A%2F%2Fx')
  assert.equal(calls[0]?.headers['x-identity-header'], 'h')
})

test('a workload without a token file is told where it is taken from', async () => {
  const { problems } = await ask([`${AWS}, region: us-east-1, ${WORKLOAD}`])
  assert.deepEqual(problems, [
    {
      path: 'targets.t0.credential.identity.tokenFile',
      line: 0,
      message: 'no token file: write its path, or let the platform set `AZURE_FEDERATED_TOKEN_FILE`',
    },
  ])
  const set = await ask([`${AWS}, region: us-east-1, ${WORKLOAD}`], { AZURE_FEDERATED_TOKEN_FILE: '/var/run/token' })
  assert.deepEqual(set.problems, [])
})

test('a source outlives a reload while nothing that it was made from has changed, its secret included', () => {
  const config = (region: string) =>
    parseConfig(
      `
identity: {issuers: [{kind: entra, name: contoso, region: ${region}, tenants: [11111111-2222-4333-8444-555555555555], audiences: [a]}]}
guard: {profiles: {balanced: {managed: off}}}
targets: {t: {provider: bedrock, place: {cloud: aws, region: us-east-1}, endpoint: http://t, model: m}}
aliases: {chat: {targets: [t]}}
`,
      'thinplane.yaml',
    )
  const options = {
    cross: () => Promise.reject(new CrossFault('connect', 'out')),
    environment: {},
    resolve: (path: string) => path,
    problems: [],
  }
  const wanted = { kind: 'entra-client', issuer: 'contoso', scope: 's', clientId: 'c', secret: { env: 'E' } } as const
  const before = tokenSourcesOf(config('eastus'), options)
  const source = before.identity(wanted, new Secret('one'), 'x')
  const after = (region: string, secret: string) =>
    tokenSourcesOf(config(region), { ...options, last: before.pool }).identity(wanted, new Secret(secret), 'x')
  assert.equal(after('eastus', 'one'), source)
  assert.notEqual(after('eastus', 'two'), source)
  assert.notEqual(after('westus', 'one'), source)
})

test('the example of the guide is a configuration', () => {
  const guide = readFileSync(new URL('../../docs/keyless.md', import.meta.url), 'utf8')
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? []
  const rest = 'guard: {profiles: {balanced: {managed: off}}}\naliases: {chat: {targets: [claude, llama, gpt]}}\n'
  const { targets } = parseConfig(example + rest, 'keyless.md')
  assert.deepEqual(
    Object.values(targets).map(({ credential }) => credential.kind),
    ['aws-web-identity', 'google-id-token', 'entra-managed-identity'],
  )
})
