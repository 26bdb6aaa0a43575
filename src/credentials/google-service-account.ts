import { z } from 'zod'
import { type Cross, type TokenSource, type Trip, detached } from '#contract/crossing.ts'
import { Secret } from '#kit/secret.ts'
import { askIssuer, codeOnly, isNoVerdict } from './ask-issuer.ts'
import { CredentialFault, type Reason } from './credential-fault.ts'
import { CLOUD_PLATFORM, GOOGLE } from './google-federation.ts'
import { type IssuedToken, createTokenStore } from './token-store.ts'

export interface ServiceAccountOptions {
  /** `thinplane@PROJECT.iam.gserviceaccount.com`. */
  readonly serviceAccount: string
  /** Base URL of the IAM Service Account Credentials API. */
  readonly endpoint: string
}

export interface IdTokenOptions extends ServiceAccountOptions {
  /** URL of the Cloud Run service, without a path: `aud` of the token. */
  readonly audience: string
}

/** Lifetime that is asked for, the most that is allowed without an organisation policy. */
const ACCESS_TOKEN_LIFETIME = '3600s'

const AccessToken = z.object({ accessToken: z.string().min(1), expireTime: z.iso.datetime({ offset: true }) })
const IdToken = z.object({ token: z.string().regex(/^[^.]+\.[^.]+\.[^.]+$/) })
const Claims = z.object({ exp: z.number().positive() })
const Denied = z.object({ error: z.object({ status: z.string().default(''), message: z.string().default('') }) })

type Ask = (trip: Trip) => Promise<IssuedToken>

/** Access tokens of a service account, for Google's own APIs (Vertex AI). `federated` gives the token to ask with. */
export function googleAccessToken(
  options: ServiceAccountOptions,
  federated: TokenSource,
  cross: Cross,
  nowEpochMs: () => number,
): TokenSource {
  return held(nowEpochMs, async (trip) => {
    const body = { scope: [CLOUD_PLATFORM], lifetime: ACCESS_TOKEN_LIFETIME }
    const granted = AccessToken.safeParse(await call(options, 'generateAccessToken', body, { federated, cross, trip }))
    if (!granted.success) throw new CredentialFault('google-iam', 'answered something that is no token')
    const { accessToken, expireTime } = granted.data
    return { secret: new Secret(accessToken), expiresAtEpochMs: Date.parse(expireTime) }
  })
}

/** ID tokens of a service account, for one Cloud Run service. */
export function googleIdToken(
  options: IdTokenOptions,
  federated: TokenSource,
  cross: Cross,
  nowEpochMs: () => number,
): TokenSource {
  return held(nowEpochMs, async (trip) => {
    const body = { audience: options.audience, includeEmail: true }
    const granted = IdToken.safeParse(await call(options, 'generateIdToken', body, { federated, cross, trip }))
    const expiresAtEpochMs = granted.success ? expiryOf(granted.data.token) : undefined
    if (!granted.success || expiresAtEpochMs === undefined)
      throw new CredentialFault('google-iam', 'answered something that is no token')
    return { secret: new Secret(granted.data.token), expiresAtEpochMs }
  })
}

function held(nowEpochMs: () => number, ask: Ask): TokenSource {
  const store = createTokenStore(2, nowEpochMs)
  return { token: (trip) => store.get('token', () => ask(detached(trip))) }
}

/** The answer says nothing of the end of an ID token: only its own `exp` does. */
function expiryOf(token: string): number | undefined {
  try {
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')
    const claims = Claims.safeParse(JSON.parse(payload))
    return claims.success ? claims.data.exp * 1000 : undefined
  } catch {
    return undefined
  }
}

async function call(
  { serviceAccount, endpoint }: ServiceAccountOptions,
  method: 'generateAccessToken' | 'generateIdToken',
  json: unknown,
  { federated, cross, trip }: { readonly federated: TokenSource; readonly cross: Cross; readonly trip: Trip },
): Promise<unknown> {
  const answer = await askIssuer(cross, trip, 'google-iam', {
    to: GOOGLE,
    url: `${endpoint}/v1/projects/-/serviceAccounts/${serviceAccount}:${method}`,
    json,
    bearer: await federated.token(trip),
  })
  if (answer.status !== 200) throw refused(answer.status, answer.json(), serviceAccount)
  return answer.json()
}

function refused(status: number, body: unknown, serviceAccount: string): CredentialFault {
  const denied = Denied.safeParse(body)
  if (!denied.success || isNoVerdict(status)) return new CredentialFault('google-iam', `answered ${status}`)
  const [reason, mend] = verdictOf(status, denied.data.error.message, serviceAccount)
  return new CredentialFault(
    'google-iam',
    `refused the token (${codeOnly(denied.data.error.status)}, ${status}): ${mend}`,
    { reason },
  )
}

function verdictOf(status: number, message: string, account: string): readonly [reason: Reason, mend: string] {
  if (status === 401) return ['token', 'it does not accept the federated token, compare the clocks']
  if (status === 403 && /has not been used|is disabled/i.test(message))
    return ['request', 'enable the IAM Service Account Credentials API in the project']
  return status === 403 || status === 404
    ? ['binding', `grant this identity the role \`roles/iam.workloadIdentityUser\` on \`${account}\`, if it exists`]
    : ['request', `look at \`serviceAccount\` and \`audience\``]
}
