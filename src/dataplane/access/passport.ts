import type { PassportClaims } from '#contract/context.ts'
import { Refusal } from '#contract/refusal.ts'
import { errors, jwtVerify } from 'jose'
import type { JWTVerifyOptions, JWTVerifyResult } from 'jose'
import { z } from 'zod'
import { createKeySource } from './key-set.ts'
import type { KeySource } from './key-set.ts'

/** Difference between two clocks that is forgiven. */
const SKEW_S = 30
/** A passport is for one request: who signs one for longer made a mistake. */
const MAX_LIFETIME_S = 120
/** About 1,300 requests a second for as long as a passport lives. */
const MAX_REMEMBERED = 200_000

const Claims = z.object({
  iss: z.string(),
  aud: z.string(),
  sub: z.string().min(1),
  tenant: z.string(),
  roles: z.array(z.string()),
  groups: z.array(z.string()),
  collections: z.array(z.string()),
  purpose: z.string(),
  residency: z.string(),
  jti: z.string().min(1).max(200),
  iat: z.number(),
  exp: z.number(),
})

export interface PassportOptions {
  /** The control plane's issuer string. */
  readonly issuer: string
  /** The agent's own name. */
  readonly audience: string
  /** Gets the control plane's JWKS, parsed JSON. */
  readonly fetchKeys: () => Promise<unknown>
  readonly now: () => number
}

/** Checks a passport and takes it: the same passport is not accepted twice. */
export type CheckPassport = (token: string) => Promise<PassportClaims>

/**
 * The function it returns throws
 * {@link Refusal} IDENTITY_MISSING, IDENTITY_INVALID (not signed by the control plane, for somebody else,
 * lives too long, used before), IDENTITY_EXPIRED, IDENTITY_UNAVAILABLE (no keys).
 */
export function createPassportCheck(options: PassportOptions): CheckPassport {
  const keys = createKeySource(options.fetchKeys, options.now)
  const take = createReplayWindow(options.now)
  return async (token) => {
    if (token === '') throw new Refusal('IDENTITY_MISSING', 'the request carries no passport', { param: 'principal' })
    const { payload } = await verify(token, keys, options)
    const claims = Claims.safeParse(payload)
    if (!claims.success) throw invalid(`the passport's claim \`${claimOf(claims.error)}\` is missing or malformed`)
    assertTimes(claims.data, options.now())
    take(claims.data)
    return Object.freeze(claims.data)
  }
}

async function verify(token: string, keys: KeySource, options: PassportOptions): Promise<JWTVerifyResult> {
  const expected: JWTVerifyOptions = {
    algorithms: ['EdDSA'],
    typ: 'passport+jwt',
    issuer: options.issuer,
    audience: options.audience,
    clockTolerance: SKEW_S,
    currentDate: new Date(options.now()),
    requiredClaims: ['exp', 'iat', 'jti'],
  }
  try {
    const current = await keys.current()
    try {
      return await jwtVerify(token, current, expected)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      return await jwtVerify(token, await keys.refreshed(), expected)
    }
  } catch (error) {
    throw asIdentityRefusal(error)
  }
}

function asIdentityRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof errors.JWTExpired) {
    return new Refusal('IDENTITY_EXPIRED', 'the passport has expired', { param: 'principal', cause: error })
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return invalid(`the passport's claim \`${error.claim}\` is not what this agent expects`, error)
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return invalid('the passport is signed with a key that the control plane does not have', error)
  }
  return invalid('the passport is not a valid token of the control plane', error)
}

function assertTimes({ iat, exp }: PassportClaims, nowEpochMs: number): void {
  if (exp - iat > MAX_LIFETIME_S) throw invalid(`the passport lives longer than ${MAX_LIFETIME_S} seconds`)
  if (exp <= iat) throw invalid('the passport ends before it begins')
  if (iat > nowEpochMs / 1000 + SKEW_S) throw invalid('the passport was issued in the future')
}

/** Remembers the ids of accepted passports for as long as they would be accepted again. */
function createReplayWindow(now: () => number): (claims: PassportClaims) => void {
  const goneAtEpochMs = new Map<string, number>()
  const forget = () => {
    for (const [jti, at] of goneAtEpochMs) if (at < now()) goneAtEpochMs.delete(jti)
  }
  return ({ jti, exp }) => {
    for (const [oldest, at] of goneAtEpochMs) {
      if (at >= now()) break
      goneAtEpochMs.delete(oldest)
    }
    if (goneAtEpochMs.has(jti)) throw invalid('the passport has been used before')
    if (goneAtEpochMs.size >= MAX_REMEMBERED) forget()
    if (goneAtEpochMs.size >= MAX_REMEMBERED) {
      // Forgetting one that is still valid would let it be used twice.
      throw new Refusal('CONTEXT_UNAVAILABLE', 'too many passports are in use at once', { retryAfterS: 1 })
    }
    goneAtEpochMs.set(jti, (exp + SKEW_S) * 1000)
  }
}

function claimOf(error: z.ZodError): string {
  return String(error.issues[0]?.path[0] ?? 'unknown')
}

function invalid(message: string, cause?: unknown): Refusal {
  return new Refusal('IDENTITY_INVALID', message, { param: 'principal', cause })
}
