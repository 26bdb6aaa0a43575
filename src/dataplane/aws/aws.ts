import { loadPackage } from '#dataplane/heavy.ts'

/** The account that an agent runs in. */
export interface AwsOptions {
  readonly region: string
  /** Static keys, for stand-ins. Absent: the SDK's chain (environment, web identity, task role, instance profile). */
  readonly keys?: AwsKeys | undefined
  /** Base URLs instead of AWS's own. */
  readonly endpoints?: Readonly<Partial<Record<AwsService, string | undefined>>>
}

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export type AwsService = 's3' | 'sqs' | 'athena' | 'glue' | 'dynamodb' | 'kinesis' | 'bedrock' | 's3vectors'

/** Clients of the services, each made when it is first asked for. */
export type Aws = ReturnType<typeof openAws>

/** Attempts of one call, the first included: throttling and broken connections are the SDK's to repeat. */
const ATTEMPTS = 5
const CONNECT_TIMEOUT_MS = 3000
/** Silence on a connection; long polls last 20 seconds. */
const IDLE_TIMEOUT_MS = 30_000
/** Sockets that one client holds. */
const SOCKETS = 64

/**
 * These calls stay inside the cloud in which the agent runs, so they are no crossings; nothing here is called with what
 * a prompt holds but queries, keys and texts to embed.
 */
export function openAws(options: AwsOptions) {
  const opened: { destroy(): void }[] = []
  const common = async (service: AwsService) => {
    const { NodeHttpHandler } = await loadPackage(
      '@smithy/node-http-handler',
      () => import('@smithy/node-http-handler'),
    )
    const endpoint = options.endpoints?.[service]
    return {
      region: options.region,
      maxAttempts: ATTEMPTS,
      // Kinesis would take HTTP/2 by itself, which stand-ins and proxies do not all speak.
      requestHandler: new NodeHttpHandler({
        connectionTimeout: CONNECT_TIMEOUT_MS,
        socketTimeout: IDLE_TIMEOUT_MS,
        httpAgent: { maxSockets: SOCKETS, keepAlive: true },
        httpsAgent: { maxSockets: SOCKETS, keepAlive: true },
      }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(options.keys === undefined ? {} : { credentials: options.keys }),
    }
  }
  const kept = <Client extends { destroy(): void }>(client: Client): Client => {
    opened.push(client)
    return client
  }
  const s3 = once(async () => {
    const { S3Client } = await loadPackage('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'))
    // Path style where the endpoint is another: stand-ins have no names for buckets.
    const forcePathStyle = options.endpoints?.s3 !== undefined
    return kept(new S3Client({ ...(await common('s3')), forcePathStyle }))
  })
  return {
    region: options.region,
    options,
    /** The keys of now, for what no client of the SDK signs; temporary ones are renewed in time. */
    credentials: async () => {
      const client = await s3()
      return await client.config.credentials()
    },
    s3,
    sqs: once(async () => {
      const { SQSClient } = await loadPackage('@aws-sdk/client-sqs', () => import('@aws-sdk/client-sqs'))
      // The URL of a queue names its host; with an endpoint of its own the client must not follow it.
      return kept(
        new SQSClient({ ...(await common('sqs')), useQueueUrlAsEndpoint: options.endpoints?.sqs === undefined }),
      )
    }),
    athena: once(async () => {
      const { AthenaClient } = await loadPackage('@aws-sdk/client-athena', () => import('@aws-sdk/client-athena'))
      return kept(new AthenaClient(await common('athena')))
    }),
    glue: once(async () => {
      const { GlueClient } = await loadPackage('@aws-sdk/client-glue', () => import('@aws-sdk/client-glue'))
      return kept(new GlueClient(await common('glue')))
    }),
    dynamodb: once(async () => {
      const { DynamoDBClient } = await loadPackage('@aws-sdk/client-dynamodb', () => import('@aws-sdk/client-dynamodb'))
      return kept(new DynamoDBClient(await common('dynamodb')))
    }),
    kinesis: once(async () => {
      const { KinesisClient } = await loadPackage('@aws-sdk/client-kinesis', () => import('@aws-sdk/client-kinesis'))
      // Who reads a stream paces itself: the SDK would wait up to 20 seconds, unseen, when a shard is throttled.
      return kept(new KinesisClient({ ...(await common('kinesis')), maxAttempts: 1 }))
    }),
    bedrock: once(async () => {
      const { BedrockRuntimeClient } = await loadPackage(
        '@aws-sdk/client-bedrock-runtime',
        () => import('@aws-sdk/client-bedrock-runtime'),
      )
      // Otherwise a bearer token in the environment would be sent whatever the keys are.
      return kept(new BedrockRuntimeClient({ ...(await common('bedrock')), authSchemePreference: ['aws.auth#sigv4'] }))
    }),
    s3vectors: once(async () => {
      const { S3VectorsClient } = await loadPackage(
        '@aws-sdk/client-s3vectors',
        () => import('@aws-sdk/client-s3vectors'),
      )
      return kept(new S3VectorsClient(await common('s3vectors')))
    }),
    close() {
      for (const client of opened.splice(0)) client.destroy()
    },
  }
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined
  return async () => await (made ??= make())
}

/** The name of an error of AWS, such as `AccessDenied`; `unknown` for others. Messages are not repeated: they may quote what was sent. */
export function awsErrorName(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if ('code' in error && typeof error.code === 'string') return error.code
  return /^[A-Za-z0-9]{1,80}$/.test(error.name) ? error.name : 'unknown'
}

/** Status of AWS's answer; undefined when there was none. */
export function awsStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const { $metadata: metadata } = error
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}
