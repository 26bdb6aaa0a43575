import { hash, randomBytes } from 'node:crypto'
import { type JWTPayload, compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import { z } from 'zod'
import type { Cross, SecretValue, Trip } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import { type Sealer, createSealer } from '#kit/seal.ts'
import { textList, textOf } from './claims.ts'
import { createDiscovery } from './discovery.ts'
import { fetchJson } from './fetch-json.ts'
import { type KeySet, createKeySet } from './jwks.ts'
import { checkTimes, hasAudience } from './token.ts'

export interface SignInOptions {
  /** Exact `iss`; its discovery document says the rest. */
  readonly issuer: string
  readonly clientId: string
  /** Undefined for a public client: PKCE alone protects the code then. */
  readonly secret: SecretValue | undefined
  readonly scopes: readonly string[]
  readonly tenant: string
  readonly rolesClaim: string
  readonly place: Place
}

/** Someone whom the issuer vouched for. */
export interface Person {
  readonly principal: Principal
  readonly name: string
  /** Path on this server where they wanted to go. */
  readonly returnTo: string
  /** The access token that came along, for roles that the ID token does not carry. */
  readonly accessToken: string | undefined
}

/** OpenID Connect authorization code flow with PKCE, from this server's side. */
export interface SignIn {
  /** @returns where to send the browser, and what it has to bring back, sealed. */
  readonly begin: (
    to: { readonly redirectUri: string; readonly returnTo: string },
    trip: Trip,
  ) => Promise<{ readonly location: string; readonly pending: string }>
  /** Whether this server has begun the sign-in that this sealed text is of. */
  readonly knows: (pending: string) => boolean
  /**
   * @param answer What the browser came back with: the query, and the sealed text from `begin`.
   * @throws {Refusal} IDENTITY_INVALID, IDENTITY_EXPIRED, IDENTITY_UNAVAILABLE
   */
  readonly finish: (
    answer: { readonly query: URLSearchParams; readonly pending: string; readonly redirectUri: string },
    trip: Trip,
  ) => Promise<Person>
}

/** A sign-in may take this long, the second factor included. */
export const PENDING_MS = 10 * 60 * 1000

const Pending = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  untilEpochMs: z.number(),
})
type Pending = z.infer<typeof Pending>

const Granted = z.object({ id_token: z.string().max(32_768), access_token: z.string().max(32_768).optional() })

export function createSignIn(options: SignInOptions, cross: Cross, nowEpochMs: () => number): SignIn {
  const discover = createDiscovery(options.issuer, options.place, cross, nowEpochMs)
  const keys = createKeySet(
    'sign-in',
    async (trip) => fetchJson(cross, trip, (await discover(trip)).jwks_uri, options.place),
    nowEpochMs,
  )
  // Pending sign-ins are kept by the browsers themselves: nobody can fill this server's memory with them.
  const sealer = createSealer(randomBytes(32))
  const endpoint = async (field: 'authorization_endpoint' | 'token_endpoint', trip: Trip): Promise<string> => {
    const url = await reached(async () => (await discover(trip))[field])
    if (url === undefined) throw unavailable(new Error(`the discovery document has no ${field}`))
    return url
  }
  return {
    begin: async ({ redirectUri, returnTo }, trip) => {
      const url = new URL(await endpoint('authorization_endpoint', trip))
      const pending: Pending = {
        state: token(),
        nonce: token(),
        verifier: token(),
        returnTo: safePath(returnTo),
        untilEpochMs: nowEpochMs() + PENDING_MS,
      }
      const query = {
        response_type: 'code',
        response_mode: 'query',
        client_id: options.clientId,
        redirect_uri: redirectUri,
        scope: options.scopes.join(' '),
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: hash('sha256', pending.verifier, 'base64url'),
        code_challenge_method: 'S256',
      }
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
      return { location: url.href, pending: sealer.seal(JSON.stringify(pending)) }
    },
    knows: (sealed) => sealer.open(sealed) !== undefined,
    finish: async ({ query, pending: sealed, redirectUri }, trip) => {
      const pending = pendingOf(sealer, sealed, query, nowEpochMs())
      const code = codeOf(query)
      const url = await endpoint('token_endpoint', trip)
      const granted = await redeem(options, cross, trip, { url, code, verifier: pending.verifier, redirectUri })
      const claims = await checkedIdToken(
        options,
        keys,
        { token: granted.id_token, nonce: pending.nonce },
        trip,
        nowEpochMs(),
      )
      return {
        principal: personOf(options, claims),
        name: (textOf(claims['name']) ?? textOf(claims['preferred_username']) ?? '').slice(0, 100),
        returnTo: pending.returnTo,
        accessToken: granted.access_token,
      }
    },
  }
}

/** 256 random bits, in the alphabet of PKCE. */
function token(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * A path on this server, `/` for everything else: a link to the sign-in must not lead to another site. Browsers read
 * `//` and `/\` as the beginning of a host.
 */
export function safePath(path: string): string {
  return /^\/(?![/\\])[\w\-./~%?=&#]*$/.test(path) ? path : '/'
}

function pendingOf(sealer: Sealer, sealed: string, query: URLSearchParams, nowEpochMs: number): Pending {
  const opened = sealer.open(sealed)
  if (opened === undefined) throw again('this browser has not begun a sign-in here')
  const pending = Pending.parse(JSON.parse(opened))
  if (query.get('state') !== pending.state) throw again('the answer belongs to another sign-in')
  if (pending.untilEpochMs <= nowEpochMs)
    throw new Refusal('IDENTITY_EXPIRED', 'the sign-in took longer than ten minutes, begin again')
  return pending
}

function codeOf(query: URLSearchParams): string {
  const error = query.get('error')
  if (error !== null)
    throw again(`the issuer ended the sign-in with \`${error.replaceAll(/[^a-z_]/g, '').slice(0, 40)}\``)
  const code = query.get('code')
  if (code === null || code === '') throw again('the issuer sent no code')
  return code
}

async function redeem(
  { clientId, secret, place }: SignInOptions,
  cross: Cross,
  trip: Trip,
  { url, code, verifier, redirectUri }: { url: string; code: string; verifier: string; redirectUri: string },
): Promise<z.infer<typeof Granted>> {
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    client_id: clientId,
    code_verifier: verifier,
    ...(secret === undefined ? {} : { client_secret: secret.reveal() }),
  })
  const { status, text } = await reached(async () => {
    const answer = await cross(trip, {
      layer: 'identity',
      to: place,
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: form.toString(),
      credential: { kind: 'none' },
      connectMs: 2000,
      firstByteMs: 5000,
      idleMs: 5000,
      totalMs: 8000,
      maxAnswerBytes: 262_144,
    })
    return { status: answer.status, text: await answer.text() }
  })
  if (status >= 500 || status === 429) throw unavailable(new Error(`the token endpoint answered ${status}`))
  if (status !== 200) throw again('the issuer does not take the code')
  return reached(async () => Granted.parse(JSON.parse(text)))
}

/** OpenID Connect Core, section 3.1.3.7: algorithm, key, signature, issuer, audience, party, times, nonce. */
async function checkedIdToken(
  { issuer, clientId }: SignInOptions,
  keys: KeySet,
  { token: idToken, nonce }: { token: string; nonce: string },
  trip: Trip,
  nowEpochMs: number,
): Promise<JWTPayload> {
  const { alg, kid = '', claims } = readIdToken(idToken)
  if (alg !== 'RS256') throw again('the ID token is not signed with RS256')
  const key = await keys.find(kid, 'RS256', trip)
  if (key === undefined) throw again('the issuer has no key that the ID token is signed with')
  try {
    await compactVerify(idToken, key.key, { algorithms: ['RS256'] })
  } catch (error) {
    throw again('the signature of the ID token is wrong', error)
  }
  const owner = key.issuer?.replaceAll('{tenantid}', textOf(claims['tid']) ?? '')
  if (claims.iss !== issuer || (owner !== undefined && owner !== issuer))
    throw again('the ID token is of another issuer')
  if (!hasAudience(claims, [clientId])) throw again('the ID token is for another application')
  if (Array.isArray(claims.aud) && claims.aud.length > 1 && claims['azp'] !== clientId)
    throw again('the ID token was issued to another application')
  checkTimes(claims, nowEpochMs)
  if (claims['nonce'] !== nonce) throw again('the ID token belongs to another sign-in')
  return claims
}

function readIdToken(text: string): { readonly alg: unknown; readonly kid: string | undefined; claims: JWTPayload } {
  try {
    const { alg, kid } = decodeProtectedHeader(text)
    return { alg, kid, claims: decodeJwt(text) }
  } catch (error) {
    throw again('what the issuer sent is no ID token', error)
  }
}

/** Entra's `oid` is the same for every application, its `sub` is not. */
function personOf({ tenant, issuer, clientId, rolesClaim }: SignInOptions, claims: JWTPayload): Principal {
  const subject = textOf(claims['oid']) ?? textOf(claims.sub)
  if (subject === undefined || subject === '') throw again('the ID token names nobody')
  return Object.freeze({
    subject,
    tenant: textOf(claims['tid'])?.toLowerCase() ?? (tenant === '' ? new URL(issuer).host : tenant),
    kind: 'user' as const,
    roles: textList(claims[rolesClaim]),
    groups: textList(claims['groups']),
    client: clientId,
    via: 'sign-in',
    credentialId: '',
  })
}

async function reached<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof Refusal ? error : unavailable(error)
  }
}

function unavailable(cause: unknown): Refusal {
  return new Refusal('IDENTITY_UNAVAILABLE', 'the issuer of the sign-in can not be asked', { cause, retryAfterS: 5 })
}

function again(what: string, cause?: unknown): Refusal {
  return new Refusal('IDENTITY_INVALID', `${what}, sign in again`, cause === undefined ? {} : { cause })
}
