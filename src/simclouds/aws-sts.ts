import { randomUUID } from 'node:crypto'
import type { Place } from '#contract/place.ts'
import { type AwsSession, type AwsSessions, readPolicy } from './aws-sessions.ts'
import type { Directory } from './entra-tokens.ts'
import { audiencesOf, federationIssuer, readFederatedToken } from './federated-token.ts'
import type { AwsStsOptions } from './options.ts'
import type { BodyReply, Service, SimRequest } from './service.ts'

const XMLNS = 'https://sts.amazonaws.com/doc/2011-06-15/'
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/
const MAX_POLICY = 2048

interface Deps {
  readonly options: AwsStsOptions
  readonly directory: Directory
  readonly sessions: AwsSessions
}

/** AWS Security Token Service, the query API: AssumeRoleWithWebIdentity. */
export function awsSts(place: Place, deps: Deps): Service {
  return {
    name: 'sts',
    place,
    reply: (request) => reply(request, deps),
    fail: (status, retryAfterS) => {
      const code = status === 429 ? 'Throttling' : status >= 500 ? 'InternalFailure' : 'AccessDenied'
      const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
      return failure(status, code, 'simulated fault', headers)
    },
    brokenPiece: () => Buffer.from('<AssumeRoleWithWebIdentityResponse'),
    streamError: () => [],
  }
}

async function reply(request: SimRequest, deps: Deps): Promise<BodyReply> {
  const form = new URLSearchParams(request.method === 'POST' ? request.text : request.rawQuery)
  if (form.get('Action') !== 'AssumeRoleWithWebIdentity' || form.get('Version') !== '2011-06-15')
    return failure(400, 'InvalidAction', `Could not find operation ${form.get('Action') ?? ''}`)
  const wrong = invalidForm(form)
  if (wrong !== undefined) return failure(400, 'ValidationError', wrong)
  const policyText = form.get('Policy')
  const policy = policyText === null ? undefined : readPolicy(policyText)
  if (policyText !== null && policy === undefined)
    return failure(400, 'MalformedPolicyDocument', 'The policy is not in a valid JSON format')
  return assume(form, deps, policy)
}

async function assume(
  form: URLSearchParams,
  { options, directory, sessions }: Deps,
  policy: ReturnType<typeof readPolicy>,
): Promise<BodyReply> {
  const issuer = options.provider.issuer ?? federationIssuer(directory)
  const { problem, claims } = await readFederatedToken(directory, form.get('WebIdentityToken') ?? '', issuer)
  if (problem === 'issuer')
    return invalidToken(`No OpenIDConnect provider found in your account for ${String(claims.iss)}`)
  if (problem === 'expired') return failure(400, 'ExpiredTokenException', 'Token expired')
  if (problem !== undefined)
    return invalidToken(
      'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
    )
  const [audience = ''] = audiencesOf(claims)
  if (!options.provider.audiences.includes(audience)) return invalidToken('Incorrect token audience')
  const role = options.roles.find(({ arn }) => arn === form.get('RoleArn'))
  if (role === undefined || role.audience !== audience || role.subject !== claims.sub)
    return failure(403, 'AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity')
  const seconds = Number(form.get('DurationSeconds') ?? 3600)
  if (seconds > role.maxSessionS)
    return failure(
      400,
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    )
  const session = sessions.issue(options.sessionLifetimeS ?? seconds, policy)
  return success(session, {
    audience,
    subject: claims.sub,
    role: role.arn,
    name: form.get('RoleSessionName') ?? '',
    issuer: issuer.replace(/^https?:\/\//, ''),
  })
}

function invalidForm(form: URLSearchParams): string | undefined {
  const missing = ['RoleArn', 'RoleSessionName', 'WebIdentityToken'].find((name) => !form.has(name))
  if (missing !== undefined) return `The request must contain the parameter ${missing}.`
  if (!SESSION_NAME.test(form.get('RoleSessionName') ?? '')) return "1 validation error detected: 'roleSessionName'"
  const seconds = Number(form.get('DurationSeconds') ?? 3600)
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > 43_200)
    return "1 validation error detected: 'durationSeconds'"
  return (form.get('Policy') ?? '').length > MAX_POLICY ? "1 validation error detected: 'policy'" : undefined
}

interface Facts {
  readonly audience: string
  readonly subject: string | undefined
  readonly role: string
  readonly name: string
  readonly issuer: string
}

function success(session: AwsSession, { audience, subject, role, name, issuer }: Facts): BodyReply {
  const [, , , , account = '', path = ''] = role.split(':')
  const assumed = `arn:aws:sts::${account}:assumed-${path}/${name}`
  const expiration = new Date(session.expiresAtEpochMs).toISOString().replace(/\.\d+Z$/, 'Z')
  const result =
    `<Audience>${escaped(audience)}</Audience>` +
    `<AssumedRoleUser><AssumedRoleId>AROASIMULATED:${escaped(name)}</AssumedRoleId><Arn>${escaped(assumed)}</Arn></AssumedRoleUser>` +
    `<Provider>arn:aws:iam::${account}:oidc-provider/${escaped(issuer)}</Provider>` +
    `<Credentials><AccessKeyId>${session.accessKeyId}</AccessKeyId><SecretAccessKey>${session.secretAccessKey}</SecretAccessKey><SessionToken>${session.sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials>` +
    `<SubjectFromWebIdentityToken>${escaped(subject ?? '')}</SubjectFromWebIdentityToken>`
  return xml(
    200,
    `<AssumeRoleWithWebIdentityResponse xmlns="${XMLNS}"><AssumeRoleWithWebIdentityResult>${result}</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>`,
  )
}

function invalidToken(message: string): BodyReply {
  return failure(400, 'InvalidIdentityToken', message)
}

function failure(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): BodyReply {
  const type = status >= 500 ? 'Receiver' : 'Sender'
  const answer = xml(
    status,
    `<ErrorResponse xmlns="${XMLNS}"><Error><Type>${type}</Type><Code>${code}</Code><Message>${escaped(message)}</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`,
  )
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

function xml(status: number, body: string): BodyReply {
  return { status, headers: { 'content-type': 'text/xml' }, body }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
