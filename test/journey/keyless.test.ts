import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { asRecord } from '#kit/json.ts'
import { createKey } from '#identity/key.ts'
import type { SimCloudsOptions } from '#simclouds/options.ts'
import type { SimClouds } from '#simclouds/start.ts'
import { type ConfigDraft, type Plane, chat, errorOf, eventually, post, withPlane } from '../plane.ts'

const ACCOUNT = 'thinplane@simulated.iam.gserviceaccount.com'

/** The targets of the local set-up, with Azure tokens that are exchanged instead of stored keys. */
function keyless(draft: ConfigDraft, { urls }: SimClouds, sessionScope: string): void {
  const identity = (scope: string) => ({
    kind: 'entra-managed-identity',
    scope: `${scope}/.default`,
    endpoint: urls['managed-identity'],
  })
  const safety = asRecord(draft.guard['contentSafety'])
  draft.guard['contentSafety'] = { ...safety, credential: identity('https://cognitiveservices.azure.com') }
  for (const target of Object.values(draft.targets)) {
    target['credential'] =
      target['provider'] === 'bedrock'
        ? {
            kind: 'aws-web-identity',
            roleArn: 'arn:aws:iam::123456789012:role/thinplane',
            region: 'us-east-1',
            endpoint: urls.sts,
            sessionScope,
            identity: identity('api://aws-federation'),
          }
        : {
            kind: 'google-id-token',
            provider: 'projects/1234567890/locations/global/workloadIdentityPools/azure/providers/entra',
            serviceAccount: ACCOUNT,
            stsEndpoint: urls['google-tokens'],
            iamEndpoint: urls['google-tokens'],
            identity: identity('api://google-federation'),
          }
  }
}

const CLOSED: SimCloudsOptions = { cloudRun: { firstTokenMs: 0, tokenMs: 0, idToken: { invokers: [ACCOUNT] } } }

/** Which target answers first is the order of the alias. */
function only(draft: ConfigDraft, provider: string): void {
  const names = Object.entries(draft.targets).filter(([, target]) => target['provider'] === provider)
  for (const alias of Object.values(draft.aliases)) alias['targets'] = names.map(([name]) => name)
}

function ask(plane: Plane, key = plane.key) {
  return post(plane.url, '/v1/chat/completions', key, chat('tell me about rivers'))
}

async function newCaller(plane: Plane, subject: string): Promise<string> {
  const made = createKey({ tenant: 'test', subject, roles: ['developer'] })
  await plane.addKey(made)
  await eventually(async () => ((await ask(plane, made.key)).status === 401 ? undefined : true), 'the key')
  return made.key
}

for (const [provider, exchanges] of [
  ['bedrock', ['managed-identity', 'sts']],
  ['openai-compatible', ['managed-identity', 'google-tokens']],
] as const) {
  test(`a request to ${provider} is answered with no stored key, and its entry shows each exchange once`, () =>
    withPlane(
      {
        clouds: CLOSED,
        change: (draft, clouds) => {
          keyless(draft, clouds, 'target')
          only(draft, provider)
        },
      },
      async (plane) => {
        const first = await ask(plane)
        assert.equal(first.status, 200, first.text)
        const counts = exchanges.map((service) => plane.clouds.requests.count(service))
        // One Azure token each for the safety check and for the exchange.
        assert.deepEqual(counts, provider === 'bedrock' ? [2, 1] : [2, 2])
        const entry = await plane.entry(first.headers.get('x-request-id') ?? '')
        const layers = entry.crossings.map(({ layer }) => layer)
        assert.equal(layers.filter((layer) => layer === 'identity').length, provider === 'bedrock' ? 3 : 4)
        assert.equal(plane.clouds.requests.count('entra'), 0)
        // The next one has everything at hand: one call for the model and none for tokens.
        const second = await ask(plane)
        const later = await plane.entry(second.headers.get('x-request-id') ?? '')
        assert.ok(!later.crossings.some(({ layer }) => layer === 'identity'))
        assert.doesNotMatch(await plane.trail(), /eyJ|ya29|ASIA/)
        assert.doesNotMatch(plane.logged.join('\n'), /eyJ|ya29|ASIA/)
      },
    ))
}

test('with a session for each caller STS sees two digests for two callers, and no name', () =>
  withPlane(
    {
      clouds: CLOSED,
      change: (draft, clouds) => {
        keyless(draft, clouds, 'caller')
        only(draft, 'bedrock')
      },
    },
    async (plane) => {
      const other = await newCaller(plane, 'another-caller')
      for (const key of [plane.key, other, plane.key, other]) assert.equal((await ask(plane, key)).status, 200)
      const forms = plane.clouds.requests.last('sts').map(({ body }) => new URLSearchParams(body))
      const names = forms.map((form) => form.get('RoleSessionName') ?? '')
      assert.equal(names.length, 2)
      assert.equal(new Set(names).size, 2)
      for (const name of names) assert.match(name, /^thinplane-[0-9a-f]{32}$/)
    },
  ))

test('a trust that is broken is not the fault of the caller, and the next target answers', () =>
  withPlane(
    {
      clouds: { ...CLOSED, sts: { roles: [] } },
      change: (draft, clouds) => {
        keyless(draft, clouds, 'target')
        const names = Object.entries(draft.targets).toSorted(([, a], [, b]) =>
          String(a['provider']).localeCompare(String(b['provider'])),
        )
        for (const alias of Object.values(draft.aliases)) alias['targets'] = names.map(([name]) => name)
      },
    },
    async (plane) => {
      const answer = await ask(plane)
      assert.equal(answer.status, 200, answer.text)
      assert.equal(plane.clouds.requests.count('bedrock'), 0)
      await plane.clouds.close()
      const broken = await ask(plane)
      assert.ok(broken.status >= 500, broken.text)
      assert.doesNotMatch(errorOf(broken).message, /eyJ|ya29|ASIA/)
    },
  ))

test('a reload that changes something else asks nobody for new tokens', () =>
  withPlane(
    {
      clouds: CLOSED,
      change: (draft, clouds) => {
        keyless(draft, clouds, 'target')
        only(draft, 'bedrock')
      },
    },
    async (plane) => {
      assert.equal((await ask(plane)).status, 200)
      await writeFile(plane.file, (await readFile(plane.file, 'utf8')).replace('assistant:', 'helper:'))
      await eventually(() => plane.logged.find((line) => line.includes('configuration reloaded')), 'the reload')
      assert.equal((await ask(plane)).status, 200)
      assert.equal(plane.clouds.requests.count('sts'), 1)
      assert.equal(plane.clouds.requests.count('managed-identity'), 2)
    },
  ))
