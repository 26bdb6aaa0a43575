import type { Cross, SecretValue, TokenSource } from '#contract/crossing.ts'
import type { Problem } from '#config/load.ts'
import type { Config, IdentityConfig } from '#config/schema.ts'
import type { AwsWebIdentityConfig, BearerConfig, CredentialPlace, TokenSources } from '#config/secrets.ts'
import { awsWebIdentity } from '#credentials/aws-web-identity.ts'
import { bedrockSessionPolicy } from '#credentials/bedrock-session-policy.ts'
import { clientCredentials } from '#credentials/client-credentials.ts'
import { googleFederation } from '#credentials/google-federation.ts'
import { googleAccessToken, googleIdToken } from '#credentials/google-service-account.ts'
import { IMDS_ENDPOINT, type ManagedIdentityOptions, managedIdentity } from '#credentials/managed-identity.ts'
import { onBehalfOf } from '#credentials/on-behalf-of.ts'
import { workloadIdentity } from '#credentials/workload-identity.ts'
import { Secret } from '#kit/secret.ts'
import { appOf } from './identity-world.ts'

export interface TokenSourceOptions {
  readonly cross: Cross
  readonly environment: Readonly<Record<string, string | undefined>>
  /** A path of the configuration as an absolute one. */
  readonly resolve: (path: string) => string
  readonly problems: Problem[]
  /** Keyed digest of a text of a tenant, for names of sessions. Default: of nobody, for callers that serve no requests. */
  readonly digest?: (tenant: string, text: string) => string
}

/** The sources one by one, so that a chain can be walked step by step. */
export interface KeylessSources extends TokenSources {
  readonly identity: (config: IdentityConfig, secret: SecretValue, path: string) => TokenSource
  readonly federated: (config: GoogleConfig, at: CredentialPlace) => TokenSource
}

type GoogleConfig = Extract<BearerConfig, { kind: 'google-id-token' | 'google-access-token' }>
type EntraIssuer = Extract<Config['identity']['issuers'][number], { kind: 'entra' }>

/**
 * Makes what asks for tokens, for the credentials of a configuration. Equal identities and equal federations are one
 * source, however many targets use them: one token is held and renewed for all.
 */
export function tokenSourcesOf(config: Config, options: TokenSourceOptions): KeylessSources {
  const { cross, environment, problems, digest = () => '' } = options
  const shared = sharedSources()
  const entraIssuer = (name: string, path: string): EntraIssuer | undefined => {
    const issuer = config.identity.issuers.find(
      (candidate): candidate is EntraIssuer => candidate.kind === 'entra' && candidate.name === name,
    )
    if (issuer === undefined)
      problems.push({ path: `${path}.issuer`, line: 0, message: `there is no Entra issuer \`${name}\`` })
    return issuer
  }
  const identity: KeylessSources['identity'] = (wanted, secret, path) =>
    shared(['identity', wanted], () => {
      if (wanted.kind === 'entra-managed-identity')
        return managedIdentity(managedIdentityOf(wanted, config, environment), cross, Date.now)
      const issuer = entraIssuer(wanted.issuer, path)
      if (issuer === undefined) return NOBODY
      const tenant = wanted.tenant ?? issuer.tenants[0] ?? ''
      const { clientId, scope } = wanted
      if (wanted.kind === 'entra-client')
        return clientCredentials({ app: appOf(issuer, clientId, secret), tenant, scope }, cross, Date.now)
      const tokenFile = tokenFileOf(wanted, path, options)
      const { authority, region } = issuer
      return workloadIdentity({ authority, region, clientId, tenant, scope, tokenFile }, cross, Date.now)
    })
  const federated: KeylessSources['federated'] = (wanted, { path, secret }) =>
    shared(['google', wanted.provider, wanted.stsEndpoint, wanted.identity], () =>
      googleFederation(
        { provider: wanted.provider, endpoint: wanted.stsEndpoint },
        identity(wanted.identity, secret, `${path}.identity`),
        cross,
        Date.now,
      ),
    )
  const bearer: TokenSources['bearer'] = (wanted, at) => {
    if (wanted.kind === 'google-id-token' || wanted.kind === 'google-access-token')
      return googleSource(wanted, federated(wanted, at), at, cross)
    if (wanted.kind !== 'entra-obo') return identity(wanted, at.secret, at.path)
    const issuer = entraIssuer(wanted.issuer, at.path)
    if (issuer === undefined) return NOBODY
    const app = appOf(issuer, wanted.clientId, at.secret)
    return onBehalfOf({ app, issuer: issuer.name, scope: wanted.scope }, cross, Date.now)
  }
  const session: TokenSources['session'] = (wanted, at) =>
    awsWebIdentity(
      awsOptionsOf(wanted, at, digest),
      identity(wanted.identity, at.secret, `${at.path}.identity`),
      cross,
      Date.now,
    )
  return { identity, federated, bearer, session }
}

/** Stands in where a problem has been noted, so that all of them are found at once. */
const NOBODY: TokenSource = { token: () => new Secret('') }

function sharedSources(): (key: unknown, make: () => TokenSource) => TokenSource {
  const sources = new Map<string, TokenSource>()
  return (key, make) => {
    const name = JSON.stringify(key)
    const source = sources.get(name) ?? make()
    sources.set(name, source)
    return source
  }
}

function managedIdentityOf(
  { scope, clientId, endpoint }: Extract<IdentityConfig, { kind: 'entra-managed-identity' }>,
  { place }: Config,
  environment: TokenSourceOptions['environment'],
): ManagedIdentityOptions {
  const { IDENTITY_ENDPOINT: own, IDENTITY_HEADER: header } = environment
  const isApp = own !== undefined && header !== undefined
  return {
    place,
    scope,
    clientId,
    form: isApp
      ? { kind: 'app', endpoint: (endpoint ?? own).replace(/\/$/, ''), header: new Secret(header) }
      : { kind: 'imds', endpoint: endpoint ?? IMDS_ENDPOINT },
  }
}

function tokenFileOf(
  { tokenFile }: { readonly tokenFile?: string | undefined },
  path: string,
  { environment, resolve, problems }: TokenSourceOptions,
): string {
  if (tokenFile !== undefined) return resolve(tokenFile)
  const named = environment['AZURE_FEDERATED_TOKEN_FILE']
  if (named !== undefined && named !== '') return named
  const message = 'no token file: write its path, or let the platform set `AZURE_FEDERATED_TOKEN_FILE`'
  problems.push({ path: `${path}.tokenFile`, line: 0, message })
  return ''
}

function googleSource(
  wanted: GoogleConfig,
  federated: TokenSource,
  { target }: CredentialPlace,
  cross: Cross,
): TokenSource {
  const { serviceAccount, iamEndpoint: endpoint } = wanted
  if (serviceAccount === undefined) return federated
  if (wanted.kind === 'google-access-token')
    return googleAccessToken({ serviceAccount, endpoint }, federated, cross, Date.now)
  return googleIdToken({ serviceAccount, endpoint, audience: audienceOf(wanted, target) }, federated, cross, Date.now)
}

/** `aud` of the ID token: as written, else the service that the target is. */
export function audienceOf(
  { audience }: { readonly audience?: string | undefined },
  target: { readonly endpoint: string } | undefined,
): string {
  return audience ?? (target === undefined ? '' : new URL(target.endpoint).origin)
}

/** Where a role is assumed, unless the configuration says otherwise: the STS of the region. */
export function stsEndpoint({ endpoint, region }: AwsWebIdentityConfig): string {
  return endpoint ?? `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
}

function awsOptionsOf(
  wanted: AwsWebIdentityConfig,
  { target }: CredentialPlace,
  digest: (tenant: string, text: string) => string,
): Parameters<typeof awsWebIdentity>[0] {
  const { roleArn, region, sessionName, sessionSeconds, sessionScope: scope } = wanted
  return {
    roleArn,
    region,
    sessionName,
    sessionSeconds,
    scope,
    endpoint: stsEndpoint(wanted),
    target: target?.name ?? '',
    policy: target?.provider === 'bedrock' ? bedrockSessionPolicy(target.model, roleArn) : undefined,
    digest,
  }
}
