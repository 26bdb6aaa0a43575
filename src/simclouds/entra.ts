import { decodeProtectedHeader, jwtVerify } from 'jose'
import type { Place } from '#contract/place.ts'
import type { CheckToken } from './content-safety.ts'
import { Codes, authorize } from './entra-authorize.ts'
import type { SigningKey } from './entra-keys.ts'
import { aadError } from './entra-error.ts'
import { token } from './entra-grants.ts'
import { issuerOf, type Directory } from './entra-tokens.ts'
import { json, type BodyReply, type Service, type SimRequest } from './service.ts'

/** Placeholder in the issuer of keys that serve every tenant. */
const ANY_TENANT = '{tenantid}'
/** The directory of personal accounts, which has a key of its own. */
const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad'

/** Microsoft Entra ID: discovery and keys of both versions, the token endpoint, and a sign-in page. */
export function entra(place: Place, directory: Directory): Service {
  const codes = new Codes()
  return {
    name: 'entra',
    place,
    reply: (request) => reply(request, directory, codes),
    fail: (status, retryAfterS) => {
      const error = status === 429 ? 'temporarily_unavailable' : 'server_error'
      const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
      return aadError(status, error, status === 429 ? 90055 : 90033, 'simulated fault', { headers })
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

async function reply(request: SimRequest, directory: Directory, codes: Codes): Promise<BodyReply> {
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
        : token(request, directory, tenant, codes)
    case 'oauth2/v2.0/authorize':
      return authorize(request, directory, codes)
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
  const { keys, baseUrl } = directory
  return {
    keys: [
      ...keys.published().map((key) => publicJwk(key, issuerOf(baseUrl, ANY_TENANT, version))),
      publicJwk(keys.personal, issuerOf(baseUrl, PERSONAL, 2)),
    ],
  }
}

function publicJwk({ kid, jwk }: SigningKey, issuer: string): unknown {
  return { kty: jwk.kty, use: 'sig', kid, x5t: kid, n: jwk.n, e: jwk.e, issuer }
}
