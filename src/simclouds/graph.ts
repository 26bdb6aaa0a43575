import { randomUUID } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import type { Directory } from './entra-tokens.ts'
import { json, type BodyReply, type Service, type SimRequest } from './service.ts'

/** Resource of Microsoft Graph: the `aud` of its tokens. */
export const GRAPH = 'https://graph.microsoft.com'
/** Most ids that one answer holds. */
const MAX_IDS = 11_000
const PATH = /^\/v1\.0\/(users|servicePrincipals)\/([^/]+)\/getMemberObjects$/
const Body = z.strictObject({ securityEnabledOnly: z.boolean() })

/** Application permissions that reading members takes, by kind of object. */
const PERMISSIONS = {
  users: [['Directory.Read.All'], ['User.Read.All', 'GroupMember.Read.All']],
  servicePrincipals: [['Directory.Read.All'], ['Application.Read.All']],
} as const

/** Microsoft Graph, as far as groups of people and applications go. */
export function graph(place: Place, directory: Directory): Service {
  return {
    name: 'graph',
    place,
    reply: (request) => reply(request, directory),
    fail: (status, retryAfterS) => {
      const code = status === 429 ? 'TooManyRequests' : status === 503 ? 'serviceNotAvailable' : 'UnknownError'
      const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
      return graphError(status, code, 'simulated fault', headers)
    },
    brokenPiece: () => Buffer.from('{"value":['),
    streamError: () => [],
  }
}

async function reply(request: SimRequest, directory: Directory): Promise<BodyReply> {
  const token = /^Bearer (\S+)$/i.exec(request.headers['authorization'] ?? '')?.[1]
  if (token === undefined) return graphError(401, 'InvalidAuthenticationToken', 'Access token is empty.')
  const caller = await callerOf(token, directory)
  if (caller === undefined) return graphError(401, 'InvalidAuthenticationToken', 'Access token validation failure.')
  const match = PATH.exec(request.path)
  if (match === null) return graphError(400, 'BadRequest', `Resource not found for '${request.path}'.`)
  if (request.method !== 'POST') return graphError(405, 'Request_BadRequest', 'Specified HTTP method is not allowed.')
  const body = Body.safeParse(parsed(request.text))
  if (!body.success) return graphError(400, 'BadRequest', 'Unable to read JSON request payload.')
  const kind = match[1] === 'users' ? 'users' : 'servicePrincipals'
  const isPermitted = PERMISSIONS[kind].some((set) => set.every((role) => caller.roles.includes(role)))
  if (!isPermitted)
    return graphError(403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.')
  return members(directory, kind, decodeURIComponent(match[2] ?? ''))
}

function members(directory: Directory, kind: keyof typeof PERMISSIONS, id: string): BodyReply {
  const { users, clients } = directory.options
  const groups =
    kind === 'users'
      ? users.find(({ oid, preferredUsername }) => [oid, preferredUsername].includes(id))?.groups
      : clients.find(({ oid }) => oid === id) && (clients.find(({ oid }) => oid === id)?.groups ?? [])
  if (groups === undefined) {
    return graphError(
      404,
      'Request_ResourceNotFound',
      `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
    )
  }
  if (groups.length > MAX_IDS)
    return graphError(400, 'Directory_ResultSizeLimitExceeded', 'The requested result set is too large.')
  return json(200, { '@odata.context': `${GRAPH}/v1.0/$metadata#Collection(Edm.String)`, value: groups })
}

/** Only application tokens of this directory for Graph count. */
async function callerOf(
  token: string,
  directory: Directory,
): Promise<{ readonly roles: readonly string[] } | undefined> {
  try {
    const { kid } = decodeProtectedHeader(token)
    const key = directory.keys.published().find((each) => each.kid === kid)
    if (key === undefined) return undefined
    await jwtVerify(token, key.publicKey, { audience: GRAPH, algorithms: ['RS256'], clockTolerance: 300 })
    const roles = decodeJwt(token)['roles']
    return { roles: Array.isArray(roles) ? roles.map(String) : [] }
  } catch {
    return undefined
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function graphError(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): BodyReply {
  const requestId = randomUUID()
  const innerError = {
    date: new Date().toISOString().slice(0, 19),
    'request-id': requestId,
    'client-request-id': requestId,
  }
  return json(status, { error: { code, message, innerError } }, headers)
}
