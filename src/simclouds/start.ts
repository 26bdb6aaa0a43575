import { createServer, type Server } from 'node:http'
import { rttMs } from '#planner/rtt.ts'
import { AwsSessions } from './aws-sessions.ts'
import { awsSts } from './aws-sts.ts'
import { anthropic } from './anthropic.ts'
import { bedrock } from './bedrock.ts'
import { cloudRun } from './cloud-run.ts'
import { contentSafety } from './content-safety.ts'
import { KeyRing } from './entra-keys.ts'
import { mintToken, type Directory, type MintOptions } from './entra-tokens.ts'
import { entra, tokenChecker } from './entra.ts'
import { DEFAULT_SKEW_MS, FaultBook } from './faults.ts'
import { behindIam } from './google-id-tokens.ts'
import { googleTokens } from './google-tokens.ts'
import { graph } from './graph.ts'
import { language } from './language.ts'
import { closeAll, listen } from './listen.ts'
import { logsIngestion } from './logs-ingestion.ts'
import { managedIdentity } from './managed-identity.ts'
import { type DataServices, dataServices } from './data-services.ts'
import { resolveOptions, type SimCloudsOptions, type SimCloudsSettings } from './options.ts'
import { RequestLog } from './request-log.ts'
import { serve } from './serve.ts'
import { SERVICE_NAMES, type Service, type ServiceName } from './service.ts'
import { switchboard } from './switchboard.ts'
import { vertex } from './vertex.ts'

/** The simulated clouds while they run. */
export interface SimClouds {
  /** Base URL by service, without a slash at the end. */
  readonly urls: Readonly<Record<ServiceName, string>>
  readonly switchboardUrl: string
  /** The options with their defaults: ids, keys and secrets that the services accept. */
  readonly settings: SimCloudsSettings
  /** What goes wrong from now on. */
  readonly faults: FaultBook
  /** What the services received. */
  readonly requests: RequestLog
  /** Buckets, queues, tables and jobs. */
  readonly data: DataServices
  /** Makes Entra sign with a new key. Resolves with its id. */
  rotateKeys(): Promise<string>
  /**
   * An access token of the simulated Entra.
   * @throws {MintProblem} when the tenant, client or user is unknown.
   */
  mintToken(options?: MintOptions): Promise<string>
  /** Cuts every connection and stops listening. */
  close(): Promise<void>
}

interface Context {
  readonly settings: SimCloudsSettings
  readonly directory: Directory
  /** What STS has issued and Bedrock accepts. */
  readonly sessions: AwsSessions
  readonly data: DataServices
  readonly urls: Readonly<Record<ServiceName, string>>
}

/** The one table of services: a new one is named in service.ts and made here. */
const MAKERS: Readonly<Record<ServiceName, (context: Context) => Service>> = {
  entra: ({ settings, directory }) => entra(settings.places.entra, directory),
  'content-safety': ({ settings, directory }) =>
    contentSafety(settings.places['content-safety'], settings.contentSafety, tokenChecker(directory)),
  bedrock: ({ settings, sessions }) => bedrock(settings.places.bedrock, { ...settings.bedrock, sessions }),
  'cloud-run': ({ settings, urls }) => {
    const service = cloudRun(settings.places['cloud-run'], settings.cloudRun)
    const { idToken } = settings.cloudRun
    return idToken === undefined ? service : behindIam(service, { audience: urls['cloud-run'], ...idToken })
  },
  graph: ({ settings, directory }) => graph(settings.places.graph, directory),
  'logs-ingestion': ({ settings, directory }) =>
    logsIngestion(settings.places['logs-ingestion'], settings.logsIngestion, tokenChecker(directory)),
  s3: ({ settings, data }) => data.service('s3', settings.places.s3),
  language: ({ settings, directory }) => language(settings.places.language, settings.language, tokenChecker(directory)),
  'managed-identity': ({ settings, directory }) =>
    managedIdentity(settings.places['managed-identity'], settings.managedIdentity, directory),
  sts: ({ settings, directory, sessions }) =>
    awsSts(settings.places.sts, { options: settings.sts, directory, sessions }),
  'google-tokens': ({ settings, directory }) =>
    googleTokens(settings.places['google-tokens'], settings.googleTokens, directory),
  anthropic: ({ settings }) => anthropic(settings.places.anthropic, settings.anthropic),
  vertex: ({ settings }) => vertex(settings.places.vertex, settings.vertex),
  sqs: ({ settings, data }) => data.service('sqs', settings.places.sqs),
  athena: ({ settings, data }) => data.service('athena', settings.places.athena),
  glue: ({ settings, data }) => data.service('glue', settings.places.glue),
  s3vectors: ({ settings, data }) => data.service('s3vectors', settings.places.s3vectors),
  opensearch: ({ settings, data }) => data.service('opensearch', settings.places.opensearch),
}

/**
 * Starts every simulated service, each on a port of its own, and the switchboard.
 * @throws {RangeError} when a place is in no table of regions and latency is simulated.
 */
export async function startSimClouds(options: SimCloudsOptions = {}): Promise<SimClouds> {
  const settings = resolveOptions(options)
  const delays = byService((name) => delayMs(settings, name))
  const servers: Server[] = []
  try {
    return await start(settings, delays, servers)
  } catch (error) {
    await closeAll(servers)
    throw error
  }
}

async function start(
  settings: SimCloudsSettings,
  delays: Readonly<Record<ServiceName, number>>,
  servers: Server[],
): Promise<SimClouds> {
  const book = new FaultBook()
  for (const fault of settings.faults) book.set(fault)
  const log = new RequestLog(settings.logSize)
  const keys = await KeyRing.create(settings.entra.oldKeyMs)
  const opened = await Promise.all(
    SERVICE_NAMES.map(async (name) => {
      const server = createServer()
      servers.push(server)
      return { name, server, url: await listen(server, settings.host, settings.ports[name]) }
    }),
  )
  const urls = byService((name) => opened.find((each) => each.name === name)?.url ?? '')
  const directory = { options: settings.entra, keys, baseUrl: urls.entra }
  const sessions = new AwsSessions()
  const data = dataServices({ s3: { ...settings.s3, sessions }, athena: settings.athena })
  const services = opened.map(({ name, server, url }) => {
    const service = MAKERS[name]({ settings, directory, sessions, data, urls })
    serve(server, service, { book, log, roundTripMs: delays[name] })
    return { name, url, place: settings.places[name], state: () => service.state?.() }
  })
  const mint = (wanted: MintOptions = {}) => mintToken(directory, { skewMs: skewOf(book), ...wanted })
  const rotateKeys = () => keys.rotate()
  const board = switchboard({ book, log, services, rotateKeys, mintToken: mint })
  servers.push(board)
  const switchboardUrl = await listen(board, settings.host, settings.switchboardPort)
  return {
    urls,
    switchboardUrl,
    settings,
    faults: book,
    requests: log,
    data,
    rotateKeys,
    mintToken: mint,
    close: async () => {
      await closeAll(servers)
      await data.close()
    },
  }
}

function delayMs(settings: SimCloudsSettings, name: ServiceName): number {
  if (settings.latencyScale === 0) return 0
  return rttMs(settings.from, settings.places[name]).ms * settings.latencyScale
}

/** A clock that is wrong is wrong for every token, whoever asks for it. */
function skewOf(book: FaultBook): number {
  const skew = book.list().find((fault) => fault.kind === 'skew')
  return skew === undefined ? 0 : (skew.ms ?? DEFAULT_SKEW_MS)
}

function byService<Value>(valueOf: (name: ServiceName) => Value): Record<ServiceName, Value> {
  return {
    entra: valueOf('entra'),
    'content-safety': valueOf('content-safety'),
    bedrock: valueOf('bedrock'),
    'cloud-run': valueOf('cloud-run'),
    graph: valueOf('graph'),
    'logs-ingestion': valueOf('logs-ingestion'),
    s3: valueOf('s3'),
    language: valueOf('language'),
    'managed-identity': valueOf('managed-identity'),
    sts: valueOf('sts'),
    'google-tokens': valueOf('google-tokens'),
    anthropic: valueOf('anthropic'),
    vertex: valueOf('vertex'),
    sqs: valueOf('sqs'),
    athena: valueOf('athena'),
    glue: valueOf('glue'),
    s3vectors: valueOf('s3vectors'),
    opensearch: valueOf('opensearch'),
  }
}
