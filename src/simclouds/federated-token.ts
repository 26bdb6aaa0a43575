import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose'
import { type Directory, issuerOf } from './entra-tokens.ts'

/** A token of Entra as another cloud looks at it. `problem` names the first thing that is wrong, in this order. */
export type FederatedToken =
  | { readonly problem: 'malformed' | 'issuer' | 'signature' | 'expired'; readonly claims: JWTPayload }
  | { readonly problem: undefined; readonly claims: JWTPayload }

/** Checks form, issuer, signature by the published keys, and time; whom it is for and about is the caller's to check. */
export async function readFederatedToken(
  directory: Directory,
  token: string,
  trustedIssuer: string,
): Promise<FederatedToken> {
  let claims: JWTPayload
  let kid: string | undefined
  try {
    claims = decodeJwt(token)
    kid = decodeProtectedHeader(token).kid
  } catch {
    return { problem: 'malformed', claims: {} }
  }
  if (claims.iss !== trustedIssuer) return { problem: 'issuer', claims }
  const key = directory.keys.published().find((each) => each.kid === kid)
  if (key === undefined) return { problem: 'signature', claims }
  try {
    await jwtVerify(token, key.publicKey, { algorithms: ['RS256'], issuer: trustedIssuer })
    return { problem: undefined, claims }
  } catch (error) {
    return { problem: error instanceof errors.JWTExpired ? 'expired' : 'signature', claims }
  }
}

/** `iss` of tokens for the clouds' applications: v1.0, of the first tenant. */
export function federationIssuer({ options, baseUrl }: Directory): string {
  return issuerOf(baseUrl, options.tenants[0] ?? '', 1)
}

export function audiencesOf({ aud }: JWTPayload): readonly string[] {
  return typeof aud === 'string' ? [aud] : (aud ?? [])
}
