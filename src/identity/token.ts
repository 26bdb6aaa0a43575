import { hash } from 'node:crypto'
import { type JWTPayload, compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import type { Trip } from '#contract/crossing.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import { Lru } from '#kit/lru.ts'
import type { KeySet } from './jwks.ts'

/** One configured issuer of access tokens. `entra.ts` and `oidc.ts` make them. */
export interface Issuer {
  readonly name: string
  /** Whether a token with this `iss` is this issuer's to judge. */
  readonly owns: (iss: string) => boolean
  readonly keysFor: (claims: JWTPayload) => KeySet
  /** Checks the issuer's own rules once the signature stands. @throws {Refusal} */
  readonly principal: (claims: JWTPayload, keyIssuer: string | undefined) => Principal
  readonly cache: TokenCache
  readonly nowEpochMs: () => number
}

export type TokenCache = Lru<string, { readonly principal: Principal; readonly expiresAtEpochMs: number }>

/** Tokens that were checked are known by digest until they expire; the token itself is not kept. */
export function createTokenCache(): TokenCache {
  return new Lru(10_000)
}

/** Microsoft's default clock skew: 5 minutes. */
export const SKEW_MS = 5 * 60 * 1000
/** Entra tokens with many groups come near 10 KB; anything above this is not one. */
const MAX_TOKEN_CHARS = 16_384

/** @throws {Refusal} IDENTITY_INVALID, IDENTITY_EXPIRED, IDENTITY_UNAVAILABLE */
export function identifyToken(issuers: readonly Issuer[], token: string, trip: Trip): Principal | Promise<Principal> {
  if (token.length > MAX_TOKEN_CHARS) throw invalid(`the token is longer than ${MAX_TOKEN_CHARS} characters`)
  const digest = hash('sha256', token, 'base64')
  for (const issuer of issuers) {
    const known = issuer.cache.get(digest)
    if (known === undefined) continue
    if (known.expiresAtEpochMs > issuer.nowEpochMs()) return known.principal
    issuer.cache.delete(digest)
    throw new Refusal('IDENTITY_EXPIRED', 'the token has expired, request a new one')
  }
  return verifyToken(issuers, token, digest, trip)
}

async function verifyToken(issuers: readonly Issuer[], token: string, digest: string, trip: Trip): Promise<Principal> {
  const { alg, kid, claims } = peek(token)
  if (alg !== 'RS256') throw invalid(`the token is signed with \`${shown(alg)}\`, only RS256 is accepted`)
  if (kid === undefined) throw invalid('the token names no signing key (`kid`)')
  const iss = typeof claims.iss === 'string' ? claims.iss : ''
  const issuer = issuers.find((candidate) => candidate.owns(iss))
  if (issuer === undefined) throw invalid(`tokens of issuer \`${shown(iss)}\` are not accepted here`)
  const signing = await issuer.keysFor(claims).find(kid, trip)
  if (signing === undefined) throw invalid(`issuer \`${issuer.name}\` has no signing key \`${shown(kid)}\``)
  try {
    await compactVerify(token, signing.key, { algorithms: ['RS256'] })
  } catch (error) {
    throw invalid('the signature of the token is wrong', error)
  }
  const expiresAtEpochMs = checkTimes(claims, issuer.nowEpochMs())
  const principal = issuer.principal(claims, signing.issuer)
  issuer.cache.set(digest, { principal, expiresAtEpochMs })
  return principal
}

function peek(token: string): { readonly alg: unknown; readonly kid: string | undefined; readonly claims: JWTPayload } {
  try {
    const header = decodeProtectedHeader(token)
    return { alg: header.alg, kid: header.kid, claims: decodeJwt(token) }
  } catch (error) {
    throw invalid('the credential is neither a key (`tp-...`) nor a JSON Web Token', error)
  }
}

/** @returns when the token is no longer accepted: `exp` and the allowed skew. */
function checkTimes(claims: JWTPayload, nowEpochMs: number): number {
  const { exp, nbf } = claims
  if (typeof exp !== 'number') throw invalid('the token never expires (`exp` is missing)')
  if (exp * 1000 + SKEW_MS <= nowEpochMs)
    throw new Refusal('IDENTITY_EXPIRED', 'the token has expired, request a new one')
  if (typeof nbf === 'number' && nbf * 1000 - SKEW_MS > nowEpochMs) {
    throw invalid('the token is not valid yet, compare the clocks of issuer and control plane')
  }
  return exp * 1000 + SKEW_MS
}

/** A sentence about a token that can not be accepted. */
export function invalid(message: string, cause?: unknown): Refusal {
  return new Refusal('IDENTITY_INVALID', message, cause === undefined ? {} : { cause })
}

/** A claim as it may stand in a message: short and printable. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined ? '' : 'not text'
  return text.replaceAll(/[^\u0020-\u007e]/g, '?').slice(0, 120)
}
