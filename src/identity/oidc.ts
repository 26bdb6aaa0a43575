import type { JWTPayload } from 'jose'
import type { Cross } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import type { Principal } from '#contract/principal.ts'
import { textList, textOf } from './claims.ts'
import { createDiscovery } from './discovery.ts'
import { fetchJson } from './fetch-json.ts'
import { type Algorithm, createKeySet } from './jwks.ts'
import { type Issuer, checkAudience, createTokenCache, hasAudience, invalid } from './token.ts'

export interface OidcOptions {
  readonly name: string
  /** Exact `iss`. */
  readonly issuer: string
  /** Where its signing keys are; undefined: as its discovery document says. */
  readonly jwksUrl?: string | undefined
  readonly audiences: readonly string[]
  /** How its tokens may be signed. Default RS256. */
  readonly algorithms?: readonly Algorithm[]
  /** Name of the claim that lists roles. Default `roles`. */
  readonly rolesClaim: string
  /** Tenant that principals of this issuer belong to. */
  readonly tenant: string
  readonly place: Place
}

/** Any other OpenID Connect issuer that signs access tokens. */
export function createOidcIssuer(options: OidcOptions, cross: Cross, nowEpochMs: () => number): Issuer {
  const { jwksUrl, place, algorithms = ['RS256'] } = options
  const discover = createDiscovery(options.issuer, place, cross, nowEpochMs)
  const keys = createKeySet(
    options.name,
    async (trip) => fetchJson(cross, trip, jwksUrl ?? (await discover(trip)).jwks_uri, place),
    nowEpochMs,
    algorithms,
  )
  return {
    name: options.name,
    owns: (iss) => iss === options.issuer,
    fits: (claims) => hasAudience(claims, options.audiences),
    algorithms,
    keysFor: () => keys,
    admit: (claims) => {
      checkAudience(claims, options.audiences)
      return { principal: oidcPrincipal(options, claims) }
    },
    cache: createTokenCache(),
    nowEpochMs,
  }
}

function oidcPrincipal(options: OidcOptions, claims: JWTPayload): Principal {
  if (typeof claims.sub !== 'string' || claims.sub === '') throw invalid('the token names no subject (`sub`)')
  const client = textOf(claims['azp']) ?? textOf(claims['client_id'])
  return Object.freeze({
    subject: claims.sub,
    tenant: options.tenant,
    // RFC 9068, section 2.2: the subject of a client's own token is the client.
    kind: claims.sub === client ? ('app' as const) : ('user' as const),
    roles: textList(claims[options.rolesClaim]),
    groups: textList(claims['groups']),
    client,
    via: options.name,
    credentialId: textOf(claims.jti) ?? '',
  })
}
