import { z } from 'zod'
import { POLICY_PACKS } from '#contract/policy-pack.ts'
import { dataPlane, factName } from './data-plane.ts'
import { logName, ms, name, place, secret, tags, url, vkey } from './fields.ts'

/*
 * The configuration file, and the only source of its reference: docs/reference/config.md and the JSON Schema for
 * editors are generated from here. Every field says what it is, its unit and its default.
 */

const entraApp = {
  issuer: name.describe('Name of the Entra issuer in `identity.issuers` whose login host and tenants are used.'),
  scope: z.string().min(1).describe('What the token is for, such as `https://cognitiveservices.azure.com/.default`.'),
  clientId: z.string().min(1).describe('Client id of the application that asks.'),
  secret,
}

const tokenScope = entraApp.scope
const tenant = z
  .guid()
  .toLowerCase()
  .optional()
  .describe('Directory that issues the token. Default: the first tenant of the issuer.')

const entraClient = z
  .strictObject({ kind: z.literal('entra-client'), ...entraApp, tenant })
  .describe('A token of this application itself (client credentials).')

const entraManagedIdentity = z
  .strictObject({
    kind: z.literal('entra-managed-identity'),
    scope: tokenScope,
    clientId: z
      .guid()
      .toLowerCase()
      .optional()
      .describe('Client id of a user-assigned identity. Default: the system-assigned one.'),
    endpoint: url
      .optional()
      .describe(
        'Where the machine gives tokens. Default: `IDENTITY_ENDPOINT` where the platform sets it (Container Apps, App Service), else `http://169.254.169.254`.',
      ),
  })
  .describe('A token of the managed identity that this process runs with: nothing is stored.')

const entraWorkload = z
  .strictObject({
    kind: z.literal('entra-workload'),
    issuer: entraApp.issuer,
    scope: tokenScope,
    clientId: entraApp.clientId,
    tenant,
    tokenFile: z
      .string()
      .min(1)
      .optional()
      .describe('File in which the platform keeps its own token. Default: what `AZURE_FEDERATED_TOKEN_FILE` names.'),
  })
  .describe("A token of an application that trusts the platform's own token (Kubernetes): nothing is stored.")

const identitySource = z
  .discriminatedUnion('kind', [entraManagedIdentity, entraWorkload, entraClient])
  .describe('The Azure identity whose token is exchanged; its scope names the audience that the other cloud accepts.')

const googleProvider = z
  .string()
  .regex(
    /^projects\/\d+\/locations\/global\/workloadIdentityPools\/[a-z0-9-]+\/providers\/[a-z0-9-]+$/,
    'write `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`, with the number of the project',
  )
  .describe('Provider of the workload identity pool, from `projects/` on.')
const serviceAccount = z
  .string()
  .regex(/^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$/, 'write the e-mail address of the service account')
const googleEndpoints = {
  stsEndpoint: url
    .default('https://sts.googleapis.com')
    .describe('Security Token Service. Default `https://sts.googleapis.com`.'),
  iamEndpoint: url
    .default('https://iamcredentials.googleapis.com')
    .describe('IAM Service Account Credentials. Default `https://iamcredentials.googleapis.com`.'),
}

const awsWebIdentity = z
  .strictObject({
    kind: z.literal('aws-web-identity'),
    roleArn: z
      .string()
      .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, 'write the ARN of an IAM role')
      .describe('IAM role whose trust policy accepts the identity.'),
    region: z
      .string()
      .regex(/^[a-z0-9-]+$/)
      .describe('Region of the signature, and of the STS that is asked.'),
    service: z.string().default('bedrock').describe('Signing name of the service. Default `bedrock`.'),
    sessionScope: z
      .enum(['target', 'tenant', 'caller'])
      .default('target')
      .describe(
        'Whom a session is for: the target, each tenant, or each caller; CloudTrail then shows a keyed digest of them. A session for a Bedrock target may call its model only. Default `target`.',
      ),
    sessionName: z
      .string()
      .regex(/^[\w=,.@-]{2,31}$/, 'use 2 to 31 letters, digits and `_=,.@-`')
      .default('thinplane')
      .describe("Beginning of the session's name. Default `thinplane`."),
    sessionSeconds: z
      .int()
      .min(900)
      .max(43_200)
      .default(3600)
      .describe('How long a session lasts, in seconds; the role has to allow it. Default 3,600.'),
    endpoint: url.optional().describe('AWS STS. Default: that of the region.'),
    identity: identitySource,
  })
  .describe('Keys of a session of an IAM role, for which an Azure token is exchanged: nothing is stored.')

const googleIdToken = z
  .strictObject({
    kind: z.literal('google-id-token'),
    provider: googleProvider,
    serviceAccount: serviceAccount.describe('Service account that may invoke the Cloud Run service.'),
    audience: url
      .optional()
      .describe("URL of the Cloud Run service. Default: scheme and host of the target's endpoint."),
    ...googleEndpoints,
    identity: identitySource,
  })
  .describe('An ID token for a Cloud Run service, for which an Azure token is exchanged: nothing is stored.')

const googleAccessToken = z
  .strictObject({
    kind: z.literal('google-access-token'),
    provider: googleProvider,
    serviceAccount: serviceAccount
      .optional()
      .describe('Service account that acts. Default: none, the federated identity itself has the rights.'),
    ...googleEndpoints,
    identity: identitySource,
  })
  .describe("An access token for Google's APIs (Vertex AI), for which an Azure token is exchanged: nothing is stored.")

const credential = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    z.strictObject({
      kind: z.literal('header'),
      header: z.string().default('authorization').describe('Name of the header. Default `authorization`.'),
      prefix: z
        .string()
        .default('Bearer ')
        .describe('What stands before the secret. Default `Bearer ` with its blank.'),
      secret,
    }),
    z.strictObject({
      kind: z.literal('aws-sigv4'),
      region: z.string().describe('Region of the signature.'),
      service: z.string().default('bedrock').describe('Signing name of the service. Default `bedrock`.'),
      accessKeyId: secret,
      secretAccessKey: secret,
    }),
    entraClient,
    entraManagedIdentity,
    entraWorkload,
    awsWebIdentity,
    googleIdToken,
    googleAccessToken,
    z
      .strictObject({ kind: z.literal('entra-obo'), ...entraApp })
      .describe("The caller's own token, exchanged for one of the target (on-behalf-of). For targets only."),
  ])
  .default({ kind: 'none' })
  .describe('How calls prove who we are. Default: no credential.')

const listen = z
  .strictObject({
    host: z.string().default('127.0.0.1').describe('Address to listen on. Default `127.0.0.1`: this machine only.'),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .default(8080)
      .describe('Port; 0 for any free one. Default 8080. Read at start only.'),
    maxBodyBytes: z
      .int()
      .min(1024)
      .max(268_435_456)
      .default(4_194_304)
      .describe('Longest request body in bytes. Default 4,194,304.'),
    maxConcurrent: z.int().min(1).default(4096).describe('Requests that may be open at once. Default 4,096.'),
    requestTimeoutMs: ms(30_000, 'A request has to be whole within this.'),
  })
  .prefault({})
  .describe('Where the control plane listens.')

const entra = z.strictObject({
  kind: z.literal('entra'),
  name: name.describe('Name of this issuer in audit entries.'),
  authority: url
    .default('https://login.microsoftonline.com')
    .describe('Login host. Default `https://login.microsoftonline.com`.'),
  v1Host: url
    .default('https://sts.windows.net')
    .describe('Host in the `iss` of v1.0 tokens. Default `https://sts.windows.net`.'),
  tenants: z.array(z.guid().toLowerCase()).min(1).describe('Directory (tenant) ids whose tokens are accepted.'),
  audiences: z
    .array(z.string().min(1))
    .min(1)
    .describe('Accepted `aud`: the client id of the API, and its application id URI where v1.0 tokens are used.'),
  versions: z
    .array(z.enum(['v1', 'v2']))
    .min(1)
    .default(['v1', 'v2'])
    .describe('Accepted token versions. Default both; `[v2]` for an API whose registration asks for v2.0 tokens.'),
  clients: z
    .array(z.guid().toLowerCase())
    .optional()
    .describe('Client ids (`azp`, `appid`) that may ask; a listed one needs neither scope nor role. Default: any.'),
  idtyp: z
    .array(z.enum(['user', 'app']))
    .min(1)
    .default(['user', 'app'])
    .describe("Kinds of callers: people's tokens, applications' own tokens. Default both."),
  requireAcrs: z
    .array(z.string().regex(/^c\d{1,2}$/, 'write an authentication context such as `c1`'))
    .default([])
    .describe(
      'Authentication contexts that a token must carry; one that lacks it is answered with a claims challenge. Default none.',
    ),
  overage: z
    .enum(['resolve', 'ignore'])
    .default('resolve')
    .describe(
      'When a token has no room for its groups: `resolve` asks Microsoft Graph and refuses with 503 when it can not; `ignore` goes on without groups, which lets a policy that forbids by group pass. Default `resolve`.',
    ),
  graph: z
    .strictObject({
      endpoint: url
        .default('https://graph.microsoft.com')
        .describe('Microsoft Graph. Default `https://graph.microsoft.com`.'),
      scope: z
        .string()
        .default('https://graph.microsoft.com/.default')
        .describe('Scope of the token for it. Default `https://graph.microsoft.com/.default`.'),
      clientId: z
        .string()
        .min(1)
        .describe(
          'Client id of an application with the application permissions `User.Read.All` and `GroupMember.Read.All`, and `Application.Read.All` for callers that are applications.',
        ),
      secret,
      ttlMs: ms(600_000, 'How long groups are believed.'),
      maxGroups: z
        .int()
        .min(200)
        .max(11_000)
        .default(1000)
        .describe(
          'Callers in more groups are refused: groups travel in the passport, which has room for some 1,100. Default 1,000.',
        ),
    })
    .optional()
    .describe(
      'Where the groups are read that a token has no room for (more than 200). Absent: such tokens are refused.',
    ),
  region: z.string().default('eastus').describe('Azure region where the login service is reached. Default `eastus`.'),
})

const oidc = z.strictObject({
  kind: z.literal('oidc'),
  name: name.describe('Name of this issuer in audit entries.'),
  issuer: z.string().min(1).describe('Exact `iss` of its tokens.'),
  jwksUrl: z
    .string()
    .min(1)
    .optional()
    .describe('URL of its signing keys. Default: as its discovery document says, on its own host and by https.'),
  audiences: z.array(z.string().min(1)).min(1).describe('Accepted `aud`.'),
  algorithms: z
    .array(z.enum(['RS256', 'PS256', 'ES256']))
    .min(1)
    .default(['RS256'])
    .describe('How its tokens may be signed. Default `[RS256]`.'),
  rolesClaim: z.string().default('roles').describe('Claim that lists roles. Default `roles`.'),
  tenant: z.string().min(1).describe('Tenant that its callers belong to.'),
  place: place.default({ cloud: 'local', region: 'local' }),
})

const signIn = z
  .strictObject({
    issuer: url.describe(
      'Issuer of the OpenID Connect sign-in, exactly: `https://login.microsoftonline.com/TENANT/v2.0` for Entra.',
    ),
    clientId: z.string().min(1).describe('Client id of this control plane at the issuer.'),
    secret: secret.optional(),
    scopes: z
      .array(z.string().min(1))
      .default(['openid', 'profile'])
      .describe('What is asked for. Default `[openid, profile]`.'),
    tenant: z
      .string()
      .default('')
      .describe("Tenant of people whose token names none (`tid`). Default: the name of the issuer's host."),
    rolesClaim: z.string().default('roles').describe('Claim that lists roles. Default `roles`.'),
    sessionHours: z.number().min(0.1).max(24).default(8).describe('How long a session lasts, in hours. Default 8.'),
    publicUrl: url
      .optional()
      .describe(
        'Where browsers reach this server: its `/auth/callback` is the redirect URI to register. Default: the address that it listens on.',
      ),
    place: place.default({ cloud: 'azure', region: 'eastus' }),
  })
  .optional()
  .describe('Sign-in of people to the status page and the admin API. Absent: keys and access tokens only.')

const identity = z
  .strictObject({
    keysFile: z
      .string()
      .default('keys.json')
      .describe('File with the hashes of keys, inside the data folder unless absolute. Default `keys.json`.'),
    deniedFile: z
      .string()
      .default('denied.json')
      .describe('File with the deny list, inside the data folder unless absolute. Default `denied.json`.'),
    signIn,
    issuers: z
      .array(z.discriminatedUnion('kind', [entra, oidc]))
      .default([])
      .describe('Issuers of access tokens that are accepted. Default none: keys only.'),
  })
  .prefault({})
  .describe('Who may ask at all.')

const action = z.enum(['allow', 'flag', 'redact', 'mask', 'block'])

const profile = z
  .strictObject({
    actions: z
      .record(z.string(), action)
      .default({ default: 'redact' })
      .describe(
        'What happens to a finding, by entity type (`EMAIL_ADDRESS`, `SECRET`, ...); `default` for all others. `URL`, `DATE_TIME`, `LOCATION`, `ORGANIZATION`, `UK_POSTCODE` and `DE_PLZ` are left alone unless they are named. Default `{default: redact}`.',
      ),
    output: z
      .record(z.string(), action)
      .default({ default: 'allow', SECRET: 'mask' })
      .describe(
        'The same for what a model says, as it says it; `redact` and `mask` put `[TYPE]` there, which is not put back. Default `{default: allow, SECRET: mask}`.',
      ),
    minScore: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('Findings less sure than this are left alone. Default 0.5.'),
    managed: z
      .enum(['always', 'by-risk', 'sample', 'off'])
      .default('always')
      .describe(
        'When the managed services are asked about new texts: `always`, `by-risk` (when the in-process detectors see some), `sample` (a share), `off`. Default `always`.',
      ),
    triage: z
      .strictObject({
        injection: z
          .enum(['off', 'flag', 'block'])
          .default('off')
          .describe('Attempts to give the model orders. Default `off`.'),
        toxicity: z.enum(['off', 'flag', 'block']).default('off').describe('Toxic texts. Default `off`.'),
      })
      .prefault({})
      .describe(
        'A first look by small models in-process: a triage, no protection (docs/guard.md says how good it is).',
      ),
    riskFrom: z.number().min(0).max(1).default(0.5).describe('Risk from which `by-risk` asks. Default 0.5.'),
    sample: z.number().min(0).max(1).default(0.1).describe('Share of texts that `sample` asks about. Default 0.1.'),
    passages: z
      .boolean()
      .default(false)
      .describe(
        'Whether retrieved passages are asked about as well, each once: a call behind the data plane. Default false.',
      ),
    protectedMaterial: z
      .enum(['off', 'flag', 'block'])
      .default('off')
      .describe(
        'What happens to an answer that holds protected material: Azure AI Content Safety is asked when the answer is complete, before its end is sent. `block` withholds an answer that is sent whole, and ends a streamed one with an error. Default `off`.',
      ),
    shadow: z
      .boolean()
      .default(false)
      .describe('Records what it would have done, and lets everything pass. Default false.'),
    severity: z
      .int()
      .min(1)
      .max(7)
      .default(4)
      .describe('Severity, 1 to 7, from which the managed check blocks. Default 4 (medium).'),
    onUnavailable: z
      .enum(['refuse', 'pass'])
      .default('refuse')
      .describe(
        'When the managed check gives no verdict. Default `refuse`; with `pass` the audit entry says `unavailable`.',
      ),
  })
  .describe('A guard profile. Policies choose it by the annotation `@guard`.')

const DEFAULT_PROFILES = {
  strict: { actions: { default: 'redact', SECRET: 'block', IMAGE: 'block' } },
  balanced: { actions: { default: 'redact' } },
  observe: { actions: { default: 'redact', SECRET: 'block' }, shadow: true, onUnavailable: 'pass' },
} as const

const usdPerThousand = (value: number, source: string) =>
  z
    .number()
    .min(0)
    .default(value)
    .describe(`USD for 1,000 records of 1,000 characters, for the metrics. Default ${value} (${source}).`)

const guard = z
  .strictObject({
    profiles: z
      .record(name, profile)
      .refine((profiles) => Object.keys(profiles).length > 0, 'name at least one profile')
      .prefault(DEFAULT_PROFILES)
      .describe(
        'Profiles by name, the strictest first. Default: `strict` blocks credentials, `balanced` replaces them, `observe` only records what `strict` would do.',
      ),
    defaultProfile: name.default('balanced').describe('Profile when no policy names one. Default `balanced`.'),
    contentSafety: z
      .strictObject({
        endpoint: url.describe('Endpoint of the Azure AI Content Safety resource.'),
        place: place.default({ cloud: 'azure', region: 'eastus' }),
        credential,
        timeoutMs: ms(3000, 'No verdict within this counts as none.'),
        blocklists: z
          .array(z.string().regex(/^[0-9A-Za-z._~-]{1,64}$/))
          .default([])
          .describe('Blocklists of the resource: a hit blocks. Default none.'),
        shields: z
          .boolean()
          .default(false)
          .describe('Whether Prompt Shields are asked as well: a second call, beside the first. Default false.'),
        usdPerThousandRecords: usdPerThousand(0.38, 'Azure retail prices, 2026-11'),
      })
      .optional()
      .describe(
        'Azure AI Content Safety. Profiles that ask for a managed check refuse when none of the services is configured.',
      ),
    language: z
      .strictObject({
        endpoint: url.describe('Endpoint of the Azure AI Language resource.'),
        place: place.default({ cloud: 'azure', region: 'eastus' }),
        credential,
        timeoutMs: ms(3000, 'No answer within this counts as none.'),
        language: z
          .string()
          .regex(/^[a-z]{2}(?:-[a-zA-Z]{2,4})?$/)
          .default('en')
          .describe('Language of the texts. Default `en`.'),
        minScore: z
          .number()
          .min(0)
          .max(1)
          .default(0.6)
          .describe('Entities less sure than this are left alone. Default 0.6.'),
        usdPerThousandRecords: usdPerThousand(1, 'Azure list price of the first 500,000 records'),
      })
      .optional()
      .describe('Azure AI Language, personal data: names, places and organisations that no pattern finds.'),
    bedrockChecks: z
      .strictObject({
        endpoint: url.describe('Regional endpoint of Bedrock Runtime.'),
        place: place.default({ cloud: 'aws', region: 'us-east-1' }),
        credential,
        timeoutMs: ms(3000, 'No answer within this counts as none.'),
        sensitive: z.boolean().default(true).describe('Whether personal data is asked about as well. Default true.'),
        minScore: z
          .number()
          .min(0)
          .max(1)
          .default(0.6)
          .describe('Entities less sure than this are left alone. Default 0.6.'),
        usdPerThousandRecords: usdPerThousand(
          0.25,
          'content filters 0.15 and personal data 0.10, AWS price list 2026-11',
        ),
      })
      .optional()
      .describe(
        'Guardrail checks of Amazon Bedrock, which need no guardrail resource: an alternative to the Azure pair.',
      ),
    bedrockGuardrail: z
      .strictObject({
        endpoint: url.describe('Regional endpoint of Bedrock Runtime.'),
        guardrail: z
          .string()
          .regex(
            /^([a-z0-9]{1,100}|arn:aws[a-z-]{0,20}:bedrock:[a-z0-9-]{1,20}:\d{12}:guardrail\/[a-z0-9]{1,100})$/,
            'give the id or the ARN of the guardrail',
          )
          .describe('Id or ARN of the guardrail. What it blocks and replaces is set there.'),
        guardrailVersion: z
          .string()
          .regex(/^([1-9]\d{0,7}|DRAFT)$/, 'write a version in quotes, such as `"1"`, or `DRAFT`')
          .describe('Version of the guardrail: a number as text, or `DRAFT`.'),
        place: place.default({ cloud: 'aws', region: 'us-east-1' }),
        credential,
        timeoutMs: ms(3000, 'No answer within this counts as none.'),
        usdPerThousandRecords: usdPerThousand(
          0.25,
          'content filters 0.15 and personal data 0.10, AWS price list 2026-11; other policies of the guardrail cost more',
        ),
      })
      .optional()
      .describe('A guardrail of Amazon Bedrock (`ApplyGuardrail`), where its topics, words and filters are wanted.'),
  })
  .prefault({})
  .describe('What is found in texts and what happens to it.')

const context = z
  .strictObject({
    endpoint: url.describe('Base URL of the data plane.'),
    place: place.default({ cloud: 'aws', region: 'us-east-1' }),
    audience: z
      .string()
      .min(1)
      .default('thinplane-data')
      .describe("The data plane's name: the audience of passports. Default `thinplane-data`."),
    credential,
    timeoutMs: ms(5000, 'The whole call has to end within this.'),
    maxBytes: z
      .int()
      .min(1024)
      .max(1_048_576)
      .default(32_768)
      .describe('Upper bound of one answer in bytes. Default 32,768.'),
  })
  .optional()
  .describe('The data plane. Absent: aliases can not be grounded.')

/** Source of a price that nobody gave. */
export const NO_PRICE = 'not given'

const price = z
  .strictObject({
    input: z.number().min(0).max(200).describe('USD for a million input tokens.'),
    cachedInput: z
      .number()
      .min(0)
      .max(200)
      .optional()
      .describe('USD for a million cached input tokens. Default: as `input`.'),
    output: z.number().min(0).max(200).describe('USD for a million output tokens.'),
    source: z.string().min(1).describe('Where the figure is from, with its date.'),
  })
  .default({ input: 0, output: 0, source: NO_PRICE })
  .describe('Price of the model. Default 0: cost is not counted.')

const timeZone = z
  .string()
  .refine(isTimeZone, 'write a time zone of the IANA database, such as `Europe/Berlin`')
  .default('UTC')

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

const timeOfDay = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'write a time such as `08:30` in quotes')

const scaling = z
  .strictObject({
    idleMs: z
      .int()
      .min(100)
      .max(86_400_000)
      .default(900_000)
      .describe(
        'Milliseconds without a request after which it sleeps, until enough has been seen. Default 900,000: Cloud Run keeps idle instances for up to 15 minutes.',
      ),
    coldStartMs: z
      .int()
      .min(10)
      .max(3_600_000)
      .default(25_000)
      .describe('Median cold start in milliseconds, until enough has been seen. Default 25,000.'),
    wakePath: z
      .string()
      .regex(/^\/[^\s?#]*$/, 'write a path such as `/health`')
      .default('/health')
      .describe('Path below `endpoint` that is asked (GET) to wake it. Default `/health`.'),
    wakeAtRequests: z
      .int()
      .min(1)
      .max(1000)
      .default(1)
      .describe('Requests within `idleMs` that make waking it worthwhile. Default 1: the first one wakes it.'),
    calendar: z
      .array(
        z.strictObject({
          days: z
            .array(z.enum(['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']))
            .min(1)
            .default(['mon', 'tue', 'wed', 'thu', 'fri'])
            .describe('Days of the week. Default Monday to Friday.'),
          from: timeOfDay.describe('From when it is warm, such as `"08:00"`: waking begins one cold start earlier.'),
          to: timeOfDay.describe('Until when it is kept warm; earlier than `from`: over midnight.'),
          timeZone: timeZone.describe('Time zone of the IANA database. Default `UTC`.'),
        }),
      )
      .default([])
      .describe('Known peaks, in which it is kept awake. Default none.'),
  })
  .describe('It sleeps when nobody asks, and the first caller after that would wait. Absent: it is always awake.')

const vllm = z
  .strictObject({
    metricsPath: z
      .string()
      .regex(/^(?:\/[^\s?#]*)?$/, 'write a path such as `/metrics`, or an empty text')
      .default('/metrics')
      .describe(
        'Path of its metrics: read only while it is in use, since reading would wake it. Empty: not read. Default `/metrics`.',
      ),
    everyMs: ms(1000, 'Between two readings.'),
    cacheSalt: z
      .boolean()
      .default(true)
      .describe(
        "Whether each tenant's prompts are cached apart (`cache_salt`), so that nobody can tell from a fast answer what others asked. Default true.",
      ),
    maxConcurrent: z
      .int()
      .min(1)
      .max(10_000)
      .default(16)
      .describe('Requests at once above which another shard of the pool is better. Default 16.'),
  })
  .describe('The server is vLLM. Absent: it may be any.')

const target = z
  .strictObject({
    provider: z
      .enum(['openai-compatible', 'openai', 'azure-openai', 'anthropic', 'bedrock', 'vertex-claude', 'vertex-gemini'])
      .describe('Wire format of the target.'),
    place,
    endpoint: url
      .optional()
      .describe(
        'Base URL: without `/v1` for OpenAI-compatible servers, OpenAI and Anthropic, without `/openai/v1` for Azure; the regional endpoint for Bedrock; up to and with `/projects/PROJECT/locations/LOCATION` for Vertex.',
      ),
    shards: z
      .array(url)
      .min(2)
      .max(64)
      .optional()
      .describe(
        'Instead of `endpoint`: base URLs of a pool, such as Cloud Run services of one instance each. They become targets `NAME-1`, `NAME-2`, ... of which the beginning of a prompt chooses one, so that caches are hit.',
      ),
    model: z.string().min(1).describe("The model's name at the target."),
    credential,
    price,
    deadlines: z
      .strictObject({
        connectMs: ms(2000, 'Until the connection stands.'),
        firstTokenMs: ms(60_000, 'From the request to the first content.'),
        idleMs: ms(30_000, 'Longest gap between two pieces once content flows.'),
        totalMs: ms(600_000, 'The whole call.'),
      })
      .prefault({})
      .describe('How long each part of a call may take.'),
    simulated: z
      .boolean()
      .default(false)
      .describe('A stand-in answers: said in `/v1/models` and on the status page. Default false.'),
    tags: tags.describe('What it was approved for, such as `hipaa-baa`: policies can read it. Default none.'),
    jurisdiction: z
      .string()
      .min(1)
      .optional()
      .describe('Where it lies, such as `EU` or `DE`; default: where the region table says that `place` lies.'),
    scaling: scaling.optional(),
    vllm: vllm.optional(),
  })
  .refine(({ endpoint, shards }) => (endpoint === undefined) !== (shards === undefined), {
    error: 'write either `endpoint`, or `shards` for a pool',
  })
  .describe('One deployment of a model in one cloud and region, or a pool of them.')

const policies = z
  .strictObject({
    folder: z
      .string()
      .default('policies')
      .describe('Folder with `*.cedar` files of your own, relative to this file. Default `policies`.'),
    packs: z
      .array(z.enum(POLICY_PACKS))
      .default([])
      .describe('Shipped policy packs to load beside the folder, by name. Default none.'),
    timeZone: timeZone.describe('Time zone in which policies read the hour and the weekday. Default `UTC`.'),
  })
  .prefault({})
  .describe('Who may do what, and where a text may go.')

const routing = z
  .strictObject({
    strategy: z
      .enum(['ordered', 'fastest', 'cheapest', 'balanced'])
      .default('ordered')
      .describe(
        'Which target is the first choice: as listed, by expected time to the first content, by price, or by both. Default `ordered`.',
      ),
    usdPerSecond: z
      .number()
      .min(0)
      .max(1000)
      .default(0.001)
      .describe('What a second until the first content is worth, for `balanced`. Default 0.001.'),
    detourAboveMs: z
      .int()
      .min(0)
      .max(3_600_000)
      .default(1000)
      .describe(
        'Expected wait for a cold start (its probability times its length) above which another target is asked, while the cold one is woken. Default 1,000.',
      ),
    maxWaitMs: z
      .int()
      .min(0)
      .max(3_600_000)
      .default(60_000)
      .describe('How long a caller is held for a cold target where no other may answer; then 503. Default 60,000.'),
    hedge: z
      .strictObject({
        percent: z
          .number()
          .min(0)
          .max(100)
          .default(5)
          .describe('Hundredths of the requests for which a second target may be asked as well; 0: none. Default 5.'),
        minMs: z.int().min(1).max(600_000).default(50).describe('Least milliseconds before that. Default 50.'),
      })
      .prefault({})
      .describe(
        'When the first choice is slower than 95 of 100 were, a second one is asked too; the first content wins.',
      ),
    prefix: z
      .boolean()
      .default(true)
      .describe('Whether the beginning of a prompt chooses among the shards of a pool. Default true.'),
  })
  .prefault({})
  .describe('How a target is chosen among those that policy permits.')

const alias = z
  .strictObject({
    targets: z.array(name).min(1).describe('Targets in order of preference.'),
    routing,
    cache: z
      .strictObject({
        seconds: z.int().min(1).max(604_800).describe('How long an answer is kept.'),
      })
      .optional()
      .describe(
        'Answers are kept in memory for the same caller who asks exactly the same; policies widen it to the tenant or forbid it with `@cache`. Absent: none is kept.',
      ),
    collections: z.array(name).default([]).describe('Collections that ground every request. Default none.'),
    sql: z
      .array(
        z.strictObject({
          name: factName.describe('A query of `dataPlane.queries`.'),
          params: z
            .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]))
            .default({})
            .describe("Values of its parameters, but for those that are the caller's own. Default none."),
        }),
      )
      .default([])
      .describe('Queries whose rows ground every request. Default none.'),
    topK: z.int().min(1).max(50).default(6).describe('Passages to fetch. Default 6.'),
    residency: z
      .string()
      .default('')
      .describe('Jurisdiction that policies can hold targets to, such as `EU`. Default none.'),
    purpose: z
      .string()
      .default('')
      .describe('What it is for, when a caller does not say; policies can read it. Default none.'),
    tags: tags.describe('Labels that policies can read. Default none.'),
    usdPerCallerAndDay: z
      .number()
      .positive()
      .optional()
      .describe(
        'USD that one caller may spend on it a day (UTC). Policies read how near the caller is: `context.budget` is `under`, `near` (four fifths) or `over`. Absent: `none`.',
      ),
  })
  .describe('A model name that clients use.')

const ship = z
  .strictObject({
    azureMonitor: z
      .strictObject({
        endpoint: url.describe('Logs ingestion endpoint of the data collection rule or endpoint.'),
        ruleId: z
          .string()
          .regex(/^dcr-[0-9a-f]{32}$/, 'write `dcr-` and 32 hex digits')
          .describe('Immutable id of the data collection rule.'),
        stream: z
          .string()
          .regex(/^Custom-[A-Za-z0-9_]{1,93}$/, 'write `Custom-` and the name of the table without `_CL`')
          .default('Custom-ThinplaneAudit')
          .describe('Stream of the rule. Default `Custom-ThinplaneAudit`; its columns are in docs/audit-shipping.md.'),
        place: place.default({ cloud: 'azure', region: 'eastus' }),
        credential,
        everyMs: ms(10_000, 'Between two looks at the log.'),
      })
      .optional()
      .describe('Azure Monitor, by the Logs Ingestion API.'),
    s3: z
      .strictObject({
        endpoint: url.describe(
          'Endpoint with the bucket: `https://BUCKET.s3.REGION.amazonaws.com`, or one with `/BUCKET`.',
        ),
        prefix: z
          .string()
          .regex(/^[A-Za-z0-9._/-]*[A-Za-z0-9._-]$|^$/)
          .default('thinplane')
          .describe('Beginning of every key. Default `thinplane`.'),
        retentionDays: z
          .int()
          .min(1)
          .max(36_500)
          .default(365)
          .describe('Days for which nobody can change or delete an object (compliance mode). Default 365.'),
        place: place.default({ cloud: 'aws', region: 'us-east-1' }),
        credential,
        everyMs: ms(60_000, 'Between two looks at the log.'),
      })
      .optional()
      .describe('An S3 bucket with Object Lock.'),
  })
  .prefault({})
  .describe('Where copies of the log go, behind the requests: at least once, in order. Default nowhere.')

const audit = z
  .strictObject({
    origin: logName
      .optional()
      .describe(
        'Name of the log: a URL without its scheme, that no other log has. Default: the `name` of the control plane.',
      ),
    witnesses: z
      .array(
        z.strictObject({
          name: name.optional().describe('For logs and metrics. Default: the name in its key.'),
          url: url.describe('Where `/add-checkpoint` is: for a data plane its URL and `/witness`.'),
          key: vkey.describe("The witness's verifier key: a data plane prints it at its start."),
          place: place.default({ cloud: 'aws', region: 'us-east-1' }),
        }),
      )
      .default([])
      .describe('Who cosigns the checkpoints of the log (C2SP tlog-witness). Default nobody.'),
    quorum: z
      .int()
      .min(1)
      .optional()
      .describe('Cosignatures that make a checkpoint a witnessed one. Default: more than half of the witnesses.'),
    timestamp: z
      .strictObject({
        url: url.describe('Time-stamp authority (RFC 3161 over HTTP).'),
        place: place.default({ cloud: 'local', region: 'local' }),
        everyHours: z.number().min(0.01).max(8760).default(24).describe('Hours between two stamps. Default 24.'),
        credential,
      })
      .optional()
      .describe('Who stamps the time on a checkpoint now and then. Absent: nobody.'),
    ship,
  })
  .prefault({})
  .describe('The audit log: its name, who else vouches for it, and where copies go.')

const images = z
  .strictObject({
    maxEdge: z
      .int()
      .min(64)
      .max(16_384)
      .default(1568)
      .describe('Pixels of the longer side; larger images are made smaller. Default 1,568: models see no more.'),
    maxKilobytes: z
      .int()
      .min(16)
      .max(32_768)
      .default(1024)
      .describe('Kilobytes of one image; more are made fewer, or refused. Default 1,024.'),
    maxCount: z.int().min(0).max(1000).default(20).describe('Images in one request. Default 20.'),
  })
  .prefault({})
  .describe('How large images of a prompt may leave.')

const list = z.array(z.string().min(1))

const teams = z
  .record(
    name,
    z
      .strictObject({
        groups: list.default([]).describe('Ids of groups. Default none.'),
        roles: list.default([]).describe('Application roles. Default none.'),
        keys: list.default([]).describe('Ids of keys. Default none.'),
        subjects: list.default([]).describe('Subjects of callers. Default none.'),
      })
      .describe('Everybody with one of these is in it.'),
  )
  .default({})
  .describe('Teams by name, for rules of `limits`. A caller may be in several.')

const limitRule = z
  .strictObject({
    name: name.describe('Its name in messages, in the audit log and in the store: what was used goes by it.'),
    per: z
      .enum(['key', 'caller', 'team', 'alias', 'tenant', 'all'])
      .describe(
        'Whom it counts for: each key, each caller, each team of the caller, each alias, each tenant, or all together.',
      ),
    window: z.enum(['minute', 'hour', 'day', 'month']).describe('Calendar window in UTC after which it begins anew.'),
    requests: z.int().min(0).max(1e12).optional().describe('Requests in one window; 0 refuses all. Default no bound.'),
    tokens: z.int().min(0).max(1e12).optional().describe('Tokens, in and out, in one window. Default no bound.'),
    usd: z
      .number()
      .min(0)
      .max(1e6)
      .optional()
      .describe('USD in one window: model, managed checks and egress. Default no bound.'),
    aliases: list.min(1).optional().describe('Aliases that it is for. Default all.'),
    roles: list.min(1).optional().describe('Roles of callers that it is for: one is enough. Default all.'),
    teams: list.min(1).optional().describe('Teams that it is for: one is enough. Default all.'),
    tenants: list.min(1).optional().describe('Tenants that it is for. Default all.'),
    cutOff: z
      .boolean()
      .default(false)
      .describe(
        'An answer is cut when nothing is left for the rest of it. Default false: it ends, and the next waits.',
      ),
  })
  .refine(({ requests, tokens, usd }) => requests !== undefined || tokens !== undefined || usd !== undefined, {
    error: 'it bounds nothing, write `requests`, `tokens` or `usd`',
  })
  .describe('A limit. All rules that apply to a request have to have room for it.')

const limits = z
  .strictObject({
    store: z
      .discriminatedUnion('kind', [
        z
          .strictObject({
            kind: z.literal('file'),
            file: z
              .string()
              .min(1)
              .optional()
              .describe(
                'SQLite file on a local disk, relative to this file; gateways of one machine may share it. Default `limits.sqlite` in `data`.',
              ),
          })
          .describe('A file: for gateways of one machine.'),
        z
          .strictObject({
            kind: z.literal('postgres'),
            url: secret.describe('`postgres://USER:PASSWORD@HOST/DATABASE`, by reference.'),
          })
          .describe('PostgreSQL: for gateways of many machines.'),
      ])
      .default({ kind: 'file' })
      .describe('Where gateways share what was used. No request waits for it. Default a file.'),
    rules: z.array(limitRule).default([]).describe('The limits. Default none.'),
  })
  .prefault({})
  .describe('Budgets and rate limits.')

const responses = z
  .strictObject({
    keepMinutes: z
      .int()
      .min(0)
      .max(10_080)
      .default(60)
      .describe('Minutes that an answer can be gone on from by `previous_response_id`; 0: none is kept. Default 60.'),
    keepMegabytes: z
      .int()
      .min(1)
      .max(4096)
      .default(64)
      .describe('Memory for kept conversations, the oldest give way. Default 64.'),
  })
  .prefault({})
  .describe(
    'Conversations kept for `POST /v1/responses`: in memory only, and never where policy sets `@retention("0")`.',
  )

const cache = z
  .strictObject({
    megabytes: z
      .int()
      .min(1)
      .max(4096)
      .default(64)
      .describe('Memory for kept answers, the oldest give way. Default 64.'),
  })
  .prefault({})
  .describe('Answers that aliases with `cache` keep.')

const observe = z
  .strictObject({
    otlp: z
      .strictObject({
        endpoint: url.describe('OTLP/HTTP endpoint without `/v1/traces`.'),
        place: place.default({ cloud: 'local', region: 'local' }),
        credential,
      })
      .optional()
      .describe('Where traces go. Absent: they stay here.'),
    logLevel: z.enum(['info', 'warn', 'error']).default('info').describe('Least level that is logged. Default `info`.'),
  })
  .prefault({})
  .describe('Telemetry. Losing it never costs a request.')

/** The whole file. */
export const ConfigSchema = z.strictObject({
  $schema: z.string().optional().describe('For editors; ignored.'),
  listen,
  name: z
    .string()
    .min(1)
    .default('thinplane-control')
    .describe("The control plane's name: issuer of passports. Default `thinplane-control`."),
  place: place.default({ cloud: 'azure', region: 'eastus' }),
  data: z
    .string()
    .default('.thinplane')
    .describe('Folder for state: audit trail, keys. Relative to this file. Default `.thinplane`.'),
  identity,
  policies,
  guard,
  context,
  targets: z.record(name, target).default({}).describe('Targets by name.'),
  aliases: z.record(name, alias).default({}).describe('Model aliases by name.'),
  audit,
  dataPlane,
  images,
  limits,
  teams,
  responses,
  cache,
  observe,
})

/** The file as it is written. */
export type WrittenConfig = z.infer<typeof ConfigSchema>
/** The file with each shard of a pool as a target of its own. */
export type Config = Omit<WrittenConfig, 'targets'> & { readonly targets: Readonly<Record<string, TargetConfig>> }
export type TargetConfig = Omit<z.infer<typeof target>, 'endpoint' | 'shards'> & {
  readonly endpoint: string
  /** Name of the pool that it is a shard of. */
  readonly pool?: string
}
export type CredentialConfig = z.infer<typeof credential>
/** An Azure identity that can be exchanged. */
export type IdentityConfig = z.infer<typeof identitySource>
