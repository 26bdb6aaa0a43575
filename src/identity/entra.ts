import type { JWTPayload } from 'jose'
import type { Cross, Trip } from '#contract/crossing.ts'
import type { Principal } from '#contract/principal.ts'
import { type ClaimsChallenge, Refusal } from '#contract/refusal.ts'
import { agentOf } from './agent.ts'
import { oneOrMany, textList, textOf } from './claims.ts'
import { type GroupOptions, type GroupReader, createGroupReader } from './entra-groups.ts'
import { fetchJson } from './fetch-json.ts'
import { type KeySet, createKeySet } from './jwks.ts'
import {
  type Admitted,
  type Issuer,
  checkAudience,
  createTokenCache,
  forbidden,
  hasAudience,
  invalid,
  shown,
} from './token.ts'

export type EntraVersion = 'v1' | 'v2'

export interface EntraOptions {
  readonly name: string
  /** Login host for v2.0 metadata, without a path. Default `https://login.microsoftonline.com`. */
  readonly authority: string
  /** Host in the `iss` of v1.0 tokens. Default `https://sts.windows.net`. */
  readonly v1Host: string
  /** Directory ids (GUID, lower case) whose tokens are accepted. */
  readonly tenants: readonly string[]
  /** Accepted `aud`: the API's client id, and for v1.0 tokens its application id URI. */
  readonly audiences: readonly string[]
  /** Accepted token versions. Default both. */
  readonly versions?: readonly EntraVersion[]
  /** Client ids (`azp`, `appid`) that may ask; undefined: any. Listed ones need neither scope nor role. */
  readonly clients?: readonly string[] | undefined
  /** Kinds of callers that are accepted. Default both. */
  readonly idtyp?: readonly ('user' | 'app')[]
  /** Authentication contexts that a token must carry (`acrs`). Default none. */
  readonly requireAcrs?: readonly string[]
  /** What happens when a token has no room for its groups. Default `resolve`: ask Graph, and refuse without it. */
  readonly overage?: 'resolve' | 'ignore'
  /** Microsoft Graph; undefined: groups can not be resolved. */
  readonly graph?: GroupOptions | undefined
  /** Region where the login service is asked, for the crossing. */
  readonly region: string
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** The directory of personal Microsoft accounts. Its key is its own, and no other directory's. */
const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad'

/**
 * Access tokens of Entra ID, v2.0 and v1.0. The order of checks is the one that Microsoft gives: algorithm, version,
 * `tid` against the accepted tenants, key, signature, times, `iss` against `tid`, the key's own issuer, `aud`, kind of
 * caller, client, scope or role, authentication context, groups.
 */
export function createEntraIssuer(options: EntraOptions, cross: Cross, nowEpochMs: () => number): Issuer {
  const keySets = new Map<string, KeySet>()
  const hosts = { v2: options.authority.replace(/\/$/, ''), v1: options.v1Host.replace(/\/$/, '') }
  const groups = options.graph && createGroupReader(options.graph, cross, nowEpochMs)
  const keysFor = (claims: JWTPayload): KeySet => {
    const version = acceptedVersion(options, claims)
    const tenant = acceptedTenant(options, claims)
    const url = `${hosts.v2}/${tenant}/${version === 'v2' ? 'discovery/v2.0/keys' : 'discovery/keys'}`
    let keys = keySets.get(url)
    if (keys === undefined) {
      const place = { cloud: 'azure', region: options.region } as const
      keys = createKeySet(options.name, (trip) => fetchJson(cross, trip, url, place), nowEpochMs)
      keySets.set(url, keys)
    }
    return keys
  }
  return {
    name: options.name,
    owns: (iss) => iss.startsWith(`${hosts.v2}/`) || iss.startsWith(`${hosts.v1}/`),
    fits: (claims) => options.tenants.includes(tenantOf(claims)) && hasAudience(claims, options.audiences),
    algorithms: ['RS256'],
    keysFor,
    admit: (claims, keyIssuer, trip) => {
      checkIssuer(claims, keyIssuer, hosts)
      checkAudience(claims, options.audiences)
      checkCaller(options, claims)
      const authorizationUri = `${hosts.v2}/${tenantOf(claims)}/oauth2/v2.0/authorize`
      checkContexts(options, claims, authorizationUri)
      return admitted(options, groups, { claims, trip, authorizationUri })
    },
    cache: createTokenCache(),
    nowEpochMs,
  }
}

function versionOf(claims: JWTPayload): EntraVersion {
  if (claims['ver'] === '2.0') return 'v2'
  if (claims['ver'] === '1.0') return 'v1'
  throw invalid('the token names no version (`ver`) of 1.0 or 2.0')
}

function acceptedVersion({ versions = ['v1', 'v2'] }: EntraOptions, claims: JWTPayload): EntraVersion {
  const version = versionOf(claims)
  if (versions.includes(version)) return version
  throw invalid(
    `the token is of version ${shown(claims['ver'])}, which this API does not take: set \`requestedAccessTokenVersion\` of its registration to ${version === 'v1' ? '2' : '1'}`,
  )
}

function tenantOf(claims: JWTPayload): string {
  return typeof claims['tid'] === 'string' ? claims['tid'].toLowerCase() : ''
}

function acceptedTenant(options: EntraOptions, claims: JWTPayload): string {
  const tenant = tenantOf(claims)
  if (!GUID.test(tenant)) throw invalid('the token names no tenant (`tid`)')
  if (!options.tenants.includes(tenant)) throw invalid(`tenant \`${shown(claims['tid'])}\` is not accepted here`)
  return tenant
}

function checkIssuer(claims: JWTPayload, keyIssuer: string | undefined, hosts: Record<EntraVersion, string>): void {
  const tenant = tenantOf(claims)
  const issuers = { v2: `${hosts.v2}/${tenant}/v2.0`, v1: `${hosts.v1}/${tenant}/` }
  if (claims.iss !== issuers[versionOf(claims)])
    throw invalid(`the issuer \`${shown(claims.iss)}\` is not the one of tenant \`${tenant}\``)
  if (keyIssuer === undefined) return
  // Keys are shared by all directories of a cloud but that of personal accounts, whose key names it in full.
  const mayBeTemplate = tenant !== PERSONAL
  const owner = mayBeTemplate ? keyIssuer.replaceAll('{tenantid}', tenant) : keyIssuer
  if (owner !== issuers.v2 && owner !== issuers.v1)
    throw invalid('the token is signed with a key that belongs to another issuer')
}

function isApp(claims: JWTPayload): boolean {
  return claims['idtyp'] === 'app' || (claims['idtyp'] === undefined && typeof claims['scp'] !== 'string')
}

function checkCaller({ clients, idtyp = ['user', 'app'] }: EntraOptions, claims: JWTPayload): void {
  const client = textOf(claims['azp']) ?? textOf(claims['appid'])
  const isListed = client !== undefined && clients?.includes(client.toLowerCase()) === true
  const kind = isApp(claims) ? 'app' : 'user'
  if (!idtyp.includes(kind)) {
    throw forbidden(
      kind === 'app'
        ? "applications' own tokens are not accepted here, request a token for a person"
        : "people's tokens are not accepted here, request a token for the application itself",
    )
  }
  if (clients !== undefined && !isListed) throw forbidden(`client \`${shown(client)}\` is not accepted here`)
  const hasScope = typeof claims['scp'] === 'string' && claims['scp'] !== ''
  if (!hasScope && textList(claims['roles']).length === 0 && !isListed) {
    throw forbidden('the token carries neither a scope (`scp`) nor an application role (`roles`)')
  }
}

function checkContexts({ requireAcrs = [] }: EntraOptions, claims: JWTPayload, authorizationUri: string): void {
  const given = oneOrMany(claims['acrs'])
  const missing = requireAcrs.find((context) => !given.includes(context))
  if (missing === undefined) return
  const wanted = { access_token: { acrs: { essential: true, value: missing } } }
  throw new Refusal(
    'IDENTITY_INVALID',
    `the token lacks the authentication context \`${missing}\`, request one with the claims of the challenge`,
    { challenge: { claims: JSON.stringify(wanted), authorizationUri } },
  )
}

interface Bearer {
  readonly claims: JWTPayload
  readonly trip: Trip
  readonly authorizationUri: string
}

function admitted(
  options: EntraOptions,
  reader: GroupReader | undefined,
  { claims, trip, authorizationUri }: Bearer,
): Admitted | Promise<Admitted> {
  const challenge = canBeChallenged(claims) ? { challenge: newTokenNeeded(authorizationUri) } : {}
  const known = (groups: readonly string[]): Admitted => ({
    principal: entraPrincipal(options.name, claims, groups),
    ...challenge,
  })
  if (!hasOverage(claims) || options.overage === 'ignore') return known(textList(claims['groups']))
  // Unknown groups are not no groups: a rule that forbids by group would let the caller pass.
  if (reader === undefined) {
    throw new Refusal(
      'IDENTITY_UNAVAILABLE',
      "the token has no room for the caller's groups and this control plane may not look them up: set `graph` of the issuer, or `overage: ignore`",
    )
  }
  return resolved(reader, { claims, trip, authorizationUri }, known)
}

async function resolved(
  reader: GroupReader,
  { claims, trip }: Bearer,
  known: (groups: readonly string[]) => Admitted,
): Promise<Admitted> {
  const { ids, untilEpochMs } = await reader.read(
    { tenant: tenantOf(claims), oid: oidOf(claims), isApp: isApp(claims) },
    trip,
  )
  return { ...known(ids), freshUntilEpochMs: untilEpochMs }
}

/** Too many groups for the token: it says where to ask instead (an address that is not used). */
function hasOverage(claims: JWTPayload): boolean {
  const names: unknown = claims['_claim_names']
  return (typeof names === 'object' && names !== null && 'groups' in names) || claims['hasgroups'] === true
}

/** The client has said that it can take a claims challenge (`cp1`). */
function canBeChallenged(claims: JWTPayload): boolean {
  return oneOrMany(claims['xms_cc']).some((capability) => capability.toLowerCase() === 'cp1')
}

/** What Entra's own APIs answer after a revocation: only a token from now on will do. */
function newTokenNeeded(authorizationUri: string): (nowEpochMs: number) => ClaimsChallenge {
  return (nowEpochMs) => ({
    claims: JSON.stringify({
      access_token: { nbf: { essential: true, value: String(Math.floor(nowEpochMs / 1000)) } },
    }),
    authorizationUri,
  })
}

function oidOf(claims: JWTPayload): string {
  const oid = claims['oid']
  if (typeof oid !== 'string' || oid === '') throw invalid('the token names no object (`oid`)')
  return oid
}

function entraPrincipal(via: string, claims: JWTPayload, groups: readonly string[]): Principal {
  const agent = agentOf(claims)
  return Object.freeze({
    subject: oidOf(claims),
    tenant: tenantOf(claims),
    kind: isApp(claims) ? ('app' as const) : ('user' as const),
    roles: textList(claims['roles']),
    groups,
    client: textOf(claims['azp']) ?? textOf(claims['appid']),
    via,
    credentialId: textOf(claims['uti']) ?? '',
    ...(agent === undefined ? {} : { agent }),
  })
}
