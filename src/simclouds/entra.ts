import { randomUUID, timingSafeEqual } from 'node:crypto'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import type { Place } from '#contract/place.ts'
import type { CheckToken } from './content-safety.ts'
import { issuerOf, mintToken, type Directory } from './entra-tokens.ts'
import { DEFAULT_SKEW_MS } from './faults.ts'
import type { EntraClient } from './options.ts'
import { json, type BodyReply, type Service, type SimRequest } from './service.ts'

/** Placeholder in the issuer of keys that serve every tenant. */
const ANY_TENANT = '{tenantid}'
/** Resources of Azure itself: tokens for them are v1.0, whoever asks. */
const AZURE_RESOURCES = ['https://cognitiveservices.azure.com', 'https://monitor.azure.com', 'https://ai.azure.com']

/** Microsoft Entra ID: discovery and keys of both versions, and tokens for client credentials. */
export function entra(place: Place, directory: Directory): Service {
  return {
    name: 'entra',
    place,
    reply: (request) => reply(request, directory),
    fail: (status, retryAfterS) => {
      const error = status === 429 ? 'temporarily_unavailable' : 'server_error'
      const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
      return aadError(status, error, status === 429 ? 90055 : 90033, 'simulated fault', headers)
    },
    brokenPiece: () => Buffer.from('{"keys":['),
    streamError: () => [],
  }
}

/** Checks tokens of this directory for a resource that is simulated too. */
export function tokenChecker(directory: Directory): CheckToken {
  return async (token, audiences) => {
    try {
      const { kid } = decodeProtectedHeader(token)
      const key = directory.keys.published().find((each) => each.kid === kid)
      if (key === undefined) return false
      await jwtVerify(token, key.publicKey, { audience: [...audiences], algorithms: ['RS256'], clockTolerance: 300 })
      return true
    } catch {
      return false
    }
  }
}

async function reply(request: SimRequest, directory: Directory): Promise<BodyReply> {
  const [, tenant = '', ...rest] = request.path.split('/')
  const path = rest.join('/')
  const isCommon = tenant === 'common' || tenant === 'organizations'
  if (!isCommon && !directory.options.tenants.includes(tenant)) {
    return aadError(400, 'invalid_request', 90002, `tenant '${tenant}' was not found`)
  }
  switch (path) {
    case 'v2.0/.well-known/openid-configuration':
      return json(200, discovery(directory, tenant, isCommon, 2))
    case '.well-known/openid-configuration':
      return json(200, discovery(directory, tenant, isCommon, 1))
    case 'discovery/v2.0/keys':
      return json(200, jwks(directory, 2))
    case 'discovery/keys':
      return json(200, jwks(directory, 1))
    case 'oauth2/v2.0/token':
      return isCommon
        ? aadError(400, 'invalid_request', 50059, 'an application has to name its tenant')
        : token(request, directory, tenant)
    default:
      return { status: 404, headers: {}, body: '' }
  }
}

function discovery(directory: Directory, tenant: string, isCommon: boolean, version: 1 | 2): unknown {
  const { baseUrl } = directory
  const at = `${baseUrl}/${tenant}`
  const oauth = version === 2 ? 'oauth2/v2.0' : 'oauth2'
  return {
    token_endpoint: `${at}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    jwks_uri: `${at}/${version === 2 ? 'discovery/v2.0/keys' : 'discovery/keys'}`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: issuerOf(baseUrl, isCommon ? ANY_TENANT : tenant, version),
    authorization_endpoint: `${at}/${oauth}/authorize`,
    end_session_endpoint: `${at}/${oauth}/logout`,
    tenant_region_scope: 'NA',
    cloud_instance_name: 'simulated',
  }
}

function jwks(directory: Directory, version: 1 | 2): unknown {
  return {
    keys: directory.keys.published().map(({ kid, jwk }) => ({
      kty: jwk.kty,
      use: 'sig',
      kid,
      x5t: kid,
      n: jwk.n,
      e: jwk.e,
      issuer: issuerOf(directory.baseUrl, ANY_TENANT, version),
    })),
  }
}

async function token(request: SimRequest, directory: Directory, tenant: string): Promise<BodyReply> {
  if (request.method !== 'POST') return aadError(400, 'invalid_request', 900561, 'this endpoint takes POST only')
  const form = new URLSearchParams(request.text)
  const grant = form.get('grant_type')
  if (grant === null) return missing('grant_type')
  if (grant !== 'client_credentials') {
    return aadError(400, 'unsupported_grant_type', 70003, `grant type '${grant}' is not supported here`)
  }
  const given = credentials(request, form)
  if (given.clientId === '') return missing('client_id')
  const client = directory.options.clients.find((each) => each.clientId === given.clientId)
  if (client === undefined) {
    return aadError(400, 'unauthorized_client', 700016, `application '${given.clientId}' is not in this directory`)
  }
  if (given.secret === '') return aadError(401, 'invalid_client', 7000218, 'client_secret is missing')
  if (!isSame(given.secret, client.secret)) return aadError(401, 'invalid_client', 7000215, 'wrong client secret')
  return grantToken(request, directory, tenant, client, form.get('scope'))
}

async function grantToken(
  request: SimRequest,
  directory: Directory,
  tenant: string,
  client: EntraClient,
  scope: string | null,
): Promise<BodyReply> {
  if (scope === null) return missing('scope')
  const resource = /^(\S+)\/\.default$/.exec(scope)?.[1]
  if (resource === undefined) {
    return aadError(400, 'invalid_scope', 1002012, `scope '${scope}' has to end in /.default`)
  }
  const { audience, appIdUri, tokenLifetimeS } = directory.options
  const isOurs = [audience, appIdUri, `api://${audience}`].includes(resource)
  if (!isOurs && !AZURE_RESOURCES.includes(resource)) {
    return aadError(400, 'invalid_resource', 500011, `resource '${resource}' is not in tenant '${tenant}'`)
  }
  const skew = request.faults.find((fault) => fault.kind === 'skew')
  const access = await mintToken(directory, {
    tenant,
    client: client.clientId,
    skewMs: skew === undefined ? 0 : (skew.ms ?? DEFAULT_SKEW_MS),
    ...(isOurs ? {} : { audience: resource, version: 1, roles: [] }),
  })
  const expiresIn = tokenLifetimeS - 1
  return json(
    200,
    { token_type: 'Bearer', expires_in: expiresIn, ext_expires_in: expiresIn, access_token: access },
    { 'cache-control': 'no-store' },
  )
}

function credentials(request: SimRequest, form: URLSearchParams): { clientId: string; secret: string } {
  const basic = /^Basic (\S+)$/i.exec(request.headers['authorization'] ?? '')?.[1]
  if (basic === undefined) return { clientId: form.get('client_id') ?? '', secret: form.get('client_secret') ?? '' }
  const [clientId = '', secret = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':').map(decodeURIComponent)
  return { clientId, secret }
}

function missing(field: string): BodyReply {
  return aadError(400, 'invalid_request', 900144, `the request body has no '${field}'`)
}

function aadError(
  status: number,
  error: string,
  code: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): BodyReply {
  const traceId = randomUUID()
  const correlationId = randomUUID()
  const timestamp = `${new Date().toISOString().slice(0, 19).replace('T', ' ')}Z`
  return json(
    status,
    {
      error,
      error_description: `AADSTS${code}: ${message}. Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
      error_codes: [code],
      timestamp,
      trace_id: traceId,
      correlation_id: correlationId,
      error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    },
    { 'cache-control': 'no-store', ...headers },
  )
}

function isSame(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
