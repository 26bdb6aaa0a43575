import { z } from 'zod'
import { type Cross, type TokenSource, type Trip, detached } from '#contract/crossing.ts'
import { Secret } from '#kit/secret.ts'
import { askIssuer, codeOnly, isNoVerdict } from './ask-issuer.ts'
import { CredentialFault, type Reason } from './credential-fault.ts'
import { type IssuedToken, createTokenStore } from './token-store.ts'

export interface GoogleFederationOptions {
  /** `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`. */
  readonly provider: string
  /** Base URL of the Security Token Service. */
  readonly endpoint: string
}

export const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
/** Google's token services answer near the caller; no region is theirs. */
export const GOOGLE = { cloud: 'gcp', region: 'global' } as const

const Granted = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive() })
const Denied = z.object({ error: z.string(), error_description: z.string().optional() })

/** Exchanges an Azure token for one of Google's: a federated identity of a workload identity pool. */
export function googleFederation(
  options: GoogleFederationOptions,
  identity: TokenSource,
  cross: Cross,
  nowEpochMs: () => number,
): TokenSource {
  const store = createTokenStore(2, nowEpochMs)
  return {
    token: (trip) =>
      store.get(options.provider, () => exchange(options, identity, { cross, trip: detached(trip), nowEpochMs })),
  }
}

async function exchange(
  { provider, endpoint }: GoogleFederationOptions,
  identity: TokenSource,
  { cross, trip, nowEpochMs }: { readonly cross: Cross; readonly trip: Trip; readonly nowEpochMs: () => number },
): Promise<IssuedToken> {
  const subject = await identity.token(trip)
  const answer = await askIssuer(cross, trip, 'google-sts', {
    to: GOOGLE,
    url: `${endpoint}/v1/token`,
    form: {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience: `//iam.googleapis.com/${provider}`,
      scope: CLOUD_PLATFORM,
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token: subject.reveal(),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    },
  })
  if (answer.status !== 200) throw refused(answer.status, answer.json())
  const granted = Granted.safeParse(answer.json())
  if (!granted.success) throw new CredentialFault('google-sts', 'answered something that is no token')
  const { access_token, expires_in } = granted.data
  return { secret: new Secret(access_token), expiresAtEpochMs: nowEpochMs() + expires_in * 1000 }
}

function refused(status: number, body: unknown): CredentialFault {
  const denied = Denied.safeParse(body)
  if (!denied.success || isNoVerdict(status)) return new CredentialFault('google-sts', `answered ${status}`)
  const { error, error_description: description = '' } = denied.data
  // Descriptions are matched and not repeated: they quote claims.
  const [reason, mend] = verdictOf(error, description)
  return new CredentialFault('google-sts', `refused the exchange (${codeOnly(error)}): ${mend}`, { reason })
}

function verdictOf(error: string, description: string): readonly [reason: Reason, mend: string] {
  if (error === 'invalid_target')
    return ['provider', '`provider` does not exist or is disabled, compare it with the pool in Google Cloud']
  if (error === 'unauthorized_client')
    return ['trust', "the provider's attribute condition rejects this identity, compare it with the token's claims"]
  if (/audience/i.test(description))
    return ['audience', "add the token's `aud` to the allowed audiences of the provider"]
  if (/issuer/i.test(description)) return ['issuer', "set the issuer URI of the provider to the token's `iss`"]
  return error === 'invalid_grant'
    ? ['token', 'the Azure token is not current or not genuine, compare the clocks and the issuer']
    : ['request', 'look at `provider`']
}
