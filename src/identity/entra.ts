import type { JWTPayload } from 'jose'
import type { Cross } from '#contract/crossing.ts'
import type { Principal } from '#contract/principal.ts'
import { fetchJson } from './fetch-json.ts'
import { type KeySet, createKeySet } from './jwks.ts'
import { type Issuer, createTokenCache, invalid, shown } from './token.ts'

export interface EntraOptions {
  readonly name: string
  /** Login host for v2.0 metadata, without a path. Default `https://login.microsoftonline.com`. */
  readonly authority: string
  /** Host in the `iss` of v1.0 tokens. Default `https://sts.windows.net`. */
  readonly v1Host: string
  /** Directory ids (GUID) whose tokens are accepted. */
  readonly tenants: readonly string[]
  /** Accepted `aud`: the API's client id, and for v1.0 tokens its application id URI. */
  readonly audiences: readonly string[]
  /** Region where the login service is asked, for the crossing. */
  readonly region: string
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * Access tokens of Entra ID, v2.0 and v1.0. The order of checks is the one that Microsoft gives: algorithm, key,
 * signature, the key's own issuer, `iss` against `tid`, `tid` against the accepted tenants, `aud`, times, scope or role.
 */
export function createEntraIssuer(options: EntraOptions, cross: Cross, nowEpochMs: () => number): Issuer {
  const keySets = new Map<string, KeySet>()
  const v2Host = options.authority.replace(/\/$/, '')
  const v1Host = options.v1Host.replace(/\/$/, '')
  return {
    name: options.name,
    owns: (iss) => iss.startsWith(`${v2Host}/`) || iss.startsWith(`${v1Host}/`),
    keysFor: (claims) => {
      const tenant = acceptedTenant(options, claims)
      const path = isV2(claims) ? 'discovery/v2.0/keys' : 'discovery/keys'
      const url = `${v2Host}/${tenant}/${path}`
      let keys = keySets.get(url)
      if (keys === undefined) {
        keys = createKeySet(
          options.name,
          (trip) => fetchJson(cross, trip, url, { cloud: 'azure', region: options.region }),
          nowEpochMs,
        )
        keySets.set(url, keys)
      }
      return keys
    },
    principal: (claims, keyIssuer) => {
      checkIssuer(claims, keyIssuer, v2Host, v1Host)
      checkAudience(options, claims)
      return entraPrincipal(options.name, claims)
    },
    cache: createTokenCache(),
    nowEpochMs,
  }
}

function isV2(claims: JWTPayload): boolean {
  return claims['ver'] === '2.0'
}

function acceptedTenant(options: EntraOptions, claims: JWTPayload): string {
  const tenant = claims['tid']
  if (typeof tenant !== 'string' || !GUID.test(tenant)) throw invalid('the token names no tenant (`tid`)')
  if (!options.tenants.includes(tenant.toLowerCase())) throw invalid(`tenant \`${shown(tenant)}\` is not accepted here`)
  return tenant.toLowerCase()
}

function checkIssuer(claims: JWTPayload, keyIssuer: string | undefined, v2Host: string, v1Host: string): void {
  const tenant = typeof claims['tid'] === 'string' ? claims['tid'].toLowerCase() : ''
  const expected = isV2(claims) ? `${v2Host}/${tenant}/v2.0` : `${v1Host}/${tenant}/`
  if (claims.iss !== expected)
    throw invalid(`the issuer \`${shown(claims.iss)}\` is not the one of tenant \`${tenant}\``)
  if (keyIssuer !== undefined && keyIssuer.replaceAll('{tenantid}', tenant) !== expected) {
    throw invalid('the token is signed with a key that belongs to another issuer')
  }
}

function checkAudience(options: EntraOptions, claims: JWTPayload): void {
  if (typeof claims.aud !== 'string' || !options.audiences.includes(claims.aud)) {
    throw invalid(
      `the token is for audience \`${shown(claims.aud)}\`, request one for \`${options.audiences[0] ?? ''}\``,
    )
  }
  if (typeof claims['scp'] !== 'string' && !Array.isArray(claims['roles'])) {
    throw invalid('the token carries neither a scope (`scp`) nor an application role (`roles`)')
  }
}

function entraPrincipal(via: string, claims: JWTPayload): Principal {
  const oid = claims['oid']
  if (typeof oid !== 'string') throw invalid('the token names no object (`oid`)')
  const isApp = claims['idtyp'] === 'app' || (claims['idtyp'] === undefined && typeof claims['scp'] !== 'string')
  return Object.freeze({
    subject: oid,
    tenant: String(claims['tid']).toLowerCase(),
    kind: isApp ? ('app' as const) : ('user' as const),
    roles: textList(claims['roles']),
    groups: textList(claims['groups']),
    client: textOf(claims['azp']) ?? textOf(claims['appid']),
    via,
    credentialId: textOf(claims['uti']) ?? '',
  })
}

/** Sorted, frozen; what is not a list of texts is an empty list. */
export function textList(value: unknown): readonly string[] {
  const texts = Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
  return Object.freeze(texts.toSorted())
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
