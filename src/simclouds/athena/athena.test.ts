import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  ListDatabasesCommand,
  type QueryExecution,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { DuckDBInstance } from '@duckdb/node-api'
import { clientSettings, refused, withAws } from '#simclouds/aws.suite.ts'
import type { RunningAws, StartAwsOptions } from '#simclouds/start-aws.ts'

type StartInput = Partial<StartQueryExecutionCommand['input']>

interface Stand {
  readonly aws: RunningAws
  readonly client: AthenaClient
  readonly put: (Key: string, Body: string | Uint8Array) => Promise<unknown>
  readonly start: (QueryString: string, more?: StartInput) => Promise<string>
  /** Waits until the query is over. */
  readonly ended: (id: string) => Promise<QueryExecution>
  /** The rows of a query that succeeds, header first. */
  readonly rows: (QueryString: string, more?: StartInput) => Promise<readonly (readonly (string | undefined)[])[]>
  /** State and reason of a query. */
  readonly outcome: (QueryString: string, more?: StartInput) => Promise<string>
}

const PEOPLE = 'id,name,born,score\n1,"Ada, Countess",1815-12-10,1.5\n2,Grace,1906-12-09,\n3,,x,20000000\n'

function withAthena(body: (stand: Stand) => Promise<void>, options: StartAwsOptions = {}): Promise<void> {
  return withAws(async (aws) => {
    aws.s3.createBucket('lake')
    aws.catalogue.createDatabase('sales')
    aws.catalogue.createTable('sales', 'people', {
      location: 's3://lake/people/',
      format: 'csv',
      headerLines: 1,
      columns: [
        { name: 'id', type: 'int' },
        { name: 'name', type: 'string' },
        { name: 'born', type: 'date' },
        { name: 'score', type: 'double' },
      ],
    })
    const client = new AthenaClient(clientSettings(aws, 'athena'))
    const s3 = new S3Client({ ...clientSettings(aws, 's3'), forcePathStyle: true })
    const start: Stand['start'] = async (QueryString, more) => {
      const QueryExecutionContext = { Database: 'sales' }
      const started = await client.send(new StartQueryExecutionCommand({ QueryString, QueryExecutionContext, ...more }))
      return started.QueryExecutionId ?? ''
    }
    const ended: Stand['ended'] = async (QueryExecutionId) => {
      for (;;) {
        const { QueryExecution } = await client.send(new GetQueryExecutionCommand({ QueryExecutionId }))
        if (QueryExecution?.Status?.CompletionDateTime !== undefined) return QueryExecution
        await sleep(10)
      }
    }
    const rows: Stand['rows'] = async (sql, more) => {
      const id = await start(sql, more)
      const { Status } = await ended(id)
      assert.equal(Status?.State, 'SUCCEEDED', Status?.StateChangeReason)
      const { ResultSet } = await client.send(new GetQueryResultsCommand({ QueryExecutionId: id }))
      return (ResultSet?.Rows ?? []).map(({ Data = [] }) => Data.map(({ VarCharValue }) => VarCharValue))
    }
    const outcome: Stand['outcome'] = async (sql, more) => {
      const { Status } = await ended(await start(sql, more))
      return `${Status?.State ?? ''} ${Status?.StateChangeReason ?? ''}`
    }
    const put: Stand['put'] = (Key, Body) => s3.send(new PutObjectCommand({ Bucket: 'lake', Key, Body }))
    await put('people/1.csv', PEOPLE)
    await body({ aws, client, put, start, ended, rows, outcome })
    client.destroy()
    s3.destroy()
  }, options)
}

test('a query reads CSV: the header is the first row, every value is text, and NULL is absent', () =>
  withAthena(async ({ client, start, ended, rows }) => {
    assert.deepEqual(await rows('SELECT * FROM people ORDER BY id'), [
      ['id', 'name', 'born', 'score'],
      ['1', 'Ada, Countess', '1815-12-10', '1.5'],
      ['2', 'Grace', '1906-12-09', undefined],
      ['3', undefined, undefined, '2.0E7'],
    ])
    const aliased = 'SELECT a.id FROM people a JOIN sales.people AS "the other" ON a.id = "the other".id WHERE a.id = 3'
    assert.deepEqual(await rows(aliased), [['id'], ['3']])
    const within = '/* who */ WITH x AS (SELECT id FROM people) SELECT max(id) AS m FROM x'
    assert.deepEqual(await rows(within), [['m'], ['3']])
    const id = await start(
      'SELECT count(*) AS n, sum(id) AS total, 7 / 2 AS half, CAST(1.2 AS decimal(10,2)) AS price FROM "awsdatacatalog"."sales"."people"',
    )
    const { Statistics, EngineVersion, ResultConfiguration } = await ended(id)
    assert.equal(Statistics?.DataScannedInBytes, PEOPLE.length)
    assert.equal(Statistics?.ResultReuseInformation?.ReusedPreviousResult, false)
    assert.equal(EngineVersion?.EffectiveEngineVersion, 'Athena engine version 3')
    assert.equal(ResultConfiguration?.OutputLocation, `s3://simulated-athena-results/${id}.csv`)
    const { ResultSet, UpdateCount } = await client.send(new GetQueryResultsCommand({ QueryExecutionId: id }))
    assert.equal(UpdateCount, 0)
    assert.deepEqual(
      ResultSet?.Rows?.[1]?.Data?.map(({ VarCharValue }) => VarCharValue),
      ['3', '6', '3', '1.20'],
    )
    assert.deepEqual(
      ResultSet?.ResultSetMetadata?.ColumnInfo?.map(({ Name, Type, Precision, Scale }) => [
        Name,
        Type,
        Precision,
        Scale,
      ]),
      [
        ['n', 'bigint', 19, 0],
        ['total', 'bigint', 19, 0],
        ['half', 'integer', 10, 0],
        ['price', 'decimal', 10, 2],
      ],
    )
  }))

test('JSON lines, compressed too, with nested types and a column that is missing', () =>
  withAthena(async ({ aws, put, rows }) => {
    aws.catalogue.createTable('sales', 'events', {
      location: 's3://lake/events',
      format: 'json',
      columns: [
        { name: 'at', type: 'timestamp' },
        { name: 'tags', type: 'array<string>' },
        { name: 'who', type: 'struct<id:int,name:varchar(10)>' },
        { name: 'counts', type: 'map<string,int>' },
        { name: 'other', type: 'boolean' },
      ],
    })
    assert.deepEqual(await rows('SELECT count(*) FROM events'), [['count_star()'], ['0']])
    const line = { at: '2026-11-25 01:02:03.5', tags: ['a', 'b'], who: { id: 1, name: 'x' }, counts: { k: 2 } }
    await put('events/1.json.gz', gzipSync(`${JSON.stringify(line)}\n`))
    await put('events/_temporary', 'not data')
    assert.deepEqual(await rows('SELECT * FROM events'), [
      ['at', 'tags', 'who', 'counts', 'other'],
      ['2026-11-25 01:02:03.500', '[a, b]', '{id=1, name=x}', '{k=2}', undefined],
    ])
  }))

async function parquet(select: string): Promise<Uint8Array> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const { mkdtemp, readFile, rm } = await import('node:fs/promises')
  const folder = await mkdtemp(`${tmpdir()}/parquet-`)
  await connection.run(`COPY (${select}) TO '${folder}/x.parquet'`)
  connection.closeSync()
  instance.closeSync()
  const bytes = await readFile(`${folder}/x.parquet`)
  await rm(folder, { recursive: true })
  return bytes
}

test('Parquet in partitions: those of the folders, or those that the catalogue knows', () =>
  withAthena(async ({ aws, put, rows }) => {
    const orders = {
      location: 's3://lake/orders/',
      format: 'parquet',
      columns: [
        { name: 'id', type: 'bigint' },
        { name: 'note', type: 'string' },
      ],
      partitionKeys: [{ name: 'year', type: 'int' }],
    } as const
    aws.catalogue.createTable('sales', 'orders', orders)
    await put('orders/year=2025/a.parquet', await parquet('SELECT 1 AS id'))
    await put('orders/year=2026/b.parquet', await parquet('SELECT 2 AS id'))
    const sql = 'SELECT id, note, year FROM orders WHERE year > 2000 ORDER BY id'
    assert.deepEqual((await rows(sql)).slice(1), [
      ['1', undefined, '2025'],
      ['2', undefined, '2026'],
    ])
    aws.catalogue.createTable('sales', 'orders', {
      ...orders,
      partitions: [{ values: ['1999'], location: 's3://lake/orders/year=2026' }],
    })
    assert.deepEqual((await rows('SELECT id, year FROM orders')).slice(1), [['2', '1999']])
  }))

test('an object that changed is read again, one that went is gone', () =>
  withAthena(async ({ aws, put, rows }) => {
    const count = async () => (await rows('SELECT count(*) AS n FROM people'))[1]?.[0]
    assert.equal(await count(), '3')
    await put('people/2.csv', 'id\n4,x,,\n')
    assert.equal(await count(), '4')
    await put('people/2.csv', 'id\n4,x,,\n5,y,,\n')
    assert.equal(await count(), '5')
    aws.s3.bucket('lake').markDeleted('people/1.csv')
    assert.equal(await count(), '2')
  }))

test('parameters are literals, put where the question marks are', () =>
  withAthena(async ({ rows, outcome }) => {
    const named = "SELECT id, '?' AS mark FROM people /* ? */ WHERE name = ? AND id < ? -- ?"
    assert.deepEqual(await rows(named, { ExecutionParameters: ["'Ada, Countess'", '9'] }), [
      ['id', 'mark'],
      ['1', '?'],
    ])
    assert.deepEqual(await rows('SELECT ? AS t', { ExecutionParameters: ["'it''s ?'"] }), [['t'], ["it's ?"]])
    const born = { ExecutionParameters: ["DATE '1906-12-09'"] }
    assert.deepEqual((await rows('SELECT id FROM people WHERE born = ?', born)).slice(1), [['2']])
    const one = 'SELECT id FROM people WHERE name = ?'
    assert.match(await outcome(one, { ExecutionParameters: ['Grace'] }), /^FAILED COLUMN_NOT_FOUND.*'Grace'/)
    assert.match(await outcome(one, { ExecutionParameters: ["'x' OR 1=1"] }), /^FAILED SYNTAX_ERROR/)
    assert.match(
      await outcome(one, { ExecutionParameters: ["'a'", "'b'"] }),
      /^FAILED INVALID_PARAMETER_USAGE.*expected 1 but found 2/,
    )
    assert.match(await outcome(one), /^FAILED INVALID_PARAMETER_USAGE.*expected 1 but found 0/)
  }))

test('a query that can not be run fails with its reason, and one that is no query is refused at once', () =>
  withAthena(async ({ client, start, ended, outcome }) => {
    assert.match(await outcome('SELECT nope FROM people'), /^FAILED COLUMN_NOT_FOUND.*'nope' cannot be resolved/)
    assert.match(await outcome('SELECT * FROM nope'), /^FAILED TABLE_NOT_FOUND.*awsdatacatalog\.sales\.nope/)
    assert.match(await outcome('SELECT * FROM nope.people'), /^FAILED SCHEMA_NOT_FOUND.*'nope'/)
    assert.match(await outcome('SELECT * FROM other.sales.people'), /^FAILED CATALOG_NOT_FOUND/)
    assert.match(await outcome('SELECT nope(1)'), /^FAILED FUNCTION_NOT_FOUND/)
    assert.match(await outcome("SELECT CAST('a' AS integer)"), /^FAILED INVALID_CAST_ARGUMENT/)
    assert.match(await outcome('DELETE FROM people'), /^FAILED NOT_SUPPORTED/)
    assert.match(await outcome('WITH x AS (SELECT 1) DELETE FROM people'), /^FAILED/)
    const outside = await outcome("SELECT * FROM read_text('/etc/hostname')")
    assert.match(outside, /^FAILED SYNTAX_ERROR.*Permission Error/)
    await refused(start('SELEC 1'), 'InvalidRequestException', 400, /mismatched input 'SELEC'/)
    await refused(start('SELECT 1; SELECT 2'), 'InvalidRequestException', 400, /Only one sql statement is allowed/)
    const id = await start('SELECT nope')
    const { Status } = await ended(id)
    assert.deepEqual([Status?.AthenaError?.ErrorCategory, Status?.AthenaError?.Retryable], [2, false])
    const results = client.send(new GetQueryResultsCommand({ QueryExecutionId: id }))
    await refused(results, 'InvalidRequestException', 400, /did not finish successfully. Final query state: FAILED/)
  }))

test('results come in pages of at most a thousand rows, the header among them', () =>
  withAthena(async ({ client, start, ended }) => {
    const id = await start('SELECT range AS n FROM range(2000)')
    await ended(id)
    const page = (more: Partial<GetQueryResultsCommand['input']>) =>
      client.send(new GetQueryResultsCommand({ QueryExecutionId: id, ...more }))
    const first = await page({})
    assert.deepEqual([first.ResultSet?.Rows?.length, first.ResultSet?.Rows?.[0]?.Data?.[0]?.VarCharValue], [1000, 'n'])
    const second = await page({ NextToken: first.NextToken })
    assert.deepEqual(second.ResultSet?.Rows?.[0]?.Data?.[0]?.VarCharValue, '999')
    const third = await page({ NextToken: second.NextToken })
    assert.deepEqual([third.ResultSet?.Rows?.length, third.NextToken], [1, undefined])
    assert.equal((await page({ MaxResults: 2 })).ResultSet?.Rows?.length, 2)
    await refused(page({ MaxResults: 1001 }), 'InvalidRequestException', 400)
    await refused(page({ NextToken: 'invented' }), 'InvalidRequestException', 400, /next token/)
  }))

test('the result lies in S3 too', () =>
  withAthena(async ({ aws, start, ended, outcome }) => {
    const id = await start(`SELECT 1 AS a, 'say "x"' AS b, NULL AS c`, {
      ResultConfiguration: { OutputLocation: 's3://lake/results' },
    })
    await ended(id)
    const s3 = new S3Client({ ...clientSettings(aws, 's3'), forcePathStyle: true })
    const got = await s3.send(new GetObjectCommand({ Bucket: 'lake', Key: `results/${id}.csv` }))
    assert.equal(await got.Body?.transformToString(), '"a","b","c"\n"1","say ""x""",\n')
    s3.destroy()
    const nowhere = { ResultConfiguration: { OutputLocation: 's3://none/' } }
    assert.match(await outcome('SELECT 1', nowhere), /^FAILED.*NoSuchBucket/)
  }))

test('a token makes a start idempotent', () =>
  withAthena(async ({ aws, start, ended }) => {
    const ClientRequestToken = 't'.repeat(32)
    const [first, second] = await Promise.all([
      start('SELECT 1', { ClientRequestToken }),
      start('SELECT 1', { ClientRequestToken }),
    ])
    assert.equal(first, second)
    await refused(
      start('SELECT 2', { ClientRequestToken }),
      'InvalidRequestException',
      400,
      /Idempotent parameters do not match/,
    )
    await refused(
      start('SELECT 1', { ClientRequestToken: 'short' }),
      'InvalidRequestException',
      400,
      /ClientRequestToken/,
    )
    assert.notEqual(await start('SELECT 1'), first)
    const broken = { ClientRequestToken: 'b'.repeat(32) }
    await refused(start('SELEC', broken), 'InvalidRequestException', 400)
    await ended(await start('SELECT 3', broken))
    aws.faults.set({ service: 'athena', kind: 'throttle', count: 1 })
    await refused(start('SELECT 1'), 'TooManyRequestsException', 400)
  }))

test('workgroups: the limit on what is scanned cancels, and an unknown one is refused', () =>
  withAthena(
    async ({ start, ended, outcome }) => {
      assert.match(
        await outcome('SELECT * FROM people', { WorkGroup: 'tight' }),
        /^CANCELLED Query cancelled! : Bytes scanned limit was exceeded/,
      )
      assert.equal(await outcome('SELECT 1', { WorkGroup: 'tight' }), 'SUCCEEDED ')
      await refused(
        start('SELECT 1', { WorkGroup: 'none' }),
        'InvalidRequestException',
        400,
        /WorkGroup none is not found/,
      )
      await refused(
        start('SELECT 1', { WorkGroup: 'bare' }),
        'InvalidRequestException',
        400,
        /No output location provided/,
      )
      const output = { ResultConfiguration: { OutputLocation: 's3://none/' } }
      const { ResultConfiguration } = await ended(await start('SELECT 1', { WorkGroup: 'tight', ...output }))
      assert.match(ResultConfiguration?.OutputLocation ?? '', /^s3:\/\/lake\/tight\//)
    },
    {
      athena: {
        workGroups: {
          tight: { outputLocation: 's3://lake/tight/', isEnforced: true, bytesScannedCutoffPerQuery: 10 },
          bare: {},
        },
      },
    },
  ))

test('a result that is young enough is taken again, whatever happened to the data', () =>
  withAthena(async ({ put, start, ended, rows }) => {
    const reuse = (MaxAgeInMinutes: number): StartInput => ({
      ResultReuseConfiguration: { ResultReuseByAgeConfiguration: { Enabled: true, MaxAgeInMinutes } },
    })
    const sql = 'SELECT count(*) AS n FROM people'
    assert.deepEqual((await rows(sql))[1], ['3'])
    await put('people/2.csv', 'id\n4,x,,\n')
    const { Statistics } = await ended(await start(sql, reuse(60)))
    assert.deepEqual(
      [Statistics?.ResultReuseInformation?.ReusedPreviousResult, Statistics?.DataScannedInBytes],
      [true, 0],
    )
    assert.deepEqual((await rows(sql, reuse(60)))[1], ['3'])
    assert.deepEqual((await rows(`${sql} `, reuse(60)))[1], ['4'])
    assert.deepEqual((await rows(sql))[1], ['4'])
    await refused(start(sql, reuse(10_081)), 'InvalidRequestException', 400)
  }))

test('a query goes through its states, can be stopped, and too many at once are refused', () =>
  withAthena(
    async ({ client, start, ended }) => {
      const seen = new Set<string>()
      const id = await start('SELECT 1')
      const state = async (QueryExecutionId: string) =>
        (await client.send(new GetQueryExecutionCommand({ QueryExecutionId }))).QueryExecution?.Status?.State ?? ''
      const results = () => client.send(new GetQueryResultsCommand({ QueryExecutionId: id }))
      await refused(results(), 'InvalidRequestException', 400, /has not yet finished. Current state: QUEUED/)
      const second = await start('SELECT 2')
      await refused(start('SELECT 3'), 'TooManyRequestsException', 400)
      const stop = (QueryExecutionId: string) => client.send(new StopQueryExecutionCommand({ QueryExecutionId }))
      await stop(second)
      assert.equal((await ended(second)).Status?.State, 'CANCELLED')
      while (!seen.has('SUCCEEDED')) seen.add(await state(id))
      assert.deepEqual([...seen], ['QUEUED', 'RUNNING', 'SUCCEEDED'])
      const { Statistics } = await ended(id)
      assert.ok((Statistics?.QueryQueueTimeInMillis ?? 0) >= 100)
      assert.ok((Statistics?.EngineExecutionTimeInMillis ?? 0) >= 100)
      await stop(id)
      assert.equal(await state(id), 'SUCCEEDED')
      const long = await start('SELECT count(*) FROM range(10000000000) a WHERE random() < 2')
      while ((await state(long)) === 'QUEUED') await sleep(10)
      await stop(long)
      assert.equal((await ended(long)).Status?.State, 'CANCELLED')
      await refused(stop('none'), 'InvalidRequestException', 400, /QueryExecution none was not found/)
      await refused(client.send(new ListDatabasesCommand({ CatalogName: 'x' })), 'UnknownOperationException', 400)
    },
    { athena: { queueMs: 120, runMs: 120, maxActiveQueries: 2 } },
  ))

test('nothing is left on the disk', async () => {
  const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('thinplane-athena-'))
  const before = folders().length
  await withAthena(async ({ rows }) => {
    await rows('SELECT * FROM people')
    assert.equal(folders().length, before + 1)
  })
  assert.equal(folders().length, before)
})
