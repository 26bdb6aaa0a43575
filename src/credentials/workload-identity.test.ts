import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type JWTPayload, SignJWT, decodeJwt, exportJWK, generateKeyPair } from 'jose'
import type { TokenSource } from '#contract/crossing.ts'
import { newTrip } from '#identity/entra.suite.ts'
import { GOOGLE_SCOPE, type Keyless, MINUTE_MS, faultOf, revealed, withKeyless } from './keyless.suite.ts'
import { workloadIdentity } from './workload-identity.ts'

const CLIENT = 'aaaaaaaa-0000-4000-8000-0000000000a7'
const ISSUER = 'https://oidc.cluster.example/'
const SUBJECT = 'system:serviceaccount:thinplane:control'
const platform = await generateKeyPair('RS256')
const stranger = await generateKeyPair('RS256')

interface Pod {
  readonly stage: Keyless
  readonly source: TokenSource
  readonly file: string
  /** Puts a token of the platform into the file. */
  readonly put: (claims?: JWTPayload, key?: CryptoKey) => Promise<string>
}

type CryptoKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']

async function inPod(body: (pod: Pod) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'workload-'))
  const file = join(folder, 'token')
  const federated = { issuer: ISSUER, subject: SUBJECT, keys: [await exportJWK(platform.publicKey)] }
  const clients = [{ clientId: CLIENT, secret: '', oid: 'cccccccc-0000-4000-8000-0000000000a7', roles: [], federated }]
  await withKeyless(
    async (stage) => {
      const { clouds, cross, now } = stage
      const tenant = clouds.settings.entra.tenants[0] ?? ''
      const source = workloadIdentity(
        {
          authority: clouds.urls.entra,
          region: 'eastus',
          clientId: CLIENT,
          tenant,
          scope: GOOGLE_SCOPE,
          tokenFile: file,
        },
        cross,
        now,
      )
      const put: Pod['put'] = async (claims = {}, key = platform.privateKey) => {
        const iat = Math.floor(Date.now() / 1000)
        const all = { iss: ISSUER, sub: SUBJECT, aud: 'api://AzureADTokenExchange', iat, exp: iat + 600, ...claims }
        const token = await new SignJWT(all).setProtectedHeader({ alg: 'RS256' }).sign(key)
        await writeFile(file, `${token}\n`)
        return token
      }
      await body({ stage, source, file, put })
    },
    { entra: { clients } },
  )
  await rm(folder, { recursive: true })
}

test("the platform's token stands for a secret, is sent as an assertion and read anew each time", () =>
  inPod(async ({ stage, source, put }) => {
    const first = await put()
    assert.equal(decodeJwt(await revealed(source, newTrip())).aud, 'api://google-federation')
    const second = await put({ jti: 'second' })
    stage.pass(60 * MINUTE_MS)
    await revealed(source, newTrip())
    const forms = stage.sent('entra')
    assert.deepEqual(
      forms.map((form) => form.get('client_assertion')),
      [first, second],
    )
    assert.deepEqual(
      [forms[0]?.get('grant_type'), forms[0]?.get('client_assertion_type'), forms[0]?.has('client_secret')],
      ['client_credentials', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', false],
    )
  }))

const refused: readonly (readonly [what: string, claims: JWTPayload, key: CryptoKey, message: RegExp])[] = [
  [
    'another issuer',
    { iss: 'https://other.example/' },
    platform.privateKey,
    /AADSTS700211\), the federated credential .* issuer/,
  ],
  ['another subject', { sub: 'system:serviceaccount:x:y' }, platform.privateKey, /AADSTS700213\).* another subject/],
  ['another audience', { aud: 'api://else' }, platform.privateKey, /AADSTS700212\).*api:\/\/AzureADTokenExchange/],
  ['no time left', { exp: 1 }, platform.privateKey, /AADSTS700024\).*has expired/],
]

for (const [what, claims, key, message] of refused) {
  test(`a platform's token with ${what} is refused, and the fault says what to change`, () =>
    inPod(async ({ source, put }) => {
      await put(claims, key)
      await faultOf(() => source.token(newTrip()), 'identity', message)
    }))
}

test("a token of another key is refused with Entra's code", () =>
  inPod(async ({ source, put }) => {
    await put({}, stranger.privateKey)
    await faultOf(() => source.token(newTrip()), 'request', /invalid_client \(AADSTS700027\)$/)
  }))

test('a token file that is missing or empty is named, and nobody is asked', () =>
  inPod(async ({ stage, source, file }) => {
    await faultOf(() => source.token(newTrip()), 'identity', /the token file `.*token` can not be read \(ENOENT\)$/)
    await writeFile(file, '\n')
    await faultOf(() => source.token(newTrip()), 'identity', /is empty$/)
    assert.equal(stage.clouds.requests.count('entra'), 0)
  }))
