import { z } from 'zod'
import { type Cross, type CrossFault, type SecretValue, type Trip } from '#contract/crossing.ts'
import { Secret } from '#kit/secret.ts'
import { askIssuer } from './ask-issuer.ts'
import { CredentialFault } from './credential-fault.ts'
import type { IssuedToken } from './token-store.ts'

interface Registration {
  /** Login host without a path or a slash at the end. */
  readonly authority: string
  /** Azure region where it is reached, for the crossing. */
  readonly region: string
  readonly clientId: string
}

/** An application registered in Entra, which tokens are issued to. */
export interface EntraApp extends Registration {
  readonly secret: SecretValue
}

/** One that proves itself by a token of another issuer, which Entra trusts by a federated credential. */
export interface FederatedApp extends Registration {
  readonly assertion: () => Promise<SecretValue>
}

/** The token endpoint answered, and said no. Codes only: descriptions may name people. */
export class TokenRefused extends Error {
  readonly error: string
  readonly suberror: string
  /** `AADSTS50013`, or empty. */
  readonly code: string
  /** The claims challenge as JSON, or empty. */
  readonly claims: string

  constructor(facts: { error: string; suberror: string; code: string; claims: string }) {
    super(`${facts.error}${facts.code === '' ? '' : ` (${facts.code})`}`)
    this.name = 'TokenRefused'
    this.error = facts.error
    this.suberror = facts.suberror
    this.code = facts.code
    this.claims = facts.claims
  }
}

const Granted = z.object({
  access_token: z.string().min(1),
  // Managed identity endpoints send numbers as text.
  expires_in: z.coerce.number().positive(),
})
const Denied = z.object({
  error: z.string(),
  suberror: z.string().optional(),
  error_codes: z.array(z.number()).optional(),
  claims: z.string().optional(),
})

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/**
 * One request to the token endpoint of a tenant. `trip` belongs to everybody who waits for the token.
 * @throws {TokenRefused} when Entra says no.
 * @throws {CrossFault} `credential` when it gives no answer that can be read.
 */
export async function requestEntraToken(
  cross: Cross,
  trip: Trip,
  app: EntraApp | FederatedApp,
  ask: { readonly tenant: string; readonly form: Readonly<Record<string, string>>; readonly nowEpochMs: () => number },
): Promise<IssuedToken> {
  const { status, body } = await post(cross, trip, app, ask)
  if (status === 200) {
    const granted = Granted.safeParse(body)
    if (!granted.success) throw noToken('answered something that is no token')
    const { access_token, expires_in } = granted.data
    return { secret: new Secret(access_token), expiresAtEpochMs: ask.nowEpochMs() + expires_in * 1000 }
  }
  const denied = Denied.safeParse(body)
  // Busy or broken is no verdict about the request.
  if (!denied.success || status >= 500 || status === 429) throw noToken(`answered ${status}`)
  const { error, suberror = '', error_codes: codes = [], claims = '' } = denied.data
  const [code] = codes
  throw new TokenRefused({
    error: error.replaceAll(/[^a-z_]/g, '').slice(0, 60),
    suberror,
    code: code === undefined ? '' : `AADSTS${code}`,
    claims,
  })
}

async function post(
  cross: Cross,
  trip: Trip,
  app: EntraApp | FederatedApp,
  { tenant, form }: { readonly tenant: string; readonly form: Readonly<Record<string, string>> },
): Promise<{ readonly status: number; readonly body: unknown }> {
  const proof: Readonly<Record<string, string>> =
    'secret' in app
      ? { client_secret: app.secret.reveal() }
      : { client_assertion_type: ASSERTION_TYPE, client_assertion: (await app.assertion()).reveal() }
  const answer = await askIssuer(cross, trip, 'entra', {
    to: { cloud: 'azure', region: app.region },
    url: `${app.authority}/${tenant}/oauth2/v2.0/token`,
    form: { client_id: app.clientId, ...proof, ...form },
  })
  return { status: answer.status, body: answer.json() }
}

/** Nobody's fault but the issuer's or ours: the call that needs the token can not be made now. */
export function noToken(what: string, cause?: unknown): CrossFault {
  return new CredentialFault('entra', what, { cause })
}
