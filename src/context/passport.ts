import { type JWK, SignJWT, exportJWK, generateKeyPair, importJWK } from 'jose'
import type { PassportClaims } from '#contract/context.ts'
import type { Principal } from '#contract/principal.ts'

/** Signs passports: short-lived statements of who asks, which the data plane checks against `jwks`. */
export interface PassportOffice {
  readonly mint: (facts: PassportFacts) => Promise<string>
  /** Public keys, served at `/.well-known/jwks.json` of the control plane. */
  readonly jwks: { readonly keys: readonly JWK[] }
}

export interface PassportFacts {
  readonly principal: Principal
  readonly collections: readonly string[]
  readonly requestId: string
  readonly residency: string
  readonly audience: string
}

/** Long enough for one call with clock skew, too short to be worth stealing. */
const LIFETIME_S = 60

/** A new key pair as a private JWK, to be kept in the data folder. */
export async function createPassportKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  return exportJWK(privateKey)
}

/** `issuer` is the control plane's own name, which the data plane is configured with. */
export async function openPassportOffice(
  privateJwk: JWK,
  issuer: string,
  nowEpochMs: () => number,
): Promise<PassportOffice> {
  const key = await importJWK(privateJwk, 'EdDSA')
  const { kty, crv, x } = privateJwk
  if (kty === undefined || crv === undefined || x === undefined)
    throw new Error('the passport key is not an Ed25519 key')
  const kid = `passport-${x.slice(0, 12)}`
  const publicJwk: JWK = { kty, crv, x, kid, alg: 'EdDSA', use: 'sig' }
  return {
    jwks: { keys: [publicJwk] },
    mint: ({ principal, collections, requestId, residency, audience }) => {
      const iat = Math.floor(nowEpochMs() / 1000)
      const claims = {
        tenant: principal.tenant,
        roles: principal.roles,
        groups: principal.groups,
        collections,
        purpose: 'grounding',
        residency,
      } satisfies Partial<PassportClaims>
      return new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'passport+jwt', kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(principal.subject)
        .setJti(requestId)
        .setIssuedAt(iat)
        .setExpirationTime(iat + LIFETIME_S)
        .sign(key)
    },
  }
}
