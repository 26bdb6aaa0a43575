import { type Server, createServer } from 'node:http'
import type { Place } from '#contract/place.ts'
import { AwsSessions, type AwsSession, readPolicy } from './aws-sessions.ts'
import { bedrock } from './bedrock.ts'
import { dataServices } from './data-services.ts'
import { FaultBook } from './faults.ts'
import type { GlueCatalogue } from './glue/catalogue.ts'
import type { GlueJobs } from './glue/jobs.ts'
import { closeAll, listen } from './listen.ts'
import { ATHENA, type AthenaOptions } from './options.ts'
import { RequestLog } from './request-log.ts'
import type { S3Store } from './s3/store.ts'
import type { VectorBuckets } from './s3vectors/vector-buckets.ts'
import { serve } from './serve.ts'
import { type NotificationFilter, type NotificationSwitches, notify } from './s3/notify.ts'
import type { Service } from './service.ts'
import type { SqsQueues } from './sqs/queues.ts'

export interface StartAwsOptions {
  /** Default `us-east-1`. */
  readonly region?: string
  /** Default `AKIASIMULATED0000000`. */
  readonly accessKeyId?: string
  /** Default `simulated-secret-access-key`. */
  readonly secretAccessKey?: string
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string
  /** Simulated round trip between the callers and the services, in milliseconds. Default 0. */
  readonly latencyMs?: number
  /** Requests kept for each service. Default 200. */
  readonly logSize?: number
  /** Whether the entity tags of S3 are not the MD5 of anything. Default false. */
  readonly opaqueEtags?: boolean
  readonly athena?: Partial<AthenaOptions>
}

/** The data services of one region while they run. */
export interface RunningAws {
  /** Base URL by service, without a slash at the end. */
  readonly urls: Readonly<Record<AwsServiceName, string>>
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** The buckets. */
  readonly s3: S3Store
  readonly queues: SqsQueues
  /** Databases and tables. */
  readonly catalogue: GlueCatalogue
  readonly jobs: GlueJobs
  /** Vector buckets. */
  readonly vectors: VectorBuckets
  /** What goes wrong from now on. */
  readonly faults: FaultBook
  /** What the services received. */
  readonly requests: RequestLog
  /**
   * Sends the events of a bucket into a queue, a test event first. The switches make their delivery worse.
   * @throws when there is no such bucket or queue.
   */
  notify(bucket: string, queue: string, filter?: NotificationFilter): NotificationSwitches
  /**
   * Temporary credentials that every service accepts, for so many seconds; with a policy, Bedrock alone and as it says.
   * @throws {TypeError} when the policy is none.
   */
  issueSession(lifetimeS: number, policy?: string): AwsSession
  /** Cuts every connection and stops listening. */
  close(): Promise<void>
}

const AWS_NAMES = ['s3', 'sqs', 'athena', 'glue', 's3vectors', 'opensearch', 'bedrock'] as const

type AwsServiceName = (typeof AWS_NAMES)[number]

/** Starts the services of the data plane's own cloud, each on a port of its own, and no other cloud. */
export async function startAws(options: StartAwsOptions = {}): Promise<RunningAws> {
  const { host = '127.0.0.1', latencyMs = 0, logSize = 200, region = 'us-east-1', opaqueEtags = false } = options
  const { accessKeyId = 'AKIASIMULATED0000000', secretAccessKey = 'simulated-secret-access-key' } = options
  const place: Place = { cloud: 'aws', region }
  const sessions = new AwsSessions()
  const account = { region, accessKeyId, secretAccessKey, sessions }
  const data = dataServices({ s3: { ...account, bucket: '', opaqueEtags }, athena: { ...ATHENA, ...options.athena } })
  const { store, queues, catalogue, jobs, vectors } = data
  const serviceOf = (name: AwsServiceName): Service =>
    name === 'bedrock'
      ? bedrock(place, { ...account, apiKey: undefined, models: undefined, firstTokenMs: 0, tokenMs: 0 })
      : data.service(name, place)
  const faults = new FaultBook()
  const requests = new RequestLog(logSize)
  const servers: Server[] = []
  const open = async (name: AwsServiceName): Promise<string> => {
    const server = createServer()
    servers.push(server)
    const url = await listen(server, host, 0)
    serve(server, serviceOf(name), { book: faults, log: requests, roundTripMs: latencyMs })
    return url
  }
  return {
    urls: {
      s3: await open('s3'),
      sqs: await open('sqs'),
      athena: await open('athena'),
      glue: await open('glue'),
      s3vectors: await open('s3vectors'),
      opensearch: await open('opensearch'),
      bedrock: await open('bedrock'),
    },
    region,
    accessKeyId,
    secretAccessKey,
    s3: store,
    queues,
    catalogue,
    jobs,
    vectors,
    faults,
    requests,
    notify: (bucket, queueName, filter) => {
      const queue = queues.byName(queueName)
      return notify(store.bucket(bucket), region, (body) => void queue.send(body), filter)
    },
    issueSession: (lifetimeS, policyText) => {
      const policy = policyText === undefined ? undefined : readPolicy(policyText)
      if (policyText !== undefined && policy === undefined) throw new TypeError('the text is no policy of IAM')
      return sessions.issue(lifetimeS, policy)
    },
    close: async () => {
      await closeAll(servers)
      await data.close()
    },
  }
}
