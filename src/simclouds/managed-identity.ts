import { createHash, timingSafeEqual } from 'node:crypto'
import type { Place } from '#contract/place.ts'
import { mintToken, type Directory } from './entra-tokens.ts'
import { isResource } from './entra-grants.ts'
import { DEFAULT_SKEW_MS } from './faults.ts'
import type { ManagedIdentityOptions } from './options.ts'
import { json, type BodyReply, type Service, type SimRequest } from './service.ts'

/** SDKs ask with a slash at the end or without. */
const IMDS_PATH = /^\/metadata\/identity\/oauth2\/token\/?$/
const APP_PATH = '/msi/token'
const IMDS_VERSIONS = ['2018-02-01', '2019-08-01', '2021-02-01']
const APP_VERSION = '2019-08-01'

/** The two endpoints that give a process the tokens of its managed identity: of a machine, and of App Service. */
export function managedIdentity(place: Place, options: ManagedIdentityOptions, directory: Directory): Service {
  return {
    name: 'managed-identity',
    place,
    reply: (request) => reply(request, options, directory),
    fail: (status, retryAfterS) => ({
      ...failure(status, status === 429 ? 'too_many_requests' : 'server_error', 'simulated fault'),
      headers: {
        'content-type': 'application/json',
        ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
      },
    }),
    brokenPiece: () => Buffer.from('{"access_token":"'),
    streamError: () => [],
  }
}

async function reply(request: SimRequest, options: ManagedIdentityOptions, directory: Directory): Promise<BodyReply> {
  const isApp = request.path === APP_PATH
  if (request.method !== 'GET' || (!isApp && !IMDS_PATH.test(request.path)))
    return { status: 404, headers: {}, body: '' }
  const version = request.query.get('api-version') ?? ''
  if (isApp) {
    if (!isSame(request.headers['x-identity-header'] ?? '', options.header))
      return failure(401, 'unauthorized', 'the identity header is missing or wrong')
    if (version !== APP_VERSION) return failure(400, 'invalid_request', 'api-version is not supported')
  } else {
    if (request.headers['metadata']?.toLowerCase() !== 'true')
      return failure(400, 'invalid_request', 'Required metadata header not specified')
    if (!IMDS_VERSIONS.includes(version)) return failure(400, 'invalid_request', 'api-version is not supported')
  }
  const resource = request.query.get('resource')
  if (resource === null) return failure(400, 'invalid_request', 'Required audience parameter not specified')
  const wanted = request.query.get('client_id')
  if (!options.isAssigned || (wanted !== null && wanted !== options.clientId))
    return failure(400, 'invalid_request', 'Identity not found')
  if (!isResource(directory, resource))
    return failure(400, 'invalid_resource', `AADSTS500011: The resource principal named ${resource} was not found`)
  return granted(request, options, directory, { resource, isApp })
}

async function granted(
  request: SimRequest,
  { clientId, lifetimeS }: ManagedIdentityOptions,
  directory: Directory,
  { resource, isApp }: { readonly resource: string; readonly isApp: boolean },
): Promise<BodyReply> {
  const skew = request.faults.find((fault) => fault.kind === 'skew')
  const skewMs = skew === undefined ? 0 : (skew.ms ?? DEFAULT_SKEW_MS)
  const token = await mintToken(directory, {
    client: clientId,
    version: 1,
    audience: resource,
    roles: [],
    lifetimeS,
    skewMs,
    claims: {
      xms_mirid:
        '/subscriptions/0/resourcegroups/simulated/providers/Microsoft.ManagedIdentity/userAssignedIdentities/gw',
    },
  })
  const now = Math.floor((Date.now() + skewMs) / 1000)
  const common = { access_token: token, client_id: clientId, resource, token_type: 'Bearer' }
  const until = String(now + lifetimeS)
  // App Service leaves out how long it lasts.
  if (isApp) return json(200, { ...common, expires_on: until })
  const lasts = String(lifetimeS - 1)
  return json(200, { ...common, expires_in: lasts, ext_expires_in: lasts, expires_on: until, not_before: String(now) })
}

function failure(status: number, error: string, description: string): BodyReply {
  return json(status, { error, error_description: description })
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
