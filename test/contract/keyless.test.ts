import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { CrossRequest } from '#contract/crossing.ts'
import { awsWebIdentity } from '#credentials/aws-web-identity.ts'
import { googleFederation } from '#credentials/google-federation.ts'
import { googleAccessToken, googleIdToken } from '#credentials/google-service-account.ts'
import { AWS_SCOPE, GOOGLE_SCOPE, type Keyless, withKeyless } from '#credentials/keyless.suite.ts'
import { newTrip } from '#identity/entra.suite.ts'
import { at } from '#simclouds/client.suite.ts'
import { contract } from './contracts.ts'

const EXCHANGE = 'azure/wire/cross-cloud-exchange.json'
const ROLE = 'arn:aws:iam::123456789012:role/thinplane'
const PROVIDER = 'projects/1234567890/locations/global/workloadIdentityPools/azure/providers/entra'
const ACCOUNT = 'thinplane@simulated.iam.gserviceaccount.com'

interface Exchanged {
  readonly request: CrossRequest
  readonly status: number
  readonly text: string
}

/** Everything that leaves, with what came back, in order. */
function listening(stage: Keyless): { readonly stage: Keyless; readonly calls: Exchanged[] } {
  const calls: Exchanged[] = []
  const cross: Keyless['cross'] = async (trip, request) => {
    const answer = await stage.cross(trip, request)
    const text = await answer.text()
    calls.push({ request, status: answer.status, text })
    return { ...answer, status: answer.status, text: () => Promise.resolve(text) }
  }
  return { stage: { ...stage, cross }, calls }
}

async function recorded(
  context: TestContext,
  body: (samples: unknown, stage: Keyless, calls: readonly Exchanged[]) => Promise<void>,
): Promise<void> {
  const samples = contract(context, EXCHANGE)
  if (samples === undefined) return
  await withKeyless(async (bare) => {
    const { stage, calls } = listening(bare)
    await body(samples, stage, calls)
  })
}

function namesOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value).toSorted() : []
}

function sessionOf({ clouds, cross, now, identity }: Keyless, roleArn = ROLE) {
  const options = {
    roleArn,
    region: 'us-east-1',
    endpoint: clouds.urls.sts,
    sessionName: 'gw',
    sessionSeconds: 900,
    scope: 'target',
    target: 'x',
    policy: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    digest: () => '',
  } as const
  return awsWebIdentity(options, identity(AWS_SCOPE), cross, now).session(newTrip())
}

test('AssumeRoleWithWebIdentity: what we send and what the stand-in answers have the form of the recording', (context) =>
  recorded(context, async (samples, stage, calls) => {
    await sessionOf(stage)
    const call = calls.at(-1)
    const form = Object.fromEntries(new URLSearchParams(call?.request.body))
    assert.deepEqual(namesOf(form), namesOf(at(samples, 'aws_sts', 'request', 'form')))
    for (const fixed of ['Action', 'Version', 'DurationSeconds'])
      assert.equal(form[fixed], at(samples, 'aws_sts', 'request', 'form', fixed))
    assert.equal(call?.request.credential.kind, 'none')
    const tags = (xml: string): string[] => [...xml.matchAll(/<([A-Za-z]+)/g)].map(([, tag = '']) => tag)
    assert.deepEqual(tags(call.text), tags(String(at(samples, 'aws_sts', 'response_200_xml'))))
    await assert.rejects(async () => sessionOf(stage, `${ROLE}-else`))
    const refused = calls.at(-1)
    assert.deepEqual(tags(refused?.text ?? ''), tags(String(at(samples, 'aws_sts', 'response_error_xml'))))
    const codes = at(samples, 'aws_sts', 'error_codes', String(refused?.status)) as readonly string[]
    assert.ok(codes.includes(/<Code>(\w+)</.exec(refused?.text ?? '')?.[1] ?? ''))
  }))

test('the exchange at Google STS: request, answer and refusal have the form of the recording', (context) =>
  recorded(context, async (samples, { clouds, cross, now, identity }, calls) => {
    const endpoint = clouds.urls['google-tokens']
    const federate = (scope: string) =>
      googleFederation({ provider: PROVIDER, endpoint }, identity(scope), cross, now).token(newTrip())
    await federate(GOOGLE_SCOPE)
    const sample = at(samples, 'gcp_sts', 'request', 'form') as Readonly<Record<string, string>>
    const form = Object.fromEntries(new URLSearchParams(calls.at(-1)?.request.body))
    assert.deepEqual({ ...form, subject_token: '<JWT>' }, sample)
    assert.deepEqual(namesOf(JSON.parse(calls.at(-1)?.text ?? '')), namesOf(at(samples, 'gcp_sts', 'response')))
    await assert.rejects(async () => federate(AWS_SCOPE))
    const refused = calls.at(-1)
    const expected = JSON.stringify(at(samples, 'gcp_sts', 'error', 'body')).replace('[..]', '[api://aws-federation]')
    assert.equal(refused?.status, at(samples, 'gcp_sts', 'error', 'status'))
    assert.deepEqual(JSON.parse(refused?.text ?? ''), JSON.parse(expected))
  }))

test('tokens of a service account: requests and answers have the form of the recording', (context) =>
  recorded(context, async (samples, { clouds, cross, now, identity }, calls) => {
    const endpoint = clouds.urls['google-tokens']
    const federated = googleFederation({ provider: PROVIDER, endpoint }, identity(GOOGLE_SCOPE), cross, now)
    const account = { serviceAccount: ACCOUNT, endpoint }
    for (const [name, source] of [
      ['gcp_generateAccessToken', googleAccessToken(account, federated, cross, now)],
      ['gcp_generateIdToken', googleIdToken({ ...account, audience: 'https://x.run.app' }, federated, cross, now)],
    ] as const) {
      await source.token(newTrip())
      const call = calls.at(-1)
      const sample = new URL(String(at(samples, name, 'request', 'url')))
      assert.equal(
        new URL(call?.request.url ?? '').pathname.replace(ACCOUNT, ''),
        sample.pathname.replace(/run-invoker@p\.iam\.gserviceaccount\.com/, ''),
      )
      const known = namesOf(at(samples, name, 'request', 'body'))
      for (const field of namesOf(JSON.parse(call?.request.body ?? ''))) assert.ok(known.includes(field), field)
      assert.deepEqual(namesOf(JSON.parse(call?.text ?? '')), namesOf(at(samples, name, 'response')))
    }
  }))
