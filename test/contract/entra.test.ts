import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type JWTPayload, decodeJwt, decodeProtectedHeader } from 'jose'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { Refusal } from '#contract/refusal.ts'
import { onBehalfOf } from '#credentials/on-behalf-of.ts'
import { agentOf } from '#identity/agent.ts'
import { newTrip, withEntra } from '#identity/entra.suite.ts'
import { Secret } from '#kit/secret.ts'
import { at, send, withClouds } from '#simclouds/client.suite.ts'
import type { MintOptions } from '#simclouds/entra-tokens.ts'
import { challengeOf } from '#wire/challenge.ts'
import { contract } from './contracts.ts'

const TOKENS = 'azure/wire/entra-tokens.json'
const ENDPOINTS = 'azure/wire/entra-endpoints.json'

/** Claim or member names with the JSON type of each value. */
function typesOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, each]): [string, string] => [name, Array.isArray(each) ? 'array' : typeof each])
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}

/** Claims that only other kinds of principal have. */
function without(types: Record<string, string>, ...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(types).filter(([name]) => !names.includes(name)))
}

const GROUPS = Array.from({ length: 201 }, (_, index) => `99999999-0000-4000-8000-${String(index).padStart(12, '0')}`)

const kinds: readonly (readonly [sample: string, options: MintOptions, onlyThere: readonly string[]])[] = [
  ['v2_app_only', {}, []],
  ['v2_user_delegated', { user: 'Ada Example' }, []],
  [
    'v2_user_groups_overage',
    { user: 'Ada Example', groups: GROUPS, roles: [], claims: { name: undefined, preferred_username: undefined } },
    [],
  ],
  ['v1_managed_identity_to_custom_app', { version: 1 }, ['xms_mirid']],
]

for (const [sample, options, onlyThere] of kinds) {
  test(`a minted token has the claims of ${sample}`, async (context: TestContext) => {
    const samples = contract(context, TOKENS)
    if (samples === undefined) return
    await withClouds({}, async (clouds) => {
      const token = await clouds.mintToken(options)
      assert.deepEqual(typesOf(decodeJwt(token)), without(typesOf(at(samples, sample)), ...onlyThere))
      const version = sample.slice(0, 2)
      assert.deepEqual(typesOf(decodeProtectedHeader(token)), typesOf(at(samples, 'headers', version)))
      assert.equal(decodeJwt(token)['ver'], at(samples, sample, 'ver'))
    })
  })
}

test('discovery, keys, tokens and errors have the members of the samples', async (context) => {
  const samples = contract(context, ENDPOINTS)
  if (samples === undefined) return
  await withClouds({}, async (clouds) => {
    const base = `${clouds.urls.entra}/${clouds.settings.entra.tenants[0]}`
    const metadata = at((await send(`${base}/v2.0/.well-known/openid-configuration`, undefined)).text)
    assertSubset(metadata, at(samples, 'discovery_v2', 'body'))
    const keys = await send(`${base}/discovery/v2.0/keys`, undefined)
    assertSubset(at(keys.text, 'keys', 0), at(samples, 'jwks_common', 'body', 'keys', 0))
    const [client] = clouds.settings.entra.clients
    const form = {
      client_id: client?.clientId ?? '',
      client_secret: client?.secret ?? '',
      scope: `${clouds.settings.entra.appIdUri}/.default`,
      grant_type: 'client_credentials',
    }
    assert.deepEqual(typesOf(form), typesOf(at(samples, 'token_client_credentials', 'request', 'form')))
    const granted = await send(`${base}/oauth2/v2.0/token`, new URLSearchParams(form).toString())
    assert.deepEqual(typesOf(at(granted.text)), typesOf(at(samples, 'token_client_credentials', 'response')))
    const wrong = new URLSearchParams({ ...form, client_secret: 'x' }).toString()
    const refused = await send(`${base}/oauth2/v2.0/token`, wrong)
    assert.equal(refused.status, at(samples, 'token_error', 'status'))
    assert.deepEqual(typesOf(at(refused.text)), typesOf(at(samples, 'token_error', 'body')))
    assert.deepEqual(at(refused.text, 'error_codes'), at(samples, 'token_error', 'body', 'error_codes'))
  })
})

function assertSubset(value: unknown, sample: unknown): void {
  const known = typesOf(sample)
  const names = Object.entries(typesOf(value))
  assert.ok(names.length > 5)
  for (const [name, type] of names) assert.equal(type, known[name], name)
}

test('an exchange on behalf of a person is asked for as in the sample, by us, and refused in its shape', async (context) => {
  const samples = contract(context, ENDPOINTS)
  if (samples === undefined) return
  await withClouds({}, async (clouds) => {
    const { entra } = clouds.settings
    const secret = entra.clients.find(({ clientId }) => clientId === entra.audience)?.secret ?? ''
    const app = { authority: clouds.urls.entra, region: 'eastus', clientId: entra.audience, secret: new Secret(secret) }
    const border = openBorder({
      from: { cloud: 'azure', region: 'eastus' },
      rules: DEFAULT_RULES,
      egressMicroUsd: () => 0,
    })
    const trip = {
      ...newTrip(),
      caller: {
        token: new Secret(await clouds.mintToken({ user: 'Ada Example' })),
        digest: 'd',
        kind: 'user' as const,
        tenant: entra.tenants[0] ?? '',
        via: 'entra',
      },
    }
    const scope = 'https://cognitiveservices.azure.com/.default'
    await onBehalfOf({ app, issuer: 'entra', scope }, border.cross, Date.now).token(trip)
    await border.close(10)
    const sent = Object.fromEntries(new URLSearchParams(clouds.requests.last('entra').at(-1)?.body))
    assert.deepEqual(typesOf(sent), typesOf(at(samples, 'token_on_behalf_of', 'form')))
    for (const field of ['grant_type', 'requested_token_use'])
      assert.equal(sent[field], at(samples, 'token_on_behalf_of', 'form', field))
  })
})

test('an agent of the sample is taken, and is one', async (context) => {
  const samples = contract(context, TOKENS)
  if (samples === undefined) return
  const agent = agentOf(at(samples, 'v1_agent_identity') as JWTPayload)
  assert.deepEqual(
    [agent?.actor, agent?.relation],
    [
      ['3', '9', '11'],
      ['7', '10'],
    ],
  )
  assert.equal(agent?.blueprint, at(samples, 'v1_agent_identity', 'xms_par_app_azp'))
})

test('a claims challenge has the form of the sample', async (context) => {
  const samples = contract(context, ENDPOINTS)
  if (samples === undefined) return
  const sample = String(at(samples, 'cae_claims_challenge', 'header', 'WWW-Authenticate'))
  const uri = /authorization_uri="([^"]+)"/.exec(sample)?.[1] ?? ''
  const claims = JSON.stringify(at(samples, 'cae_claims_challenge', 'decoded_claims'))
  const ours = new Refusal('IDENTITY_INVALID', 'x', { challenge: { claims, authorizationUri: uri } })
  assert.equal(challengeOf(ours), sample)
})

test('what must be rejected by the samples is rejected', async (context) => {
  const samples = contract(context, TOKENS)
  if (samples === undefined) return
  const rows = at(samples, 'must_reject')
  assert.ok(Array.isArray(rows) && rows.length > 8)
  await withEntra(
    async ({ ask, mint }) => {
      for (const row of rows) {
        const patch = at(row, 'patch') as Record<string, unknown> | undefined
        const header = at(row, 'header') as Record<string, unknown> | undefined
        if (at(header, 'alg') === 'none') continue
        const claims = Object.fromEntries(
          Object.entries(patch ?? {}).map(([name, value]) => [name, value ?? undefined]),
        )
        const token = await mint({ claims, ...(header === undefined ? {} : { header }) })
        await assert.rejects(ask(token), { name: 'Refusal' }, String(at(row, 'why')))
      }
    },
    { options: { versions: ['v2'] } },
  )
})
