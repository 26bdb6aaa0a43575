import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import type { Directory } from './entra-tokens.ts'
import { audiencesOf, federationIssuer, readFederatedToken } from './federated-token.ts'
import { mintGoogleIdToken } from './google-id-tokens.ts'
import type { GoogleTokensOptions } from './options.ts'
import { json, type BodyReply, type Service, type SimRequest } from './service.ts'

const IAM_ROUTE = /^\/v1\/projects\/-\/serviceAccounts\/([^/:]+):(generateAccessToken|generateIdToken)$/
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const SUBJECT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'

const STATUS: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
}

interface State {
  readonly options: GoogleTokensOptions
  readonly directory: Directory
  /** Subjects by the federated token that they hold. */
  readonly federated: Map<string, { readonly subject: string; readonly untilEpochMs: number }>
}

/** Google's Security Token Service, and the IAM Service Account Credentials API, on one address. */
export function googleTokens(place: Place, options: GoogleTokensOptions, directory: Directory): Service {
  const state: State = { options, directory, federated: new Map() }
  return {
    name: 'google-tokens',
    place,
    reply: (request) => reply(request, state),
    fail: (status, retryAfterS) => {
      const answer = iamError(status, 'simulated fault')
      const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
      return { ...answer, headers: { ...answer.headers, ...headers } }
    },
    brokenPiece: () => Buffer.from('{"access_token":"'),
    streamError: () => [],
  }
}

function reply(request: SimRequest, state: State): BodyReply | Promise<BodyReply> {
  if (request.method === 'POST' && request.path === '/v1/token') return exchange(request, state)
  const route = IAM_ROUTE.exec(decodeURIComponent(request.path))
  if (request.method !== 'POST' || route === null) return iamError(404, 'there is no such method')
  return impersonate(request, state, route[1] ?? '', route[2] === 'generateIdToken')
}

async function exchange(request: SimRequest, { options, directory, federated }: State): Promise<BodyReply> {
  const form = new URLSearchParams(request.text)
  const wanted = { grant_type: EXCHANGE, requested_token_type: TOKEN_TYPE, subject_token_type: SUBJECT_TYPE }
  const wrong = Object.entries(wanted).find(([name, value]) => form.get(name) !== value)
  if (wrong !== undefined) return stsError('invalid_request', `Invalid value for "${wrong[0]}".`)
  if (form.get('audience') !== `//iam.googleapis.com/${options.provider}`)
    return stsError(
      'invalid_target',
      'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn\'t exist.',
    )
  const issuer = options.issuer ?? federationIssuer(directory)
  const { problem, claims } = await readFederatedToken(directory, form.get('subject_token') ?? '', issuer)
  if (problem === 'issuer')
    return stsError('invalid_grant', `The issuer in ID Token ${String(claims.iss)} does not match the expected ones.`)
  if (problem === 'expired') return stsError('invalid_grant', 'ID Token is stale to sign-in.')
  if (problem !== undefined) return stsError('invalid_grant', 'Error connecting to the given credential.')
  const [audience = ''] = audiencesOf(claims)
  if (!options.audiences.includes(audience))
    return stsError('invalid_grant', `The audience in ID Token [${audience}] does not match the expected audience.`)
  if (!options.subjects.includes(String(claims.sub)))
    return stsError('unauthorized_client', 'The given credential is rejected by the attribute condition.')
  const token = `ya29.d.${randomBytes(60).toString('base64url')}`
  federated.set(token, { subject: String(claims.sub), untilEpochMs: Date.now() + 3_600_000 })
  return json(200, { access_token: token, issued_token_type: TOKEN_TYPE, token_type: 'Bearer', expires_in: 3599 })
}

const AccessBody = z.object({
  scope: z.array(z.string()).min(1),
  lifetime: z
    .string()
    .regex(/^\d+s$/)
    .default('3600s'),
  delegates: z.array(z.string()).default([]),
})
const IdBody = z.object({
  audience: z.string().min(1),
  includeEmail: z.boolean().default(false),
  useEmailAzp: z.boolean().default(false),
  delegates: z.array(z.string()).default([]),
})

async function impersonate(
  request: SimRequest,
  { options, federated }: State,
  email: string,
  isId: boolean,
): Promise<BodyReply> {
  const token = /^Bearer (\S+)$/i.exec(request.headers['authorization'] ?? '')?.[1] ?? ''
  const holder = federated.get(token)
  if (holder === undefined || holder.untilEpochMs <= Date.now())
    return iamError(401, 'Request had invalid authentication credentials.')
  const account = options.serviceAccounts.find((each) => each.email === email)
  const permission = isId ? 'iam.serviceAccounts.getOpenIdToken' : 'iam.serviceAccounts.getAccessToken'
  if (account === undefined || !account.members.includes(holder.subject))
    return iamError(403, `Permission '${permission}' denied on resource (or it may not exist).`)
  let body: unknown
  try {
    body = JSON.parse(request.text)
  } catch {
    return iamError(400, 'Invalid JSON payload received.')
  }
  if (isId) {
    const asked = IdBody.safeParse(body)
    if (!asked.success) return iamError(400, 'Request contains an invalid argument.')
    return json(200, { token: await mintGoogleIdToken(asked.data.audience, email, options.idTokenLifetimeS) })
  }
  const asked = AccessBody.safeParse(body)
  if (!asked.success || !asked.data.scope.includes(CLOUD_PLATFORM) || Number.parseInt(asked.data.lifetime, 10) > 3600)
    return iamError(400, 'Request contains an invalid argument.')
  const expireTime = new Date(Date.now() + Number.parseInt(asked.data.lifetime, 10) * 1000).toISOString()
  return json(200, {
    accessToken: `ya29.c.${randomBytes(60).toString('base64url')}`,
    expireTime: expireTime.replace(/\.\d+Z$/, 'Z'),
  })
}

function stsError(error: string, description: string): BodyReply {
  return json(400, { error, error_description: description })
}

function iamError(status: number, message: string): BodyReply {
  return json(status, { error: { code: status, message, status: STATUS[status] ?? 'INTERNAL' } })
}
