import { z } from 'zod'
import { type Cross, type SecretValue, type TokenSource, type Trip, detached } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import { Secret } from '#kit/secret.ts'
import { askIssuer, codeOnly, isNoVerdict } from './ask-issuer.ts'
import { CredentialFault } from './credential-fault.ts'
import { type IssuedToken, createTokenStore } from './token-store.ts'

export interface ManagedIdentityOptions {
  /** Where this process runs: the endpoint is on its own machine. */
  readonly place: Place
  /**
   * Virtual machines, scale sets, AKS nodes: the metadata service. App Service, Container Apps, Functions: an endpoint
   * of their own, with a header that only the process knows.
   */
  readonly form:
    | { readonly kind: 'imds'; readonly endpoint: string }
    | { readonly kind: 'app'; readonly endpoint: string; readonly header: SecretValue }
  /** `api://thinplane-federation/.default` and the like. */
  readonly scope: string
  /** Client id of a user-assigned identity; undefined for the system-assigned one. */
  readonly clientId: string | undefined
}

/** The address of the metadata service on every Azure machine (learn.microsoft.com, "Azure Instance Metadata Service"). */
export const IMDS_ENDPOINT = 'http://169.254.169.254'
const IMDS_VERSION = '2018-02-01'
const APP_VERSION = '2019-08-01'

/** Numbers come as text; App Service says when the token ends, not how long it lives. */
const Granted = z
  .object({
    access_token: z.string().min(1),
    expires_in: z.coerce.number().positive().optional(),
    expires_on: z.coerce.number().positive().optional(),
  })
  .refine(({ expires_in, expires_on }) => expires_in !== undefined || expires_on !== undefined)
const Denied = z.object({ error: z.string() })

/** Tokens of the managed identity that this process runs with, for one resource. Nothing is stored anywhere. */
export function managedIdentity(options: ManagedIdentityOptions, cross: Cross, nowEpochMs: () => number): TokenSource {
  const store = createTokenStore(2, nowEpochMs)
  return { token: (trip) => store.get(options.scope, () => request(options, cross, detached(trip), nowEpochMs)) }
}

async function request(
  { place, form, scope, clientId }: ManagedIdentityOptions,
  cross: Cross,
  trip: Trip,
  nowEpochMs: () => number,
): Promise<IssuedToken> {
  const query = new URLSearchParams({
    'api-version': form.kind === 'imds' ? IMDS_VERSION : APP_VERSION,
    resource: scope.replace(/\/\.default$/, ''),
    ...(clientId === undefined ? {} : { client_id: clientId }),
  })
  const path = form.kind === 'imds' ? '/metadata/identity/oauth2/token' : ''
  const answer = await askIssuer(cross, trip, 'managed-identity', {
    to: place,
    url: `${form.endpoint}${path}?${query.toString()}`,
    headers: form.kind === 'imds' ? { metadata: 'true' } : { 'x-identity-header': form.header.reveal() },
  })
  if (answer.status !== 200) throw refused(answer.status, answer.json(), scope)
  const granted = Granted.safeParse(answer.json())
  if (!granted.success) throw new CredentialFault('managed-identity', 'answered something that is no token')
  const { access_token, expires_in, expires_on } = granted.data
  const expiresAtEpochMs = expires_in === undefined ? (expires_on ?? 0) * 1000 : nowEpochMs() + expires_in * 1000
  return { secret: new Secret(access_token), expiresAtEpochMs }
}

function refused(status: number, body: unknown, scope: string): CredentialFault {
  const denied = Denied.safeParse(body)
  if (!denied.success || isNoVerdict(status)) return new CredentialFault('managed-identity', `answered ${status}`)
  const code = codeOnly(denied.data.error)
  return code === 'invalid_resource'
    ? new CredentialFault(
        'managed-identity',
        `refused \`${scope}\` (${code}): register an application with this id URI and give the identity a role of it`,
        { reason: 'audience' },
      )
    : new CredentialFault(
        'managed-identity',
        `refused (${code}, ${status}): assign a managed identity to this machine, and name its client id if it is a user-assigned one`,
        { reason: 'identity' },
      )
}
