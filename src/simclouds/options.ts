import type { JWK } from 'jose'
import type { Place } from '#contract/place.ts'
import type { AwsSessions } from './aws-sessions.ts'
import type { ScalingOptions } from './cloud-run-front.ts'
import type { Fault } from './faults.ts'
import type { Pace } from './pace.ts'
import type { ServiceName } from './service.ts'
import type { EngineOptions } from './vllm-presets.ts'

/** Everything about the simulated clouds. Each field has a default, see `resolveOptions`. */
export interface SimCloudsOptions {
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string
  /** Ports by service. Default 0: any free one. */
  readonly ports?: Partial<Record<ServiceName, number>>
  /** Port of the switchboard. Default 0. */
  readonly switchboardPort?: number
  /** Where the callers sit. Default azure:eastus. */
  readonly from?: Place
  /** Where the services sit. Default: Entra, Graph and Content Safety azure:eastus, Bedrock and Anthropic aws:us-east-1, Cloud Run gcp:us-east4, Vertex gcp:us-east5. */
  readonly places?: Partial<Record<ServiceName, Place>>
  /** Factor on the table's round trip that each request is held. Default 1; 0 for none. */
  readonly latencyScale?: number
  /** Requests kept for each service. Default 200. */
  readonly logSize?: number
  readonly entra?: Partial<EntraOptions>
  readonly contentSafety?: Partial<ContentSafetyOptions>
  readonly bedrock?: Partial<BedrockOptions>
  readonly cloudRun?: Partial<CloudRunOptions>
  readonly logsIngestion?: Partial<LogsIngestionOptions>
  /** The buckets, and the key and region of SQS, Athena and Glue too. */
  readonly s3?: Partial<S3Options>
  readonly athena?: Partial<AthenaOptions>
  readonly language?: Partial<LanguageOptions>
  readonly managedIdentity?: Partial<ManagedIdentityOptions>
  readonly sts?: Partial<AwsStsOptions>
  readonly googleTokens?: Partial<GoogleTokensOptions>
  readonly anthropic?: Partial<AnthropicOptions>
  readonly vertex?: Partial<VertexOptions>
  /** Faults from the start. Default none. */
  readonly faults?: readonly Fault[]
}

export interface EntraOptions {
  /** Tenant ids. The first is the one that `mintToken` uses by default. */
  readonly tenants: readonly string[]
  /** Client id of the API that tokens are for: `aud` of a v2.0 token. */
  readonly audience: string
  /** App ID URI of that API: `aud` of a v1.0 token, and the scope's beginning. */
  readonly appIdUri: string
  /** Version of the tokens for that API, as its registration sets it. Default 2. */
  readonly tokenVersion: 1 | 2
  readonly clients: readonly EntraClient[]
  readonly users: readonly EntraUser[]
  /** Lifetime of a token in seconds. Default 3,600. */
  readonly tokenLifetimeS: number
  /** How long a key stays published after the next one has come, in milliseconds. Default an hour. */
  readonly oldKeyMs: number
  /** App ID URIs of applications that stand for other clouds: audiences of the tokens that are exchanged there. */
  readonly federation: readonly string[]
}

/** An application that may ask for tokens. */
export interface EntraClient {
  readonly clientId: string
  readonly secret: string
  /** Object id of its service principal. */
  readonly oid: string
  readonly roles: readonly string[]
  /** Security groups that it is in. Default none. */
  readonly groups?: readonly string[]
  /** Application permissions for Microsoft Graph. Default none. */
  readonly graphRoles?: readonly string[]
  /** A federated credential: whose tokens stand for its secret. Default none. */
  readonly federated?: { readonly issuer: string; readonly subject: string; readonly keys: readonly JWK[] }
}

/** A person that tokens can be minted for. */
export interface EntraUser {
  readonly name: string
  readonly preferredUsername: string
  readonly oid: string
  readonly roles: readonly string[]
  readonly groups: readonly string[]
  /** Space-separated. */
  readonly scopes: string
  /** Whether Entra wants them to sign in again before a token is exchanged on their behalf. Default false. */
  readonly needsInteraction?: boolean
}

export interface ContentSafetyOptions {
  /** The subscription key. */
  readonly key: string
  /** Blocklists by name. Default none. */
  readonly blocklists: Readonly<Record<string, readonly string[]>>
}

export interface BedrockOptions extends Pace {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  /** A Bedrock API key that is accepted as bearer; none by default. */
  readonly apiKey: string | undefined
  /** Models that exist; undefined, the default, for any. */
  readonly models: readonly string[] | undefined
  /** Sessions that are accepted beside the key; those of the simulated STS. */
  readonly sessions?: AwsSessions
}

export interface CloudRunOptions extends Pace {
  /** The bearer that the front of Cloud Run asks for; none by default. */
  readonly bearer: string | undefined
  /** Models served. */
  readonly models: readonly string[]
  /** Name of the model at `/v1/embeddings`. Default `simulated-embeddings`. */
  readonly embeddingModel: string
  /** Asks for a Google ID token for its own URL, of one of these service accounts; undefined, the default: it does not. */
  readonly idToken: { readonly invokers: readonly string[] } | undefined
  /** Scales to zero and back; undefined, the default: one instance that is always there. */
  readonly scaling: Partial<ScalingOptions> | undefined
  /** Answers come as vLLM's engine gets to them, with its prefix cache; undefined, the default: at the steady pace. */
  readonly engine: EngineOptions | undefined
  /** How many times faster the clock of `scaling` and `engine` runs. Default 1. The steady pace keeps the wall's. */
  readonly timeScale: number
}

export interface LogsIngestionOptions {
  /** Immutable id of the data collection rule that exists. */
  readonly ruleId: string
  /** Its streams, each with the columns that it declares. */
  readonly streams: Readonly<Record<string, readonly string[]>>
}

/** The managed identity of the machine that callers run on. */
export interface ManagedIdentityOptions {
  /** One of Entra's clients. */
  readonly clientId: string
  /** Whether the machine has it at all. Default true. */
  readonly isAssigned: boolean
  /** The header of the App Service form, at `/msi/token`. */
  readonly header: string
  /** Lifetime of its tokens in seconds. Default a day. */
  readonly lifetimeS: number
}

export interface AwsStsOptions {
  /** The OIDC provider of the account. `issuer` undefined: the simulated Entra's first tenant, v1.0. */
  readonly provider: { readonly issuer: string | undefined; readonly audiences: readonly string[] }
  readonly roles: readonly AwsRole[]
  /** Lifetime of a session in seconds, whatever was asked for; undefined: as asked. */
  readonly sessionLifetimeS: number | undefined
}

/** A role that trusts one subject with one audience. */
export interface AwsRole {
  readonly arn: string
  readonly audience: string
  readonly subject: string
  readonly maxSessionS: number
}

/** Workload identity federation of one project. */
export interface GoogleTokensOptions {
  /** From `projects/` on. */
  readonly provider: string
  /** Undefined: the simulated Entra's first tenant, v1.0. */
  readonly issuer: string | undefined
  readonly audiences: readonly string[]
  /** Subjects that the attribute condition lets through. */
  readonly subjects: readonly string[]
  /** Service accounts with the subjects that hold `roles/iam.workloadIdentityUser` on them. */
  readonly serviceAccounts: readonly { readonly email: string; readonly members: readonly string[] }[]
  /** Lifetime of an ID token in seconds. Default an hour. */
  readonly idTokenLifetimeS: number
}

export interface LanguageOptions {
  /** The subscription key. */
  readonly key: string
}

export interface AnthropicOptions extends Pace {
  readonly apiKey: string
  /** Models that exist; undefined, the default, for any. */
  readonly models: readonly string[] | undefined
  /** Flags of `anthropic-beta` that are known. */
  readonly betas: readonly string[]
}

export interface VertexOptions extends Pace {
  /** The OAuth access token that is accepted. */
  readonly token: string
  /** The project that the token is good for. */
  readonly project: string
  /** Models that exist; undefined, the default, for any. */
  readonly models: readonly string[] | undefined
  /** Flags of `anthropic-beta` that are known for Claude. */
  readonly betas: readonly string[]
}

export interface S3Options {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  /** The bucket that exists; Object Lock is on. */
  readonly bucket: string
  /** Whether entity tags are not the MD5 of anything, as with encryption by KMS. Default false. */
  readonly opaqueEtags?: boolean
  /** Sessions that are accepted beside the key; those of the simulated STS. */
  readonly sessions?: AwsSessions
}

export interface AthenaOptions {
  /** By name. Default: `primary`, with the bucket `simulated-athena-results`. */
  readonly workGroups: Readonly<Record<string, AthenaWorkGroup>>
  /** How long a query is queued, in milliseconds. Default 0. */
  readonly queueMs: number
  /** How long it then runs at least, in milliseconds. Default 0. */
  readonly runMs: number
  /** Queries that are queued or run at once; more are refused. Default 20. */
  readonly maxActiveQueries: number
}

export interface AthenaWorkGroup {
  /** Where results are written: `s3://bucket/prefix/`. Default: where the request says. */
  readonly outputLocation?: string
  /** Whether the location of the request does not count. Default false. */
  readonly isEnforced?: boolean
  /** A query that would scan more is cancelled. Default: no limit. */
  readonly bytesScannedCutoffPerQuery?: number
}

/** The bucket of Athena's results. */
export const ATHENA_BUCKET = 'simulated-athena-results'

/** One workgroup, and queries as fast as they are. */
export const ATHENA: AthenaOptions = {
  workGroups: { primary: { outputLocation: `s3://${ATHENA_BUCKET}/` } },
  queueMs: 0,
  runMs: 0,
  maxActiveQueries: 20,
}

/** Options with all defaults filled in. */
export interface SimCloudsSettings {
  readonly host: string
  readonly ports: Readonly<Record<ServiceName, number>>
  readonly switchboardPort: number
  readonly from: Place
  readonly places: Readonly<Record<ServiceName, Place>>
  readonly latencyScale: number
  readonly logSize: number
  readonly entra: EntraOptions
  readonly contentSafety: ContentSafetyOptions
  readonly bedrock: BedrockOptions
  readonly cloudRun: CloudRunOptions
  readonly logsIngestion: LogsIngestionOptions
  readonly s3: S3Options
  readonly athena: AthenaOptions
  readonly language: LanguageOptions
  readonly managedIdentity: ManagedIdentityOptions
  readonly sts: AwsStsOptions
  readonly googleTokens: GoogleTokensOptions
  readonly anthropic: AnthropicOptions
  readonly vertex: VertexOptions
  readonly faults: readonly Fault[]
}

const VIRGINIA_AZURE: Place = { cloud: 'azure', region: 'eastus' }
const API_CLIENT_ID = 'bbbbbbbb-0000-4000-8000-000000000002'

const IDENTITY_CLIENT_ID = 'ffffffff-0000-4000-8000-000000000006'
const IDENTITY_OID = 'eeeeeeee-0000-4000-8000-000000000005'
const AWS_AUDIENCE = 'api://aws-federation'
const GOOGLE_AUDIENCE = 'api://google-federation'

const ENTRA: EntraOptions = {
  tenants: ['11111111-2222-4333-8444-555555555555'],
  audience: API_CLIENT_ID,
  appIdUri: `api://${API_CLIENT_ID}`,
  tokenVersion: 2,
  clients: [
    {
      clientId: 'aaaaaaaa-0000-4000-8000-000000000001',
      secret: 'simulated-client-secret',
      oid: 'cccccccc-0000-4000-8000-000000000003',
      roles: ['Gateway.Invoke'],
    },
    {
      // The API itself: it exchanges callers' tokens, reads groups, and signs people in.
      clientId: API_CLIENT_ID,
      secret: 'simulated-gateway-secret',
      oid: 'cccccccc-0000-4000-8000-000000000005',
      roles: [],
      graphRoles: ['User.Read.All', 'GroupMember.Read.All', 'Application.Read.All'],
    },
    // The managed identity: no secret gets it a token.
    { clientId: IDENTITY_CLIENT_ID, secret: '', oid: IDENTITY_OID, roles: [] },
  ],
  users: [
    {
      name: 'Ada Example',
      preferredUsername: 'ada@contoso.example',
      oid: 'dddddddd-0000-4000-8000-000000000004',
      roles: ['Prompt.User'],
      groups: ['99999999-0000-4000-8000-000000000001'],
      scopes: 'Prompt.Submit',
    },
    ...(['admin', 'auditor', 'developer', 'viewer'] as const).map((role, at) => ({
      name: `${['Amal', 'Uma', 'Dev', 'Vera'][at]} Example`,
      preferredUsername: `${role}@contoso.example`,
      oid: `dddddddd-0000-4000-8000-00000000001${at}`,
      roles: [role],
      groups: [],
      scopes: 'Prompt.Submit',
    })),
  ],
  tokenLifetimeS: 3_600,
  oldKeyMs: 3_600_000,
  federation: [AWS_AUDIENCE, GOOGLE_AUDIENCE],
}

const STS: AwsStsOptions = {
  provider: { issuer: undefined, audiences: [AWS_AUDIENCE] },
  roles: [
    {
      arn: 'arn:aws:iam::123456789012:role/thinplane',
      audience: AWS_AUDIENCE,
      subject: IDENTITY_OID,
      maxSessionS: 3600,
    },
  ],
  sessionLifetimeS: undefined,
}

const GOOGLE_TOKENS: GoogleTokensOptions = {
  provider: 'projects/1234567890/locations/global/workloadIdentityPools/azure/providers/entra',
  issuer: undefined,
  audiences: [GOOGLE_AUDIENCE],
  subjects: [IDENTITY_OID],
  serviceAccounts: [{ email: 'thinplane@simulated.iam.gserviceaccount.com', members: [IDENTITY_OID] }],
  idTokenLifetimeS: 3600,
}

const LOGS_INGESTION: LogsIngestionOptions = {
  ruleId: `dcr-${'0'.repeat(31)}1`,
  streams: {
    'Custom-ThinplaneAudit': [
      'TimeGenerated',
      'EventId',
      'LogIndex',
      'LeafHash',
      'ClassUid',
      'ActorOid',
      'ActorTid',
      'Alias',
      'Target',
      'Outcome',
      'Code',
      'TraceUid',
      'Event',
    ],
  },
}

const ANTHROPIC: AnthropicOptions = {
  apiKey: 'simulated-anthropic-key',
  models: undefined,
  betas: ['context-1m-2025-08-07', 'interleaved-thinking-2025-05-14', 'context-management-2025-06-27'],
  firstTokenMs: 0,
  tokenMs: 0,
}

const VERTEX: VertexOptions = {
  token: 'simulated-vertex-token',
  project: 'simulated-project',
  models: undefined,
  betas: ['context-1m-2025-08-07', 'interleaved-thinking-2025-05-14'],
  firstTokenMs: 0,
  tokenMs: 0,
}

/** A service that is always there, talks as fast as it can and lets everybody in. */
export const CLOUD_RUN: CloudRunOptions = {
  bearer: undefined,
  models: ['simulated-llama'],
  embeddingModel: 'simulated-embeddings',
  idToken: undefined,
  scaling: undefined,
  engine: undefined,
  timeScale: 1,
  firstTokenMs: 0,
  tokenMs: 0,
}

/** Fills in the defaults. */
export function resolveOptions(options: SimCloudsOptions): SimCloudsSettings {
  return {
    host: options.host ?? '127.0.0.1',
    ports: {
      entra: 0,
      'content-safety': 0,
      bedrock: 0,
      'cloud-run': 0,
      graph: 0,
      'logs-ingestion': 0,
      s3: 0,
      language: 0,
      'managed-identity': 0,
      sts: 0,
      'google-tokens': 0,
      anthropic: 0,
      vertex: 0,
      sqs: 0,
      athena: 0,
      glue: 0,
      s3vectors: 0,
      opensearch: 0,
      ...options.ports,
    },
    switchboardPort: options.switchboardPort ?? 0,
    from: options.from ?? VIRGINIA_AZURE,
    places: {
      entra: VIRGINIA_AZURE,
      'content-safety': VIRGINIA_AZURE,
      bedrock: { cloud: 'aws', region: options.bedrock?.region ?? 'us-east-1' },
      'cloud-run': { cloud: 'gcp', region: 'us-east4' },
      graph: VIRGINIA_AZURE,
      'logs-ingestion': VIRGINIA_AZURE,
      s3: { cloud: 'aws', region: options.s3?.region ?? 'us-east-1' },
      language: VIRGINIA_AZURE,
      'managed-identity': options.from ?? VIRGINIA_AZURE,
      sts: { cloud: 'aws', region: options.bedrock?.region ?? 'us-east-1' },
      'google-tokens': { cloud: 'gcp', region: 'us-east4' },
      anthropic: { cloud: 'aws', region: 'us-east-1' },
      vertex: { cloud: 'gcp', region: 'us-east5' },
      sqs: { cloud: 'aws', region: options.s3?.region ?? 'us-east-1' },
      athena: { cloud: 'aws', region: options.s3?.region ?? 'us-east-1' },
      glue: { cloud: 'aws', region: options.s3?.region ?? 'us-east-1' },
      s3vectors: { cloud: 'aws', region: options.s3?.region ?? 'us-east-1' },
      opensearch: { cloud: 'aws', region: options.s3?.region ?? 'us-east-1' },
      ...options.places,
    },
    latencyScale: options.latencyScale ?? 1,
    logSize: options.logSize ?? 200,
    entra: { ...ENTRA, ...options.entra },
    contentSafety: { key: 'simulated-content-safety-key', blocklists: {}, ...options.contentSafety },
    bedrock: {
      accessKeyId: 'AKIASIMULATED0000000',
      secretAccessKey: 'simulated-secret-access-key',
      region: 'us-east-1',
      apiKey: undefined,
      models: undefined,
      firstTokenMs: 0,
      tokenMs: 0,
      ...options.bedrock,
    },
    language: { key: 'simulated-language-key', ...options.language },
    anthropic: { ...ANTHROPIC, ...options.anthropic },
    vertex: { ...VERTEX, ...options.vertex },
    logsIngestion: { ...LOGS_INGESTION, ...options.logsIngestion },
    s3: {
      accessKeyId: 'AKIASIMULATED0000000',
      secretAccessKey: 'simulated-secret-access-key',
      region: 'us-east-1',
      bucket: 'simulated-archive',
      ...options.s3,
    },
    athena: { ...ATHENA, ...options.athena },
    cloudRun: { ...CLOUD_RUN, ...options.cloudRun },
    managedIdentity: {
      clientId: IDENTITY_CLIENT_ID,
      isAssigned: true,
      header: 'simulated-identity-header',
      lifetimeS: 86_400,
      ...options.managedIdentity,
    },
    sts: { ...STS, ...options.sts },
    googleTokens: { ...GOOGLE_TOKENS, ...options.googleTokens },
    faults: options.faults ?? [],
  }
}
