import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { GetQueryExecutionCommand } from '@aws-sdk/client-athena'
import { openAws } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { athenaEngine } from '#dataplane/facts/athena.ts'
import type { AthenaOptions } from '#dataplane/facts/athena.ts'
import { FactError } from '#dataplane/facts/facts.ts'
import type { NamedQuery, QueryResult } from '#dataplane/facts/facts.ts'
import type { ParamSpec } from '#dataplane/facts/params.ts'
import type { ParamValues } from '#kit/sql-template.ts'
import type { RunningAws, StartAwsOptions } from '#simclouds/start-aws.ts'
import { awsWorld, eventually } from './aws-world.ts'

interface Stand {
  readonly sim: RunningAws
  readonly put: (key: string, text: string) => void
  readonly run: (sql: string, more?: RunOptions) => Promise<QueryResult>
  /** Operations that Athena was asked for. */
  readonly operations: () => string[]
  readonly stateOf: (id: string) => Promise<string | undefined>
  readonly ids: () => string[]
}

interface RunOptions {
  readonly values?: ParamValues
  readonly params?: Readonly<Record<string, ParamSpec>>
  readonly options?: Partial<AthenaOptions>
  readonly signal?: AbortSignal
  readonly aws?: Aws
}

const OPTIONS: AthenaOptions = {
  workgroup: 'primary',
  catalog: 'AwsDataCatalog',
  database: 'sea',
  reuseMinutes: 0,
  maxScannedBytes: 1e9,
}

async function stand(t: TestContext, options: StartAwsOptions = {}): Promise<Stand> {
  const { sim, aws, put } = await awsWorld(t, options)
  sim.catalogue.createDatabase('sea')
  sim.catalogue.createTable('sea', 'buoys', {
    location: 's3://lake/buoys/',
    format: 'csv',
    columns: [{ name: 'name', type: 'string' }],
  })
  put('buoys/1.csv', 'Ida\nAda\n')
  const requests = () => sim.requests.last('athena')
  return {
    sim,
    put,
    run: async (sql, { values = {}, params = {}, options: changes = {}, signal, aws: own = aws } = {}) => {
      const engine = athenaEngine(own, { ...OPTIONS, ...changes })
      const query: NamedQuery = {
        name: 'q',
        title: '',
        sql,
        params,
        readers: { roles: [], groups: [] },
        maxRows: 5,
        engine,
      }
      return await engine.run(query, values, signal ?? new AbortController().signal)
    },
    operations: () => requests().map(({ headers }) => String(headers['x-amz-target']).replace('AmazonAthena.', '')),
    ids: () => requests().flatMap(({ body }) => /"QueryExecutionId":"([^"]+)"/.exec(body)?.[1] ?? []),
    stateOf: async (id) => {
      const client = await aws.athena()
      const { QueryExecution: execution } = await client.send(new GetQueryExecutionCommand({ QueryExecutionId: id }))
      return execution?.Status?.State
    },
  }
}

const isFault = (message: RegExp) => (error: unknown) => error instanceof FactError && message.test(error.message)

test('a result may be used again when the configuration says so, and the answer says that', async (t) => {
  const { run, put, sim } = await stand(t)
  const options = { reuseMinutes: 60, output: 's3://lake/results/' }
  const sql = 'SELECT count(*) AS n FROM buoys'
  assert.deepEqual(await run(sql, { options }), { columns: ['n'], rows: [[2]], notes: [] })
  put('buoys/2.csv', 'Una\n')
  const again = await run(sql, { options })
  assert.deepEqual(again, { columns: ['n'], rows: [[2]], notes: ['its result may be 60 minutes old'] })
  assert.deepEqual((await run(sql)).rows, [[3]])
  const started = sim.requests.last('athena').filter(({ body }) => body.includes('"QueryString"'))
  assert.deepEqual(
    started.map(({ body }) => body.includes('"OutputLocation":"s3://lake/results/"')),
    [true, true, false],
  )
})

test('a query that scans too much is stopped, whoever notices first', async (t) => {
  const { run, put, operations, ids, stateOf } = await stand(t, {
    athena: {
      runMs: 5000,
      workGroups: {
        primary: { outputLocation: 's3://simulated-athena-results/' },
        small: { outputLocation: 's3://simulated-athena-results/', bytesScannedCutoffPerQuery: 10_000_000 },
      },
    },
  })
  put('buoys/large.csv', 'Ida\n'.repeat(3_000_000))
  const sql = 'SELECT count(*) AS n FROM buoys'
  await assert.rejects(run(sql, { options: { maxScannedBytes: 11e6 } }), isFault(/^it scans more than 11 MB$/))
  await eventually(() => operations().includes('StopQueryExecution'))
  assert.equal(await stateOf(ids().at(-1) ?? ''), 'CANCELLED')
  await assert.rejects(
    run(sql, { options: { workgroup: 'small' } }),
    isFault(/^it scans more than its workgroup allows$/),
  )
  assert.equal(operations().filter((name) => name === 'StopQueryExecution').length, 1)
})

test('a query that fails says what kind of failure it was and where, without its values', async (t) => {
  const { run, operations } = await stand(t)
  await assert.rejects(
    run('SELECT nope FROM buoys'),
    isFault(/^Athena ended it with FAILED \(COLUMN_NOT_FOUND: line 1:8\)$/),
  )
  await assert.rejects(run('SELECT 1 FROM nowhere'), isFault(/\(TABLE_NOT_FOUND: line 1:15\)/))
  const params = { name: { type: 'text' } } as const
  const values = { name: 'secret-4711' }
  const failed = await run('SELECT CAST(:name AS integer) AS n', { params, values }).catch((error: unknown) => error)
  assert.ok(failed instanceof FactError)
  assert.match(failed.message, /^Athena ended it with FAILED/)
  assert.ok(!`${failed.message} ${String(failed.cause)}`.includes('4711'))
  // It is over: nobody stops it.
  assert.ok(!operations().includes('StopQueryExecution'))
})

test('a query that nobody waits for is stopped', async (t) => {
  const { run, operations, ids, stateOf } = await stand(t, { athena: { runMs: 20_000 } })
  const gone = new AbortController()
  const running = run('SELECT name FROM buoys', { signal: gone.signal })
  await Promise.all([
    assert.rejects(running, /the caller left/),
    eventually(() => operations().includes('GetQueryExecution')).then(() => gone.abort(new Error('the caller left'))),
  ])
  await eventually(() => operations().includes('StopQueryExecution'))
  const id = ids().at(-1) ?? ''
  await eventually(async () => (await stateOf(id)) === 'CANCELLED')
})

test('a query that is given up while it is started is stopped as soon as it is known', async (t) => {
  const { run, sim, operations, ids, stateOf } = await stand(t, { athena: { runMs: 20_000 } })
  sim.faults.set({ service: 'athena', kind: 'latency', ms: 500, count: 1 })
  const startedMs = performance.now()
  await assert.rejects(run('SELECT name FROM buoys', { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
  assert.ok(performance.now() - startedMs < 400)
  await eventually(() => operations().includes('StopQueryExecution'))
  await eventually(async () => (await stateOf(ids().at(-1) ?? '')) === 'CANCELLED')
  // Who has left before it began asks nothing.
  const before = operations().length
  await assert.rejects(run('SELECT 1', { signal: AbortSignal.abort(new Error('left')) }), /left/)
  assert.equal(operations().length, before)
})

test('throttling is waited out; too many queries are told', async (t) => {
  const { run, sim } = await stand(t)
  sim.faults.set({ service: 'athena', kind: 'throttle', count: 2 })
  assert.equal((await run('SELECT name FROM buoys')).rows.length, 2)
  sim.faults.set({ service: 'athena', kind: 'throttle' })
  await assert.rejects(run('SELECT name FROM buoys'), isFault(/^Athena has too many queries, try again$/))
})

test('what the account refuses is told from what is not answered', async (t) => {
  const { run, sim } = await stand(t)
  await assert.rejects(
    run('SELECT 1', { options: { workgroup: 'nobody' } }),
    isFault(/^Athena refused it: check its workgroup, database and output$/),
  )
  const { accessKeyId, secretAccessKey, sessionToken } = sim.issueSession(-10)
  const expired = openAws({
    region: sim.region,
    keys: { accessKeyId, secretAccessKey, sessionToken },
    endpoints: sim.urls,
  })
  t.after(() => expired.close())
  await assert.rejects(run('SELECT 1', { aws: expired }), isFault(/^Athena refused \(ExpiredTokenException\)$/))
  sim.faults.set({ service: 'athena', kind: 'reset-before' })
  await assert.rejects(run('SELECT 1'), isFault(/^Athena did not answer \((?:ECONNRESET|TimeoutError)\)$/))
})

test('a parameter that is longer than Athena takes is refused before anything is asked', async (t) => {
  const { run, operations } = await stand(t)
  const params = { name: { type: 'text' } } as const
  const sql = 'SELECT name FROM buoys WHERE name = :name'
  assert.deepEqual((await run(sql, { params, values: { name: 'x'.repeat(1022) } })).rows, [])
  const before = operations().length
  await assert.rejects(run(sql, { params, values: { name: "'".repeat(600) } }), isFault(/longer than 1024 characters/))
  assert.equal(operations().length, before)
})
