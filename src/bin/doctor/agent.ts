import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '#config/load.ts'
import type { SecretLookUp } from '#config/secrets.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import type { ItemTable, NamedQuery } from '#dataplane/facts/facts.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { dataPlaneSection } from '#bin/data-plane.ts'
import { awsOf, openDataSources } from '#bin/data-sources.ts'
import type { Chain, Step } from './walk.ts'

type Loaded = ReturnType<typeof dataPlaneSection>

/** One look must end: a queue or a stream may have nothing to say. */
const LOOK_MS = 20_000

/**
 * Walks what the agent reads, from the machine that it runs on: sources, queries, tables and models. Reads next to
 * nothing and writes nothing; the Glue jobs of collections are looked at and not started.
 * @throws {ConfigProblems} when the file can not be used.
 */
export async function examineAgent(file: string, environment: SecretLookUp['environment']): Promise<Chain[]> {
  const loaded = dataPlaneSection(await loadConfig(file))
  const scratch = await mkdtemp(join(tmpdir(), 'thinplane-doctor-'))
  const faults: unknown[] = []
  const aws = awsOf(loaded, environment)
  const sources = openDataSources(withoutJobs(loaded, scratch), environment, (fault) => faults.push(fault))
  try {
    const chains = [
      ...sources.collections.map(async (collection) => await collectionChain(collection, loaded, aws)),
      ...Array.from(sources.facts.queries.values(), queryChain),
      ...Array.from(sources.facts.tables.values(), async (table) => await tableChain(table, loaded)),
      modelChain('embedding', sources.embedder.model, async () => await sources.embedder.embedQuery('ready')),
    ]
    const { reranker } = sources
    if (reranker !== undefined) {
      const score = async () => await reranker.score('a', ['a', 'b'], AbortSignal.timeout(LOOK_MS))
      chains.push(modelChain('rerank', reranker.model, score))
    }
    return await Promise.all(chains)
  } finally {
    await Promise.allSettled([
      sources.embedder.close(),
      sources.engine.close(),
      ...Array.from(sources.facts.queries.values(), async ({ engine }) => await engine.close()),
    ])
    sources.close()
    aws.close()
    await rm(scratch, { recursive: true, force: true })
  }
}

/** The same sources, with a folder of their own for what they keep, and without what would start something. */
function withoutJobs(loaded: Loaded, scratch: string): Loaded {
  const collections = Object.entries(loaded.dataPlane.collections).map(([name, { s3, ...collection }]) => [
    name,
    s3 === undefined ? collection : { ...collection, s3: { ...s3, job: undefined, queue: undefined } },
  ])
  const resolve = (path: string): string => (path === loaded.dataPlane.data ? scratch : loaded.resolve(path))
  const own = { collections: Object.fromEntries(collections) as Loaded['dataPlane']['collections'] }
  return { ...loaded, resolve, dataPlane: { ...loaded.dataPlane, ...own } }
}

async function collectionChain({ name, source }: Collection, { dataPlane }: Loaded, aws: Aws): Promise<Chain> {
  const { s3, kinesis } = dataPlane.collections[name] ?? {}
  const bucket = s3 === undefined ? '' : `arn:aws:s3:::${s3.bucket}`
  const steps: Step[] = []
  if ('list' in source) {
    const mend =
      s3 === undefined
        ? [`look at \`folder\` of the collection, and who may read it`]
        : [`allow \`s3:ListBucket\` on \`${bucket}\` to the role of the agent, and look at the region`]
    steps.push(
      await look('list', mend, async (signal) => {
        for await (const object of source.list(signal)) {
          if (s3 !== undefined && (await source.find?.(object.document, signal)) === undefined) continue
          return 'its first document can be had'
        }
        return 'it can be listed and holds nothing'
      }),
    )
  }
  if (kinesis !== undefined) {
    const { stream, leases } = kinesis
    const reads = [`allow \`kinesis:ListShards\`, \`GetShardIterator\` and \`GetRecords\` on the stream \`${stream}\``]
    const holds = [`make the table \`${leases}\` with the key \`id\` (text), and allow the agent to read and write it`]
    steps.push(
      await look('stream', reads, async (signal) => await lookAtStream(aws, stream, signal)),
      await look('leases', holds, async (signal) => await lookAtLeases(aws, leases, signal)),
    )
  }
  if (s3?.queue !== undefined) {
    const mend = [
      `allow \`sqs:ReceiveMessage\`, \`sqs:DeleteMessage\`, \`sqs:ChangeMessageVisibility\` and \`sqs:GetQueueAttributes\` on the queue`,
    ]
    steps.push(await look('queue', mend, async (signal) => await lookAtQueue(aws, s3.queue ?? '', signal)))
  }
  if (s3?.job !== undefined) {
    const { name: job } = s3.job
    const mend = ['allow `glue:StartJobRun`, `glue:GetJobRun` and `glue:GetJobRuns` on the job, and look at its name']
    steps.push(await look('job', mend, async (signal) => await lookAtJob(aws, job, signal)))
  }
  return { name: `dataPlane.collections.${name}`, endpoint: source.name, steps }
}

async function lookAtStream(aws: Aws, stream: string, signal: AbortSignal): Promise<string> {
  const { ListShardsCommand } = await loadPackage('@aws-sdk/client-kinesis', () => import('@aws-sdk/client-kinesis'))
  const client = await aws.kinesis()
  const { Shards: shards = [] } = await client.send(new ListShardsCommand({ StreamName: stream }), {
    abortSignal: signal,
  })
  return `${shards.length} shards`
}

async function lookAtLeases(aws: Aws, table: string, signal: AbortSignal): Promise<string> {
  const { GetItemCommand } = await loadPackage('@aws-sdk/client-dynamodb', () => import('@aws-sdk/client-dynamodb'))
  const client = await aws.dynamodb()
  await client.send(new GetItemCommand({ TableName: table, Key: { id: { S: 'thinplane-doctor' } } }), {
    abortSignal: signal,
  })
  return 'it can be read'
}

async function lookAtQueue(aws: Aws, queue: string, signal: AbortSignal): Promise<string> {
  const { GetQueueAttributesCommand } = await loadPackage('@aws-sdk/client-sqs', () => import('@aws-sdk/client-sqs'))
  const client = await aws.sqs()
  const names = ['ApproximateNumberOfMessages', 'RedrivePolicy'] as const
  const answer = await client.send(new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: [...names] }), {
    abortSignal: signal,
  })
  const waiting = `some ${answer.Attributes?.['ApproximateNumberOfMessages'] ?? '0'} messages wait`
  // Without one, what nobody understands comes again until it is too old.
  return answer.Attributes?.['RedrivePolicy'] === undefined ? `${waiting}; it has no dead-letter queue` : waiting
}

async function lookAtJob(aws: Aws, job: string, signal: AbortSignal): Promise<string> {
  const { GetJobRunsCommand } = await loadPackage('@aws-sdk/client-glue', () => import('@aws-sdk/client-glue'))
  const client = await aws.glue()
  const { JobRuns: runs = [] } = await client.send(new GetJobRunsCommand({ JobName: job, MaxResults: 1 }), {
    abortSignal: signal,
  })
  return runs.length === 0 ? 'it has never run' : `its last run is ${runs[0]?.JobRunState ?? 'unknown'}`
}

async function queryChain({ name, engine, ...query }: NamedQuery): Promise<Chain> {
  const probe: NamedQuery = { ...query, name, engine, sql: 'SELECT 1', params: {} }
  const mend = [
    'Athena: allow `athena:StartQueryExecution`, `GetQueryExecution`, `GetQueryResults` and `StopQueryExecution` on the workgroup, and writing where its results go',
    'DuckDB: look at the files of its tables',
  ]
  const step = await look('run', mend, async (signal) => {
    await engine.run(probe, {}, signal)
    return 'a query runs'
  })
  return { name: `dataPlane.queries.${name}`, endpoint: query.title || name, steps: [step] }
}

async function tableChain(table: ItemTable, { dataPlane }: Loaded): Promise<Chain> {
  const dynamodb = dataPlane.tables[table.name]?.dynamodb ?? ''
  const key = Object.fromEntries(
    Object.entries(table.key).map(([name, { type }]) => [
      name,
      type === 'integer' || type === 'number' ? 0 : 'thinplane-doctor',
    ]),
  )
  const mend = [`allow \`dynamodb:BatchGetItem\` on the table \`${dynamodb}\`, and compare \`key\` with its key`]
  const step = await look('get', mend, async (signal) => {
    await table.get([key], signal)
    return 'items can be asked for'
  })
  return { name: `dataPlane.tables.${table.name}`, endpoint: dynamodb, steps: [step] }
}

async function modelChain(section: string, model: string, ask: () => Promise<unknown>): Promise<Chain> {
  const mend = [`allow \`bedrock:InvokeModel\` on \`${model.split('/')[0]}\`, and access to the model in this region`]
  const step = await look('ask', mend, async () => {
    await ask()
    return 'it answers'
  })
  return { name: `dataPlane.${section}`, endpoint: model, steps: [step] }
}

async function look(
  step: string,
  mend: readonly string[],
  ask: (signal: AbortSignal) => Promise<string>,
): Promise<Step> {
  try {
    return { step, status: 'ok', detail: await ask(AbortSignal.timeout(LOOK_MS)), mend: [] }
  } catch (error) {
    return { step, status: 'failed', detail: reasonOf(error), mend }
  }
}

/** Our own words where there are some, else AWS's name of the error. */
function reasonOf(error: unknown): string {
  const name = awsErrorName(error)
  const isOurs =
    error instanceof Error && ['FactError', 'EmbedError', 'RerankError', 'MissingPackageError'].includes(error.name)
  return isOurs ? error.message : `it does not answer (${name})`
}
