import { timingSafeEqual } from 'node:crypto'
import { decodeProtectedHeader, jwtVerify, type JWTPayload } from 'jose'
import { type Codes, isVerifierOf } from './entra-authorize.ts'
import { checkAssertion } from './entra-assertion.ts'
import { aadError, missing } from './entra-error.ts'
import { mintIdToken, mintToken, type Directory } from './entra-tokens.ts'
import { DEFAULT_SKEW_MS } from './faults.ts'
import { GRAPH } from './graph.ts'
import type { EntraClient } from './options.ts'
import { json, type BodyReply, type SimRequest } from './service.ts'

/** Resources of Azure itself: tokens for them are v1.0, whoever asks. */
const AZURE_RESOURCES = [
  'https://cognitiveservices.azure.com',
  'https://monitor.azure.com',
  'https://ai.azure.com',
  GRAPH,
]
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const OIDC_SCOPES = new Set(['openid', 'profile', 'email', 'offline_access'])

interface Grant {
  readonly request: SimRequest
  readonly form: URLSearchParams
  readonly directory: Directory
  readonly tenant: string
  readonly client: EntraClient
}

/** The token endpoint of one tenant: client credentials, on-behalf-of, authorization codes. */
export async function token(
  request: SimRequest,
  directory: Directory,
  tenant: string,
  codes: Codes,
): Promise<BodyReply> {
  if (request.method !== 'POST') return aadError(400, 'invalid_request', 900561, 'this endpoint takes POST only')
  const form = new URLSearchParams(request.text)
  const grant = form.get('grant_type')
  if (grant === null) return missing('grant_type')
  if (!['client_credentials', 'authorization_code', JWT_BEARER].includes(grant)) {
    return aadError(400, 'unsupported_grant_type', 70003, `grant type '${grant}' is not supported here`)
  }
  const given = credentials(request, form)
  if (given.clientId === '') return missing('client_id')
  const client = directory.options.clients.find((each) => each.clientId === given.clientId)
  if (client === undefined) {
    return aadError(400, 'unauthorized_client', 700016, `application '${given.clientId}' is not in this directory`)
  }
  const refused = form.has('client_assertion')
    ? await checkAssertion(form, client)
    : checkSecret(given.secret, client.secret)
  if (refused !== undefined) return refused
  const asked: Grant = { request, form, directory, tenant, client }
  if (grant === 'client_credentials') return clientCredentials(asked)
  return grant === JWT_BEARER ? onBehalfOf(asked) : authorizationCode(asked, codes)
}

async function clientCredentials({ request, form, directory, tenant, client }: Grant): Promise<BodyReply> {
  const scope = form.get('scope')
  if (scope === null) return missing('scope')
  const resource = /^(\S+)\/\.default$/.exec(scope)?.[1]
  if (resource === undefined) {
    return aadError(400, 'invalid_scope', 1002012, `scope '${scope}' has to end in /.default`)
  }
  const isOurs = isApi(directory, resource)
  if (!isResource(directory, resource)) return unknownResource(resource, tenant)
  const access = await mintToken(directory, {
    tenant,
    client: client.clientId,
    skewMs: skewOf(request),
    ...(isOurs ? {} : { audience: resource, version: 1, roles: resource === GRAPH ? (client.graphRoles ?? []) : [] }),
  })
  return granted(directory, { access_token: access })
}

/** The caller's token of a person, for this very application, becomes one of the resource for the same person. */
async function onBehalfOf({ request, form, directory, tenant, client }: Grant): Promise<BodyReply> {
  if (form.get('requested_token_use') !== 'on_behalf_of') return missing('requested_token_use')
  const assertion = form.get('assertion')
  const scope = form.get('scope')
  if (assertion === null) return missing('assertion')
  if (scope === null) return missing('scope')
  const claims = await verified(directory, assertion)
  if (claims === undefined)
    return aadError(400, 'invalid_grant', 50013, 'the assertion failed signature validation or is not current')
  if (claims.aud !== client.clientId && !(isApi(directory, String(claims.aud)) && isApi(directory, client.clientId)))
    return aadError(400, 'invalid_grant', 500131, 'the audience of the assertion is not the application that asks')
  const user = directory.options.users.find(({ oid }) => oid === claims['oid'])
  if (claims['idtyp'] === 'app' || user === undefined)
    return aadError(400, 'invalid_grant', 7000114, 'an application token can not be exchanged on behalf of anybody')
  const resource = scope
    .split(' ')
    .find((each) => !OIDC_SCOPES.has(each))
    ?.replace(/\/[^/]+$/, '')
  if (resource === undefined || !AZURE_RESOURCES.includes(resource)) return unknownResource(resource ?? scope, tenant)
  if (user.needsInteraction === true) {
    return aadError(400, 'interaction_required', 50079, 'the user has to enrol in multifactor authentication', {
      suberror: 'basic_action',
      claims: JSON.stringify({ access_token: { polids: { essential: true, values: ['simulated-policy'] } } }),
    })
  }
  const access = await mintToken(directory, {
    tenant,
    client: client.clientId,
    user: user.oid,
    audience: resource,
    version: 1,
    roles: [],
    scopes: 'user_impersonation',
    skewMs: skewOf(request),
  })
  return granted(directory, { access_token: access, scope: `${resource}/user_impersonation` })
}

async function authorizationCode(
  { request, form, directory, tenant, client }: Grant,
  codes: Codes,
): Promise<BodyReply> {
  const code = form.get('code')
  if (code === null) return missing('code')
  const verifier = form.get('code_verifier')
  if (verifier === null) return aadError(400, 'invalid_grant', 501481, 'the code_verifier is missing')
  const grant = codes.take(code)
  if (grant === undefined) return aadError(400, 'invalid_grant', 54005, 'the code was redeemed already or has expired')
  if (grant.clientId !== client.clientId)
    return aadError(400, 'invalid_grant', 700005, 'the code was issued to another application')
  if (grant.redirectUri !== form.get('redirect_uri'))
    return aadError(400, 'invalid_grant', 500112, 'the redirect URI is not the one of the code')
  if (!isVerifierOf(grant.challenge, verifier))
    return aadError(400, 'invalid_grant', 501481, 'the code_verifier does not match the code_challenge')
  const about = { tenant, client: client.clientId, user: grant.user.oid, skewMs: skewOf(request) }
  return granted(directory, {
    scope: grant.scope,
    access_token: await mintToken(directory, { ...about, audience: GRAPH, version: 1, roles: [], groups: [] }),
    id_token: await mintIdToken(directory, { ...about, nonce: grant.nonce }),
  })
}

function granted(directory: Directory, fields: Readonly<Record<string, string>>): BodyReply {
  const expiresIn = directory.options.tokenLifetimeS - 1
  return json(
    200,
    { token_type: 'Bearer', expires_in: expiresIn, ext_expires_in: expiresIn, ...fields },
    { 'cache-control': 'no-store' },
  )
}

function unknownResource(resource: string, tenant: string): BodyReply {
  return aadError(400, 'invalid_resource', 500011, `resource '${resource}' is not in tenant '${tenant}'`)
}

/** Whether tokens are given for it in this directory. */
export function isResource(directory: Directory, resource: string): boolean {
  return (
    isApi(directory, resource) || AZURE_RESOURCES.includes(resource) || directory.options.federation.includes(resource)
  )
}

function checkSecret(given: string, known: string): BodyReply | undefined {
  if (given === '') return aadError(401, 'invalid_client', 7000218, 'client_secret is missing')
  return isSame(given, known) ? undefined : aadError(401, 'invalid_client', 7000215, 'wrong client secret')
}

function isApi({ options: { audience, appIdUri } }: Directory, name: string): boolean {
  return [audience, appIdUri, `api://${audience}`].includes(name)
}

async function verified(directory: Directory, text: string): Promise<JWTPayload | undefined> {
  try {
    const { kid } = decodeProtectedHeader(text)
    const key = directory.keys.published().find((each) => each.kid === kid)
    if (key === undefined) return undefined
    const { payload } = await jwtVerify(text, key.publicKey, { algorithms: ['RS256'], clockTolerance: 300 })
    return payload
  } catch {
    return undefined
  }
}

function skewOf(request: SimRequest): number {
  const skew = request.faults.find((fault) => fault.kind === 'skew')
  return skew === undefined ? 0 : (skew.ms ?? DEFAULT_SKEW_MS)
}

function credentials(request: SimRequest, form: URLSearchParams): { clientId: string; secret: string } {
  const basic = /^Basic (\S+)$/i.exec(request.headers['authorization'] ?? '')?.[1]
  if (basic === undefined) return { clientId: form.get('client_id') ?? '', secret: form.get('client_secret') ?? '' }
  const [clientId = '', secret = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':').map(decodeURIComponent)
  return { clientId, secret }
}

function isSame(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
