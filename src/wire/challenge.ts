import type { Refusal } from '#contract/refusal.ts'

/**
 * The `www-authenticate` header of a 401 (RFC 6750, section 3): no error code for a request without a credential,
 * `invalid_token` for one that is not good, `insufficient_claims` with the claims that a new token has to bring.
 */
export function challengeOf(refusal: Refusal): string {
  const { challenge } = refusal
  if (challenge !== undefined) {
    const claims = Buffer.from(challenge.claims).toString('base64')
    return `Bearer realm="", authorization_uri="${quotable(challenge.authorizationUri)}", error="insufficient_claims", claims="${claims}"`
  }
  if (refusal.code === 'IDENTITY_MISSING') return 'Bearer realm="thinplane"'
  return `Bearer realm="thinplane", error="invalid_token", error_description="${quotable(refusal.message)}"`
}

/** Printable ASCII without quotes and backslashes: what such a value may hold. */
function quotable(text: string): string {
  return text.replaceAll(/["\\]/g, "'").replaceAll(/[^ -~]/g, '?')
}
