/** Kinesis and DynamoDB on this machine: kinesis-local and dynalite, each a process of its own. */
import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CreateTableCommand, DescribeTableCommand } from '@aws-sdk/client-dynamodb'
import type { CreateTableCommandInput } from '@aws-sdk/client-dynamodb'
import { CreateStreamCommand, DescribeStreamSummaryCommand, PutRecordsCommand } from '@aws-sdk/client-kinesis'
import { openAws } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'

export const REGION = 'us-east-1'
export const KEYS = { accessKeyId: 'AKIDLOCAL', secretAccessKey: 'local-secret' }

export interface LocalService {
  readonly url: string
  close(): void
}

const LOOPBACK_ONLY = new URL('./loopback-only.ts', import.meta.url).href

/** Starts a stand-in that knows nothing of free ports or loopback. */
async function start(main: string, environment: Readonly<Record<string, string>> = {}): Promise<LocalService> {
  const path = fileURLToPath(main)
  const child = spawn(process.execPath, ['--import', LOOPBACK_ONLY, path], {
    // Certificates are looked for where it runs.
    cwd: dirname(path),
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  let printed = ''
  return await new Promise((resolve, reject) => {
    child.stdout.on('data', (piece: Buffer) => {
      printed = (printed + piece.toString()).slice(-2000)
      for (const [, port] of printed.matchAll(/listening (\d+)\n/g)) {
        const url = `http://127.0.0.1:${port}`
        // What it answers does not matter; a port for TLS answers nothing.
        fetch(url, { method: 'POST' }).then(
          () => resolve({ url, close: () => void child.kill('SIGKILL') }),
          () => undefined,
        )
      }
    })
    child.once('exit', () => reject(new Error(`the stand-in ended: ${printed}`)))
  })
}

export async function startDynamo(): Promise<LocalService> {
  return await start(import.meta.resolve('dynalite/cli.js'))
}

export async function startKinesis(): Promise<LocalService> {
  const [soon, port] = ['20ms', '0']
  return await start(import.meta.resolve('kinesis-local/main.js'), {
    KINESIS_MOCK_PLAIN_PORT: port,
    KINESIS_MOCK_TLS_PORT: port,
    CREATE_STREAM_DURATION: soon,
    SPLIT_SHARD_DURATION: soon,
    MERGE_SHARDS_DURATION: soon,
    LOG_LEVEL: 'ERROR',
    SHARD_LIMIT: '200',
  })
}

/** Clients of these services. */
export function localAws(endpoints: { readonly kinesis?: string; readonly dynamodb?: string }): Aws {
  return openAws({ region: REGION, keys: KEYS, endpoints })
}

/** Makes a table and waits until it can be used. Its throughput is as much as anybody wants. */
export async function createTable(
  aws: Aws,
  table: Pick<CreateTableCommandInput, 'TableName' | 'KeySchema' | 'AttributeDefinitions'>,
): Promise<void> {
  const client = await aws.dynamodb()
  await client.send(new CreateTableCommand({ ...table, BillingMode: 'PAY_PER_REQUEST' }))
  for (;;) {
    const { Table: made } = await client.send(new DescribeTableCommand({ TableName: table.TableName }))
    if (made?.TableStatus === 'ACTIVE') return
    await wait(20)
  }
}

export async function createLeases(aws: Aws, name: string): Promise<void> {
  await createTable(aws, {
    TableName: name,
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  })
}

export async function createStream(aws: Aws, name: string, shards: number): Promise<void> {
  const client = await aws.kinesis()
  await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }))
  await streamIsActive(aws, name)
}

export async function streamIsActive(aws: Aws, name: string): Promise<void> {
  const client = await aws.kinesis()
  for (;;) {
    const { StreamDescriptionSummary: summary } = await client.send(
      new DescribeStreamSummaryCommand({ StreamName: name }),
    )
    if (summary?.StreamStatus === 'ACTIVE') return
    await wait(20)
  }
}

/** Puts events in their order; the id is the partition key. */
export async function putEvents(
  aws: Aws,
  stream: string,
  events: readonly ({ readonly id: string } & Readonly<Record<string, unknown>>)[],
): Promise<void> {
  const client = await aws.kinesis()
  for (let at = 0; at < events.length; at += 500) {
    const answer = await client.send(
      new PutRecordsCommand({
        StreamName: stream,
        Records: events
          .slice(at, at + 500)
          .map((event) => ({ PartitionKey: event.id, Data: new TextEncoder().encode(JSON.stringify(event)) })),
      }),
    )
    if ((answer.FailedRecordCount ?? 0) > 0) throw new Error('Kinesis did not take every record')
  }
}
