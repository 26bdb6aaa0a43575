import { hash } from 'node:crypto'
import { type JWTPayload, compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import type { Trip } from '#contract/crossing.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal, type RefusalFacts } from '#contract/refusal.ts'
import { Lru } from '#kit/lru.ts'
import { Secret } from '#kit/secret.ts'
import type { DenyList } from './deny.ts'
import type { Algorithm, KeySet } from './jwks.ts'

/** One configured issuer of access tokens. `entra.ts` and `oidc.ts` make them. */
export interface Issuer {
  readonly name: string
  /** Whether a token with this `iss` is this issuer's to judge. */
  readonly owns: (iss: string) => boolean
  /** Whether it looks like one that this issuer takes: decides between several that own the same `iss`. */
  readonly fits: (claims: JWTPayload) => boolean
  readonly algorithms: readonly Algorithm[]
  /** The keys to check it with. @throws {Refusal} when the claims alone are enough to turn it away. */
  readonly keysFor: (claims: JWTPayload) => KeySet
  /** Checks the issuer's own rules once the signature stands. @throws {Refusal} */
  readonly admit: (claims: JWTPayload, keyIssuer: string | undefined, trip: Trip) => Admitted | Promise<Admitted>
  readonly cache: TokenCache
  readonly nowEpochMs: () => number
}

/** A token that was taken. */
export interface Admitted {
  readonly principal: Principal
  /** From when on it has to be judged again, although it has not expired; never by default. */
  readonly freshUntilEpochMs?: number
  /** What a client that can take a challenge is told when the caller is denied later. */
  readonly challenge?: (nowEpochMs: number) => NonNullable<RefusalFacts['challenge']>
}

interface Known extends Admitted {
  readonly expiresAtEpochMs: number
  /** Version of the deny list that it was last looked up in. */
  clearedBy: number
}

export type TokenCache = Lru<string, Known>

/** Tokens that were checked are known by digest until they expire; the token itself is not kept. */
export function createTokenCache(): TokenCache {
  return new Lru(10_000)
}

export interface TokenDeps {
  readonly issuers: readonly Issuer[]
  readonly denied: DenyList
}

/** Microsoft's default clock skew: 5 minutes. */
export const SKEW_MS = 5 * 60 * 1000
/** Entra tokens with many groups come near 10 KB; anything above this is not one. */
const MAX_TOKEN_CHARS = 16_384

/** @throws {Refusal} IDENTITY_INVALID, IDENTITY_EXPIRED, IDENTITY_FORBIDDEN, IDENTITY_UNAVAILABLE */
export function identifyToken(deps: TokenDeps, token: string, trip: Trip): Principal | Promise<Principal> {
  if (token.length > MAX_TOKEN_CHARS) throw invalid(`the token is longer than ${MAX_TOKEN_CHARS} characters`)
  const digest = hash('sha256', token, 'base64')
  for (const issuer of deps.issuers) {
    const known = issuer.cache.get(digest)
    if (known === undefined) continue
    const now = issuer.nowEpochMs()
    if (known.expiresAtEpochMs <= now) {
      issuer.cache.delete(digest)
      throw expired()
    }
    if (known.freshUntilEpochMs !== undefined && known.freshUntilEpochMs <= now) break
    return cleared(deps, issuer, known, { token, digest, trip })
  }
  return verifyToken(deps, token, digest, trip)
}

interface Presented {
  readonly token: string
  readonly digest: string
  readonly trip: Trip
}

/** The deny list has the last word, over tokens that were taken before too. */
function cleared({ denied }: TokenDeps, issuer: Issuer, known: Known, { token, digest, trip }: Presented): Principal {
  const { principal } = known
  if (known.clearedBy !== denied.version) {
    if (denied.denies(principal)) {
      const challenge = known.challenge?.(issuer.nowEpochMs())
      throw new Refusal(
        'IDENTITY_INVALID',
        'the caller or the token is on the deny list, ask an administrator',
        challenge === undefined ? {} : { challenge },
      )
    }
    known.clearedBy = denied.version
  }
  trip.caller = { token: new Secret(token), digest, kind: principal.kind, tenant: principal.tenant, via: issuer.name }
  return principal
}

async function verifyToken(deps: TokenDeps, token: string, digest: string, trip: Trip): Promise<Principal> {
  const { issuer, claims, keyIssuer, expiresAtEpochMs } = await verified(deps.issuers, token, trip)
  const admitted = await issuer.admit(claims, keyIssuer, trip)
  const known: Known = { ...admitted, expiresAtEpochMs, clearedBy: Number.NaN }
  const principal = cleared(deps, issuer, known, { token, digest, trip })
  issuer.cache.set(digest, known)
  return principal
}

/** Algorithm, issuer, key, signature, times: in this order, and nothing is fetched before the issuer is known. */
async function verified(issuers: readonly Issuer[], token: string, trip: Trip) {
  const { alg, kid, claims } = peek(token)
  if (issuers.length === 0) throw invalid('access tokens are not accepted here, send a key (`tp-...`)')
  const accepted = issuers.flatMap(({ algorithms }) => algorithms)
  if (!accepted.includes(alg as Algorithm)) throw wrongAlgorithm(alg, accepted)
  if (kid === undefined || kid === '') throw invalid('the token names no signing key (`kid`)')
  const issuer = issuerOf(issuers, claims)
  const algorithm = issuer.algorithms.find((candidate) => candidate === alg)
  if (algorithm === undefined) throw wrongAlgorithm(alg, issuer.algorithms)
  const signing = await issuer.keysFor(claims).find(kid, algorithm, trip)
  if (signing === undefined) throw invalid(`issuer \`${issuer.name}\` has no signing key \`${shown(kid)}\``)
  try {
    await compactVerify(token, signing.key, { algorithms: [algorithm] })
  } catch (error) {
    throw invalid('the signature of the token is wrong', error)
  }
  const expiresAtEpochMs = checkTimes(claims, issuer.nowEpochMs())
  return { issuer, claims, keyIssuer: signing.issuer, expiresAtEpochMs }
}

/** Several may own one `iss`, such as two registrations in one directory: the one that the token fits, else any. */
function issuerOf(issuers: readonly Issuer[], claims: JWTPayload): Issuer {
  const iss = typeof claims.iss === 'string' ? claims.iss : ''
  const owners = issuers.filter((candidate) => candidate.owns(iss))
  const issuer = owners.find((candidate) => candidate.fits(claims)) ?? owners[0]
  if (issuer === undefined) throw invalid(`tokens of issuer \`${shown(iss)}\` are not accepted here`)
  return issuer
}

function wrongAlgorithm(alg: unknown, accepted: readonly Algorithm[]): Refusal {
  const names = [...new Set(accepted)]
  return invalid(
    `the token is signed with \`${shown(alg)}\`, only ${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} accepted`,
  )
}

function peek(token: string): { readonly alg: unknown; readonly kid: string | undefined; readonly claims: JWTPayload } {
  try {
    const header = decodeProtectedHeader(token)
    const kid: unknown = header.kid
    return { alg: header.alg, kid: typeof kid === 'string' ? kid : undefined, claims: decodeJwt(token) }
  } catch (error) {
    throw invalid('the credential is neither a key (`tp-...`) nor a JSON Web Token', error)
  }
}

/** @returns when the token is no longer accepted: `exp` and the allowed skew. */
export function checkTimes(claims: JWTPayload, nowEpochMs: number): number {
  const { exp, nbf } = claims
  if (typeof exp !== 'number') throw invalid('the token never expires (`exp` is missing)')
  if (exp * 1000 + SKEW_MS <= nowEpochMs) throw expired()
  if (typeof nbf === 'number' && nbf * 1000 - SKEW_MS > nowEpochMs) {
    throw invalid('the token is not valid yet, compare the clocks of issuer and control plane')
  }
  return exp * 1000 + SKEW_MS
}

function expired(): Refusal {
  return new Refusal('IDENTITY_EXPIRED', 'the token has expired, request a new one')
}

/** A sentence about a token that can not be accepted. */
export function invalid(message: string, cause?: unknown): Refusal {
  return new Refusal('IDENTITY_INVALID', message, cause === undefined ? {} : { cause })
}

/** A sentence about a genuine token that is not one for this API. */
export function forbidden(message: string): Refusal {
  return new Refusal('IDENTITY_FORBIDDEN', message)
}

/** Accepted audiences of a token that names one or several. @throws {Refusal} IDENTITY_INVALID */
export function checkAudience(claims: JWTPayload, audiences: readonly string[]): void {
  if (hasAudience(claims, audiences)) return
  const [named] = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
  throw invalid(`the token is for audience \`${shown(named)}\`, request one for \`${audiences[0] ?? ''}\``)
}

export function hasAudience({ aud }: JWTPayload, audiences: readonly string[]): boolean {
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  return named.some((audience) => typeof audience === 'string' && audiences.includes(audience))
}

/** A claim as it may stand in a message: short and printable. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined ? '' : 'not text'
  return text.replaceAll(/[^\u0020-\u007e]/g, '?').slice(0, 120)
}
