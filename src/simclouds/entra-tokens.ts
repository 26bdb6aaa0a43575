import { createHash, randomBytes } from 'node:crypto'
import { SignJWT, type JWTPayload } from 'jose'
import { makeKey, type KeyRing, type SigningKey } from './entra-keys.ts'
import type { EntraClient, EntraOptions, EntraUser } from './options.ts'

/** What a minted token says. Everything has a default. */
export interface MintOptions {
  /** Tenant id. Default: the first tenant. */
  readonly tenant?: string | undefined
  /** Default: the version that the API is registered with. */
  readonly version?: 1 | 2 | undefined
  /** Client id of the application that asks. Default: the first client. */
  readonly client?: string | undefined
  /** Name, user name or object id of the person on whose behalf it asks; undefined for an application's own token. */
  readonly user?: string | undefined
  /** Default: the roles of the user, or of the client. */
  readonly roles?: readonly string[] | undefined
  /** More than 200 become the overage claims. Default: the groups of the user. */
  readonly groups?: readonly string[] | undefined
  /** Space-separated; for a user's token only. Default: the scopes of the user. */
  readonly scopes?: string | undefined
  /** Default: the API's client id (v2.0) or App ID URI (v1.0). */
  readonly audience?: string | undefined
  /** Seconds. Default: `tokenLifetimeS`. */
  readonly lifetimeS?: number | undefined
  /** Moves `iat`, `nbf` and `exp`, in milliseconds. Default 0. */
  readonly skewMs?: number | undefined
  /** Claims to set; undefined removes one. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Header fields to set, such as a wrong `kid`. */
  readonly header?: Readonly<Record<string, unknown>> | undefined
  /** Signs with a key that was never published, under the published key's id. Default false. */
  readonly foreignKey?: boolean | undefined
  /** Signs with the key of personal accounts, which is published. Default false. */
  readonly personalKey?: boolean | undefined
}

/** A token that nobody can ask for: an unknown tenant, client or user. */
export class MintProblem extends Error {
  readonly field: string
  readonly allowed: readonly string[]

  constructor(field: string, value: string, allowed: readonly string[]) {
    super(`there is no ${field} \`${value}\``)
    this.name = 'MintProblem'
    this.field = field
    this.allowed = allowed
  }
}

/** Where tokens come from. */
export interface Directory {
  readonly options: EntraOptions
  readonly keys: KeyRing
  readonly baseUrl: string
}

const MAX_GROUPS_IN_TOKEN = 200

/**
 * Signs an access token.
 * @throws {MintProblem} when the tenant, client or user is unknown.
 */
export async function mintToken(directory: Directory, options: MintOptions): Promise<string> {
  const { tenants, clients, users, tokenVersion } = directory.options
  const tenant = options.tenant ?? tenants[0] ?? ''
  if (!tenants.includes(tenant)) throw new MintProblem('tenant', tenant, tenants)
  const client = clients.find((each) => each.clientId === (options.client ?? clients[0]?.clientId))
  if (client === undefined) {
    throw new MintProblem(
      'client',
      options.client ?? '',
      clients.map(({ clientId }) => clientId),
    )
  }
  const user = findUser(users, options.user)
  const version = options.version ?? tokenVersion
  const claims = version === 2 ? v2Claims(directory, tenant, client) : v1Claims(directory, tenant, client)
  const payload = {
    ...claims,
    ...times(options, directory.options.tokenLifetimeS),
    ...commonClaims(tenant),
    ...(user === undefined ? appClaims(client, options) : userClaims(directory, user, tenant, options)),
    ...(options.audience === undefined ? {} : { aud: options.audience }),
    ...options.claims,
  }
  return sign(payload, version, await keyFor(directory, options), options.header ?? {})
}

async function keyFor({ keys }: Directory, { foreignKey, personalKey }: MintOptions): Promise<SigningKey> {
  if (personalKey === true) return keys.personal
  return foreignKey === true ? { ...(await makeKey()), kid: keys.current.kid } : keys.current
}

/** An ID token, which tells the application who has signed in: its roles are those of the application itself. */
export async function mintIdToken(
  directory: Directory,
  options: Required<Pick<MintOptions, 'tenant' | 'client' | 'user' | 'skewMs'>> & {
    readonly nonce: string | undefined
  },
): Promise<string> {
  const { tenant = '', client, nonce } = options
  const user = findUser(directory.options.users, options.user)
  const payload = {
    aud: client,
    iss: issuerOf(directory.baseUrl, tenant, 2),
    ...times(options, directory.options.tokenLifetimeS),
    ...commonClaims(tenant),
    name: user?.name,
    preferred_username: user?.preferredUsername,
    oid: user?.oid,
    sub: createHash('sha256').update(`${user?.oid} ${client}`).digest('base64url'),
    ...(user !== undefined && user.roles.length > 0 ? { roles: user.roles } : {}),
    nonce,
    ver: '2.0',
  }
  return sign(payload, 2, directory.keys.current, {})
}

/** `iss` of a tenant: the same host for both versions, where the real service has two. */
export function issuerOf(baseUrl: string, tenant: string, version: 1 | 2): string {
  return version === 2 ? `${baseUrl}/${tenant}/v2.0` : `${baseUrl}/${tenant}/`
}

async function sign(
  payload: Record<string, unknown>,
  version: 1 | 2,
  key: SigningKey,
  header: Readonly<Record<string, unknown>>,
): Promise<string> {
  const present: JWTPayload = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined))
  const thumbprint = version === 1 ? { x5t: key.kid } : {}
  return new SignJWT(present)
    .setProtectedHeader({ typ: 'JWT', alg: 'RS256', ...thumbprint, kid: key.kid, ...header })
    .sign(key.privateKey)
}

function times(options: MintOptions, lifetimeS: number): Record<string, number> {
  const iat = Math.floor((Date.now() + (options.skewMs ?? 0)) / 1000)
  return { iat, nbf: iat, exp: iat + (options.lifetimeS ?? lifetimeS) }
}

function commonClaims(tenant: string): Record<string, unknown> {
  const unique = randomBytes(16).toString('base64url')
  return { tid: tenant, uti: unique, aio: randomBytes(24).toString('base64url'), rh: `1.${unique}.` }
}

function v2Claims(directory: Directory, tenant: string, client: EntraClient): Record<string, unknown> {
  return {
    aud: directory.options.audience,
    iss: issuerOf(directory.baseUrl, tenant, 2),
    azp: client.clientId,
    azpacr: '1',
    ver: '2.0',
  }
}

function v1Claims(directory: Directory, tenant: string, client: EntraClient): Record<string, unknown> {
  const iss = issuerOf(directory.baseUrl, tenant, 1)
  return { aud: directory.options.appIdUri, iss, idp: iss, appid: client.clientId, appidacr: '1', ver: '1.0' }
}

function appClaims(client: EntraClient, options: MintOptions): Record<string, unknown> {
  const roles = options.roles ?? client.roles
  return { oid: client.oid, sub: client.oid, idtyp: 'app', ...(roles.length > 0 ? { roles } : {}) }
}

function userClaims(
  directory: Directory,
  user: EntraUser,
  tenant: string,
  options: MintOptions,
): Record<string, unknown> {
  const roles = options.roles ?? user.roles
  return {
    oid: user.oid,
    // The real service's subject is another one for each application.
    sub: createHash('sha256').update(`${user.oid} ${directory.options.audience}`).digest('base64url'),
    name: user.name,
    preferred_username: user.preferredUsername,
    scp: options.scopes ?? user.scopes,
    ...(roles.length > 0 ? { roles } : {}),
    ...groupClaims(options.groups ?? user.groups, tenant, user.oid),
  }
}

function groupClaims(groups: readonly string[], tenant: string, oid: string): Record<string, unknown> {
  if (groups.length === 0) return {}
  if (groups.length <= MAX_GROUPS_IN_TOKEN) return { groups }
  const endpoint = `https://graph.windows.net/${tenant}/users/${oid}/getMemberObjects`
  return { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint } } }
}

function findUser(users: readonly EntraUser[], wanted: string | undefined): EntraUser | undefined {
  if (wanted === undefined) return undefined
  const user = users.find((each) => [each.name, each.preferredUsername, each.oid].includes(wanted))
  if (user === undefined)
    throw new MintProblem(
      'user',
      wanted,
      users.map(({ preferredUsername }) => preferredUsername),
    )
  return user
}
