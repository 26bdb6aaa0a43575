import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Trip } from '#contract/crossing.ts'
import { type KeyRing, identifyKey } from './key.ts'
import { type TokenDeps, identifyToken } from './token.ts'

export interface IdentityDeps extends TokenDeps {
  readonly keys: KeyRing
}

export interface Credentials {
  /** The `authorization` header as it came. */
  readonly authorization: string | undefined
  /** Anthropic clients send their key here. */
  readonly apiKey: string | undefined
}

const PLAIN = 'Bearer '
const BEARER = /^bearer +(\S+) *$/i

/**
 * Who is asking.
 * @throws {Refusal} IDENTITY_MISSING, IDENTITY_INVALID, IDENTITY_EXPIRED, IDENTITY_FORBIDDEN, IDENTITY_UNAVAILABLE
 */
export function identify(deps: IdentityDeps, credentials: Credentials, trip: Trip): Principal | Promise<Principal> {
  const presented = presentedCredential(credentials)
  if (presented.startsWith('tp-')) return identifyKey(deps.keys, presented, deps.denied)
  return identifyToken(deps, presented, trip)
}

function presentedCredential({ authorization, apiKey }: Credentials): string {
  if (authorization === undefined) {
    if (apiKey !== undefined && apiKey !== '') return apiKey
    throw new Refusal(
      'IDENTITY_MISSING',
      'no credential, send `Authorization: Bearer` with a token or a key, or `x-api-key` with a key',
    )
  }
  // As clients write it: spares the pattern a walk over a token of 10 KB.
  if (authorization.length > PLAIN.length && authorization.startsWith(PLAIN)) {
    const token = authorization.slice(PLAIN.length)
    if (!token.includes(' ') && !token.includes('\t')) return token
  }
  const match = BEARER.exec(authorization)
  if (match?.[1] === undefined) {
    throw new Refusal('IDENTITY_INVALID', 'the authorization header is not `Bearer` and one token')
  }
  return match[1]
}
