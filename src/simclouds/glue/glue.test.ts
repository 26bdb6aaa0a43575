import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import {
  CreateDatabaseCommand,
  GetDatabaseCommand,
  GetDatabasesCommand,
  GetJobRunCommand,
  GetJobRunsCommand,
  GetPartitionsCommand,
  GetTableCommand,
  GetTablesCommand,
  GlueClient,
  StartJobRunCommand,
} from '@aws-sdk/client-glue'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { clientSettings, refused, withAws } from '#simclouds/aws.suite.ts'
import type { RunningAws } from '#simclouds/start-aws.ts'

interface Stand {
  readonly aws: RunningAws
  readonly client: GlueClient
  readonly put: (Key: string) => Promise<unknown>
}

function withGlue(body: (stand: Stand) => Promise<void>): Promise<void> {
  return withAws(async (aws) => {
    aws.s3.createBucket('lake')
    aws.catalogue.createDatabase('sales')
    aws.catalogue.createTable('sales', 'orders', {
      location: 's3://lake/orders/',
      format: 'parquet',
      columns: [{ name: 'id', type: 'bigint', comment: 'the order' }],
      partitionKeys: [
        { name: 'year', type: 'int' },
        { name: 'region', type: 'string' },
      ],
    })
    const client = new GlueClient(clientSettings(aws, 'glue'))
    const s3 = new S3Client({ ...clientSettings(aws, 's3'), forcePathStyle: true })
    await body({ aws, client, put: (Key) => s3.send(new PutObjectCommand({ Bucket: 'lake', Key, Body: 'x' })) })
    client.destroy()
    s3.destroy()
  })
}

test('the catalogue says what a table is made of', () =>
  withGlue(async ({ client }) => {
    const { Table } = await client.send(new GetTableCommand({ DatabaseName: 'SALES', Name: 'Orders' }))
    assert.deepEqual([Table?.Name, Table?.DatabaseName, Table?.TableType], ['orders', 'sales', 'EXTERNAL_TABLE'])
    assert.deepEqual(Table?.StorageDescriptor?.Columns, [{ Name: 'id', Type: 'bigint', Comment: 'the order' }])
    assert.equal(Table?.StorageDescriptor?.Location, 's3://lake/orders/')
    assert.match(Table?.StorageDescriptor?.SerdeInfo?.SerializationLibrary ?? '', /ParquetHiveSerDe$/)
    assert.deepEqual(
      Table?.PartitionKeys?.map(({ Name }) => Name),
      ['year', 'region'],
    )
    assert.ok(Math.abs(Date.now() - (Table?.CreateTime?.getTime() ?? 0)) < 5_000)
    const { Database } = await client.send(new GetDatabaseCommand({ Name: 'sales' }))
    assert.equal(Database?.Name, 'sales')
  }))

test('lists come in pages, and tables can be chosen by name', () =>
  withGlue(async ({ aws, client }) => {
    aws.catalogue.createDatabase('archive')
    const plain = { location: 's3://lake/x/', format: 'csv', columns: [{ name: 'a', type: 'string' }] } as const
    for (const name of ['order_lines', 'people']) aws.catalogue.createTable('sales', name, plain)
    const names = async (Expression?: string) =>
      (await client.send(new GetTablesCommand({ DatabaseName: 'sales', Expression }))).TableList?.map(
        ({ Name }) => Name,
      )
    assert.deepEqual(await names(), ['order_lines', 'orders', 'people'])
    assert.deepEqual(await names('order*'), ['order_lines', 'orders'])
    assert.deepEqual(await names('people|orders'), ['orders', 'people'])
    const first = await client.send(new GetDatabasesCommand({ MaxResults: 1 }))
    assert.deepEqual([first.DatabaseList?.[0]?.Name, typeof first.NextToken], ['archive', 'string'])
    const second = await client.send(new GetDatabasesCommand({ MaxResults: 1, NextToken: first.NextToken }))
    assert.deepEqual([second.DatabaseList?.[0]?.Name, second.NextToken], ['sales', undefined])
    assert.throws(() => aws.catalogue.createDatabase('sales'), { type: 'AlreadyExistsException' })
    assert.throws(() => aws.catalogue.createTable('sales', 'No Name', plain), { type: 'InvalidInputException' })
    assert.throws(() => aws.catalogue.createTable('sales', 't', { ...plain, location: 'lake' }), {
      type: 'InvalidInputException',
    })
  }))

test('partitions are what lies in the folders, chosen by an expression', () =>
  withGlue(async ({ client, put }) => {
    for (const folder of [
      'year=2024/region=eu',
      'year=2025/region=eu',
      'year=2025/region=us',
      'year=2026/region=a%20b',
    ])
      await put(`orders/${folder}/data.parquet`)
    await put('orders/year=2027/region=eu/_SUCCESS')
    const values = async (Expression?: string) => {
      const command = new GetPartitionsCommand({ DatabaseName: 'sales', TableName: 'orders', Expression })
      return (await client.send(command)).Partitions?.map(({ Values = [] }) => Values.join(' '))
    }
    assert.deepEqual(await values(), ['2024 eu', '2025 eu', '2025 us', '2026 a b'])
    for (const [expression, want] of [
      ["region = 'eu'", ['2024 eu', '2025 eu']],
      ["year >= 2025 AND region <> 'eu'", ['2025 us', '2026 a b']],
      ["year = '2024' or (year = 2025 and region = 'us')", ['2024 eu', '2025 us']],
      ['year BETWEEN 2025 AND 2030', ['2025 eu', '2025 us', '2026 a b']],
      ["region IN ('us', 'a b')", ['2025 us', '2026 a b']],
      ["NOT region LIKE 'e%'", ['2025 us', '2026 a b']],
      ["region not in ('eu')", ['2025 us', '2026 a b']],
      ['year < 1000', []],
    ] as const) {
      assert.deepEqual(await values(expression), want, expression)
    }
    for (const bad of [
      'id = 1',
      'year',
      'year = 2025 extra',
      "region = eu'",
      'year = 1; DROP',
      '(year = 1',
      'region = 1',
    ])
      await refused(values(bad), 'InvalidInputException', 400, /Unsupported expression/)
    const command = new GetPartitionsCommand({ DatabaseName: 'sales', TableName: 'orders', MaxResults: 1 })
    const { Partitions, NextToken } = await client.send(command)
    assert.equal(Partitions?.[0]?.StorageDescriptor?.Location, 's3://lake/orders/year=2024/region=eu/')
    assert.equal(typeof NextToken, 'string')
  }))

test('what is not there, or no request, is refused', () =>
  withGlue(async ({ aws, client }) => {
    const table = (DatabaseName: string, Name: string) => client.send(new GetTableCommand({ DatabaseName, Name }))
    await refused(table('none', 'orders'), 'EntityNotFoundException', 400, /Database none not found/)
    await refused(table('sales', 'none'), 'EntityNotFoundException', 400, /Table none not found/)
    await refused(table('sales', 'x'.repeat(300)), 'ValidationException', 400, /Name/)
    await refused(client.send(new GetDatabasesCommand({ MaxResults: 101 })), 'ValidationException', 400)
    await refused(client.send(new GetDatabasesCommand({ NextToken: 'x' })), 'InvalidInputException', 400)
    const create = new CreateDatabaseCommand({ DatabaseInput: { Name: 'x' } })
    await refused(client.send(create), 'UnknownOperationException', 400)
    aws.faults.set({ service: 'glue', kind: 'throttle', count: 1 })
    await refused(client.send(new GetDatabasesCommand({})), 'ThrottlingException', 400)
    for (const [credentials, name] of [
      [{ accessKeyId: aws.accessKeyId, secretAccessKey: 'wrong' }, 'InvalidSignatureException'],
      [{ accessKeyId: 'AKIAOTHER', secretAccessKey: 'wrong' }, 'UnrecognizedClientException'],
      [aws.issueSession(-1), 'ExpiredTokenException'],
    ] as const) {
      const other = new GlueClient({ ...clientSettings(aws, 'glue'), credentials })
      await refused(other.send(new GetDatabasesCommand({})), name, 400)
      other.destroy()
    }
  }))

test('a job runs, does its work, and says so; one that fails says why', () =>
  withGlue(async ({ aws, client }) => {
    const seen: unknown[] = []
    aws.jobs.onJob('compact', { startMs: 30, runMs: 60, run: (args) => void seen.push(args) })
    aws.jobs.onJob('broken', {
      run: () => {
        throw new TypeError('no column `id`')
      },
    })
    const start = (JobName: string, Arguments = {}) => client.send(new StartJobRunCommand({ JobName, Arguments }))
    const state = async (JobName: string, RunId: string | undefined) =>
      (await client.send(new GetJobRunCommand({ JobName, RunId }))).JobRun
    const { JobRunId } = await start('compact', { '--day': '2026-11-25' })
    assert.match(JobRunId ?? '', /^jr_[0-9a-f]{64}$/)
    assert.equal((await state('compact', JobRunId))?.JobRunState, 'STARTING')
    await refused(start('compact'), 'ConcurrentRunsExceededException', 400)
    const states = new Set<string>()
    let run = await state('compact', JobRunId)
    while (run?.CompletedOn === undefined) {
      states.add(run?.JobRunState ?? '')
      await sleep(10)
      run = await state('compact', JobRunId)
    }
    assert.ok(states.has('RUNNING'))
    assert.equal(run.JobRunState, 'SUCCEEDED')
    assert.deepEqual(seen, [{ '--day': '2026-11-25' }])
    const failed = await start('broken')
    await sleep(30)
    const broken = await state('broken', failed.JobRunId)
    assert.deepEqual([broken?.JobRunState, broken?.ErrorMessage], ['FAILED', 'TypeError: no column `id`'])
    const again = await client.send(new StartJobRunCommand({ JobName: 'compact', JobRunId }))
    await sleep(150)
    const { JobRuns } = await client.send(new GetJobRunsCommand({ JobName: 'compact' }))
    assert.deepEqual(
      JobRuns?.map(({ Id, Attempt }) => [Id, Attempt]),
      [
        [again.JobRunId, 1],
        [JobRunId, 0],
      ],
    )
    assert.equal(seen.length, 2)
    await refused(start('none'), 'EntityNotFoundException', 400, /none/)
    await refused(state('compact', 'jr_none'), 'EntityNotFoundException', 400)
  }))
