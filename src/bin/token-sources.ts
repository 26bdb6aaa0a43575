import { hash } from 'node:crypto'
import type { Cross, SecretValue, SessionSource, TokenSource } from '#contract/crossing.ts'
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
  /** Sources of the configuration before. They use its border and digests, which have to be the same. */
  readonly last?: SourcePool | undefined
}

/** Sources by everything that they were made from, so that an unchanged one keeps its tokens through a reload. */
export interface SourcePool {
  readonly tokens: ReadonlyMap<string, TokenSource>
  readonly sessions: ReadonlyMap<string, SessionSource>
}

/** The sources one by one, so that a chain can be walked step by step. */
export interface KeylessSources extends TokenSources {
  readonly identity: (config: IdentityConfig, secret: SecretValue, path: string) => TokenSource
  readonly federated: (config: GoogleConfig, at: CredentialPlace) => TokenSource
  /** Those that were asked for so far. */
  readonly pool: SourcePool
}

type GoogleConfig = Extract<BearerConfig, { kind: 'google-id-token' | 'google-access-token' }>
type EntraIssuer = Extract<Config['identity']['issuers'][number], { kind: 'entra' }>

/** What all makers of sources share. */
interface Making extends TokenSourceOptions {
  readonly config: Config
  readonly tokens: Shared<TokenSource>
  readonly sessions: Shared<SessionSource>
}

/**
 * Makes what asks for tokens, for the credentials of a configuration. Equal identities and equal federations are one
 * source, however many targets use them: one token is held and renewed for all.
 */
export function tokenSourcesOf(config: Config, options: TokenSourceOptions): KeylessSources {
  const tokens = new Shared(options.last?.tokens)
  const sessions = new Shared(options.last?.sessions)
  const making: Making = { ...options, config, tokens, sessions }
  return {
    identity: (wanted, secret, path) => identitySource(making, wanted, secret, path),
    federated: (wanted, at) => federatedSource(making, wanted, at),
    bearer: (wanted, at) => bearerSource(making, wanted, at),
    session: (wanted, at) => sessionSource(making, wanted, at),
    pool: { tokens: tokens.made, sessions: sessions.made },
  }
}

/** One source for equal keys, taken from those of before where they have it. */
class Shared<Source> {
  readonly made = new Map<string, Source>()
  readonly #last: ReadonlyMap<string, Source>

  constructor(last: ReadonlyMap<string, Source> = new Map()) {
    this.#last = last
  }

  get(key: unknown, make: () => Source): Source {
    const name = hash('sha256', JSON.stringify(key))
    const source = this.made.get(name) ?? this.#last.get(name) ?? make()
    this.made.set(name, source)
    return source
  }
}

/** Stands in where a problem has been noted, so that all of them are found at once. */
const NOBODY: TokenSource = { token: () => new Secret('') }

function issuerNamed({ config, problems }: Making, name: string, path: string): EntraIssuer | undefined {
  const issuer = config.identity.issuers.find(
    (candidate): candidate is EntraIssuer => candidate.kind === 'entra' && candidate.name === name,
  )
  if (issuer === undefined)
    problems.push({ path: `${path}.issuer`, line: 0, message: `there is no Entra issuer \`${name}\`` })
  return issuer
}

/** What one issuer and one secret make different. Hashed before it is kept. */
function keyOf(issuer: EntraIssuer | undefined, secret: SecretValue): unknown {
  return issuer === undefined ? [] : [issuer.name, issuer.authority, issuer.region, issuer.tenants, secret.reveal()]
}

function identityKey(making: Making, wanted: IdentityConfig, secret: SecretValue): unknown {
  const { config } = making
  if (wanted.kind === 'entra-managed-identity') return [wanted, config.place]
  const issuer = config.identity.issuers.find(({ name }) => name === wanted.issuer)
  return [wanted, issuer?.kind === 'entra' ? keyOf(issuer, secret) : []]
}

function identitySource(making: Making, wanted: IdentityConfig, secret: SecretValue, path: string): TokenSource {
  const { config, cross, environment, tokens } = making
  return tokens.get(['identity', identityKey(making, wanted, secret)], () => {
    if (wanted.kind === 'entra-managed-identity')
      return managedIdentity(managedIdentityOf(wanted, config, environment), cross, Date.now)
    const issuer = issuerNamed(making, wanted.issuer, path)
    if (issuer === undefined) return NOBODY
    const tenant = wanted.tenant ?? issuer.tenants[0] ?? ''
    const { clientId, scope } = wanted
    if (wanted.kind === 'entra-client')
      return clientCredentials({ app: appOf(issuer, clientId, secret), tenant, scope }, cross, Date.now)
    const tokenFile = tokenFileOf(wanted, path, making)
    const { authority, region } = issuer
    return workloadIdentity({ authority, region, clientId, tenant, scope, tokenFile }, cross, Date.now)
  })
}

function federatedSource(making: Making, wanted: GoogleConfig, { path, secret }: CredentialPlace): TokenSource {
  const { provider, stsEndpoint: endpoint, identity } = wanted
  const key = ['google', provider, endpoint, identityKey(making, identity, secret)]
  return making.tokens.get(key, () =>
    googleFederation(
      { provider, endpoint },
      identitySource(making, identity, secret, `${path}.identity`),
      making.cross,
      Date.now,
    ),
  )
}

function bearerSource(making: Making, wanted: BearerConfig, at: CredentialPlace): TokenSource {
  const { cross, tokens } = making
  if (wanted.kind === 'google-id-token' || wanted.kind === 'google-access-token') {
    const federated = federatedSource(making, wanted, at)
    const audience = wanted.kind === 'google-id-token' ? audienceOf(wanted, at.target) : ''
    const key = [wanted, audience, identityKey(making, wanted.identity, at.secret)]
    return tokens.get(key, () => googleSource(wanted, federated, audience, cross))
  }
  if (wanted.kind !== 'entra-obo') return identitySource(making, wanted, at.secret, at.path)
  const issuer = issuerNamed(making, wanted.issuer, at.path)
  if (issuer === undefined) return NOBODY
  return tokens.get([wanted, keyOf(issuer, at.secret)], () => {
    const app = appOf(issuer, wanted.clientId, at.secret)
    return onBehalfOf({ app, issuer: issuer.name, scope: wanted.scope }, cross, Date.now)
  })
}

function sessionSource(making: Making, wanted: AwsWebIdentityConfig, at: CredentialPlace): SessionSource {
  const options = awsOptionsOf(wanted, at, making.digest ?? (() => ''))
  const identity = identitySource(making, wanted.identity, at.secret, `${at.path}.identity`)
  const key = [options, identityKey(making, wanted.identity, at.secret)]
  return making.sessions.get(key, () => awsWebIdentity(options, identity, making.cross, Date.now))
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

function googleSource(wanted: GoogleConfig, federated: TokenSource, audience: string, cross: Cross): TokenSource {
  const { serviceAccount, iamEndpoint: endpoint } = wanted
  if (serviceAccount === undefined) return federated
  return wanted.kind === 'google-access-token'
    ? googleAccessToken({ serviceAccount, endpoint }, federated, cross, Date.now)
    : googleIdToken({ serviceAccount, endpoint, audience }, federated, cross, Date.now)
}

/** `aud` of the ID token: as written, else the service that the target is. */
export function audienceOf(
  { audience }: { readonly audience?: string | undefined },
  target: { readonly endpoint: string } | undefined,
): string {
  return audience ?? (target === undefined ? '' : new URL(target.endpoint).origin)
}

/** Where a role is assumed, unless the configuration says otherwise: the STS of the region. */
function stsEndpoint({ endpoint, region }: AwsWebIdentityConfig): string {
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
