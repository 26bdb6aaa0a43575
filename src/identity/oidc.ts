import type { JWTPayload } from 'jose'
import type { Cross } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import type { Principal } from '#contract/principal.ts'
import { textList, textOf } from './entra.ts'
import { fetchJson } from './fetch-json.ts'
import { createKeySet } from './jwks.ts'
import { type Issuer, createTokenCache, invalid, shown } from './token.ts'

export interface OidcOptions {
  readonly name: string
  /** Exact `iss`. */
  readonly issuer: string
  readonly jwksUrl: string
  readonly audiences: readonly string[]
  /** Name of the claim that lists roles. Default `roles`. */
  readonly rolesClaim: string
  /** Tenant that principals of this issuer belong to. */
  readonly tenant: string
  readonly place: Place
}

/** Any other OpenID Connect issuer that signs access tokens with RS256. */
export function createOidcIssuer(options: OidcOptions, cross: Cross, nowEpochMs: () => number): Issuer {
  const keys = createKeySet(options.name, (trip) => fetchJson(cross, trip, options.jwksUrl, options.place), nowEpochMs)
  return {
    name: options.name,
    owns: (iss) => iss === options.issuer,
    keysFor: () => keys,
    principal: (claims) => oidcPrincipal(options, claims),
    cache: createTokenCache(),
    nowEpochMs,
  }
}

function oidcPrincipal(options: OidcOptions, claims: JWTPayload): Principal {
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
  if (!audiences.some((audience) => audience !== undefined && options.audiences.includes(audience))) {
    throw invalid(
      `the token is for audience \`${shown(audiences[0])}\`, request one for \`${options.audiences[0] ?? ''}\``,
    )
  }
  if (claims.sub === undefined) throw invalid('the token names no subject (`sub`)')
  return Object.freeze({
    subject: claims.sub,
    tenant: options.tenant,
    kind: 'user' as const,
    roles: textList(claims[options.rolesClaim]),
    groups: textList(claims['groups']),
    client: textOf(claims['azp']) ?? textOf(claims['client_id']),
    via: options.name,
    credentialId: claims.jti ?? '',
  })
}
