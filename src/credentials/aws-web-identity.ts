import {
  type AwsSession,
  type Cross,
  type SessionSource,
  type TokenSource,
  type Trip,
  detached,
} from '#contract/crossing.ts'
import { Secret } from '#kit/secret.ts'
import { askIssuer, codeOnly, isNoVerdict } from './ask-issuer.ts'
import { CredentialFault, type Reason } from './credential-fault.ts'
import { type IssuedToken, createTokenStore } from './token-store.ts'

export interface AwsWebIdentityOptions {
  readonly roleArn: string
  /** Region that the calls are signed for; its STS is asked. */
  readonly region: string
  /** Base URL of STS. */
  readonly endpoint: string
  /** Beginning of the session's name, which CloudTrail shows. 2 to 31 of `A-Za-z0-9_=,.@-`. */
  readonly sessionName: string
  /** 900 to 43,200, at most what the role allows. */
  readonly sessionSeconds: number
  /** One session for the target, for each tenant, or for each caller. */
  readonly scope: 'target' | 'tenant' | 'caller'
  /** Name of the target; empty where the credential is for something else. */
  readonly target: string
  /** What the session may do at most, as an IAM policy; undefined: what the role may. */
  readonly policy: string | undefined
  /** Keyed digest (hex) of a text of a tenant: stands in a session's name for whom it is. */
  readonly digest: (tenant: string, text: string) => string
}

const API_VERSION = '2011-06-15'
/** Longest RoleSessionName (AWS STS API reference, AssumeRoleWithWebIdentity). */
const MAX_NAME = 64
const DIGEST_DIGITS = 32
/** Sessions that are held: about 2 KB each. */
const MAX_SESSIONS = 2000

/** Exchanges an Azure token for keys of a session of an IAM role (AssumeRoleWithWebIdentity). */
export function awsWebIdentity(
  options: AwsWebIdentityOptions,
  identity: TokenSource,
  cross: Cross,
  nowEpochMs: () => number,
): SessionSource {
  const store = createTokenStore<AwsSession>(options.scope === 'target' ? 2 : MAX_SESSIONS, nowEpochMs)
  return {
    session: (trip) => {
      const name = sessionName(options, trip)
      return store.get(name, () => assumeRole(options, name, identity, { cross, trip: detached(trip) }))
    },
  }
}

/** Names nobody: a target's name, or a digest that only the holder of the tenant's key can match to somebody. */
function sessionName({ sessionName: head, scope, target, digest }: AwsWebIdentityOptions, { asker }: Trip): string {
  if (scope === 'target' || asker === undefined) return (target === '' ? head : `${head}-${target}`).slice(0, MAX_NAME)
  const whom = scope === 'tenant' ? 'aws-session' : `aws-session ${asker.id}`
  return `${head}-${digest(asker.tenant, whom).slice(0, DIGEST_DIGITS)}`
}

async function assumeRole(
  { roleArn, region, endpoint, sessionSeconds, policy }: AwsWebIdentityOptions,
  name: string,
  identity: TokenSource,
  { cross, trip }: { readonly cross: Cross; readonly trip: Trip },
): Promise<IssuedToken<AwsSession>> {
  const token = await identity.token(trip)
  const { status, text } = await askIssuer(cross, trip, 'aws-sts', {
    to: { cloud: 'aws', region },
    url: `${endpoint}/`,
    headers: { accept: 'text/xml' },
    form: {
      Action: 'AssumeRoleWithWebIdentity',
      Version: API_VERSION,
      RoleArn: roleArn,
      RoleSessionName: name,
      WebIdentityToken: token.reveal(),
      DurationSeconds: String(sessionSeconds),
      ...(policy === undefined ? {} : { Policy: policy }),
    },
  })
  if (status !== 200) throw refused(status, text, roleArn)
  const [accessKeyId, secretAccessKey, sessionToken, expiration] = [
    'AccessKeyId',
    'SecretAccessKey',
    'SessionToken',
    'Expiration',
  ].map((tag) => valueOf(text, tag))
  const expiresAtEpochMs = Date.parse(expiration ?? '')
  if (!accessKeyId || !secretAccessKey || !sessionToken || Number.isNaN(expiresAtEpochMs))
    throw new CredentialFault('aws-sts', 'answered something that is no session')
  const secret = {
    accessKeyId: new Secret(accessKeyId),
    secretAccessKey: new Secret(secretAccessKey),
    sessionToken: new Secret(sessionToken),
  }
  return { secret, expiresAtEpochMs }
}

/** The few values wanted hold no markup, so that no reader of XML is needed. */
function valueOf(xml: string, tag: string): string | undefined {
  return new RegExp(`<${tag}>([^<&]*)</${tag}>`).exec(xml)?.[1]
}

function refused(status: number, xml: string, roleArn: string): CredentialFault {
  const code = codeOnly(valueOf(xml, 'Code') ?? '').replace(/Exception$/, '')
  if (code === '' || isNoVerdict(status)) return new CredentialFault('aws-sts', `answered ${status}`)
  // Messages are matched and not repeated: they may quote what was sent.
  const [reason, mend] = verdictOf(code, /<Message>([\s\S]*?)<\/Message>/.exec(xml)?.[1] ?? '', roleArn)
  return new CredentialFault('aws-sts', `refused the exchange (${code}): ${mend}`, { reason })
}

function verdictOf(code: string, message: string, roleArn: string): readonly [reason: Reason, mend: string] {
  switch (code) {
    case 'InvalidIdentityToken':
      if (/audience/i.test(message))
        return ['audience', "add the token's `aud` to the client ids of the OIDC provider in IAM"]
      return /provider/i.test(message)
        ? ['provider', "create an OIDC provider in IAM whose URL is the token's `iss`"]
        : ['token', 'the token is not genuine to the OIDC provider, compare its URL with the `iss` of the token']
    case 'ExpiredToken':
      return ['token', 'the Azure token has expired, compare the clocks']
    case 'AccessDenied':
    case 'IDPRejectedClaim':
      return ['trust', `let the trust policy of \`${roleArn}\` accept this provider, \`aud\` and \`sub\``]
    case 'IDPCommunicationError':
      return ['none', 'AWS could not read the keys of the issuer, try again']
    case 'PackedPolicyTooLarge':
    case 'MalformedPolicyDocument':
      return ['request', 'the session policy is refused, look at `model` of the target']
    case 'RegionDisabled':
      return ['request', 'STS is not active in this region for the account, activate it there']
    default:
      return ['request', 'look at `roleArn` and at `sessionSeconds`, which the role limits']
  }
}
