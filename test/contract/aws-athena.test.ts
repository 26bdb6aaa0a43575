import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { AthenaClient, StartQueryExecutionCommand } from '@aws-sdk/client-athena'
import { amzDate, signV4 } from '#kit/sigv4.ts'
import { clientSettings, withAws } from '#simclouds/aws.suite.ts'
import { at, eventually, send, textAt, type Answered } from '#simclouds/client.suite.ts'
import type { RunningAws } from '#simclouds/start-aws.ts'
import { ServiceModel } from './botocore.ts'
import { contract } from './contracts.ts'

function serviceModel(context: TestContext): ServiceModel | undefined {
  const model = contract(context, 'aws/athena/service-2.nodocs.json')
  return model === undefined ? undefined : new ServiceModel(model)
}

function call(
  { urls, region, accessKeyId, secretAccessKey }: RunningAws,
  operation: string,
  body: unknown,
): Promise<Answered> {
  const url = new URL(urls.athena)
  const text = JSON.stringify(body)
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `AmazonAthena.${operation}` }
  const scope = { service: 'athena', region, accessKeyId, secretAccessKey, amzDate: amzDate(Date.now()) }
  return send(url.href, text, { ...headers, ...signV4({ method: 'POST', url, headers, body: text }, scope) })
}

const REQUESTS: readonly object[] = [
  { QueryString: 'SELECT 1 AS one, NULL AS nothing, CAST(1.5 AS decimal(5,2)) AS price' },
  { QueryString: 'SELECT nope' },
  {
    QueryString: 'SELECT ? AS said',
    ExecutionParameters: ["'hello'"],
    ClientRequestToken: 't'.repeat(40),
    QueryExecutionContext: { Database: 'default', Catalog: 'AwsDataCatalog' },
    WorkGroup: 'primary',
    ResultConfiguration: { OutputLocation: 's3://simulated-athena-results/here/' },
    ResultReuseConfiguration: { ResultReuseByAgeConfiguration: { Enabled: true, MaxAgeInMinutes: 5 } },
  },
]

test('queries and their answers meet the service model, from the start to the rows', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  await withAws(async (aws) => {
    const states = new Set<string>()
    for (const request of REQUESTS) {
      assert.deepEqual(model.problems('StartQueryExecutionInput', request), [])
      const started = await call(aws, 'StartQueryExecution', request)
      assert.equal(started.status, 200, started.text)
      assert.deepEqual(model.problems('StartQueryExecutionOutput', at(started.text)), [])
      const id = { QueryExecutionId: textAt(started.text, 'QueryExecutionId') }
      for (let state = ''; !['SUCCEEDED', 'FAILED'].includes(state); states.add(state)) {
        const got = await call(aws, 'GetQueryExecution', id)
        assert.deepEqual(model.problems('GetQueryExecutionOutput', at(got.text)), [])
        state = textAt(got.text, 'QueryExecution', 'Status', 'State')
      }
      const results = await call(aws, 'GetQueryResults', id)
      if (results.status === 200) assert.deepEqual(model.problems('GetQueryResultsOutput', at(results.text)), [])
      else assert.equal(textAt(results.text, '__type'), 'InvalidRequestException')
      const stopped = await call(aws, 'StopQueryExecution', id)
      assert.deepEqual(model.problems('StopQueryExecutionOutput', at(stopped.text)), [])
    }
    assert.ok(states.isSupersetOf(new Set(['SUCCEEDED', 'FAILED'])))
  })
})

test('what the service model does not allow is refused, by an exception that it names', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  await withAws(async (aws) => {
    for (const [operation, body] of [
      ['StartQueryExecution', {}],
      ['StartQueryExecution', { QueryString: '' }],
      ['StartQueryExecution', { QueryString: 'SELECT 1', ClientRequestToken: 'short' }],
      ['StartQueryExecution', { QueryString: 'SELECT 1', WorkGroup: 'no blanks' }],
      ['StartQueryExecution', { QueryString: 'SELECT 1', ExecutionParameters: [] }],
      ['StartQueryExecution', { QueryString: 'SELECT 1', ExecutionParameters: ['x'.repeat(1_025)] }],
      ['StartQueryExecution', { QueryString: 'SELECT 1', Invented: true }],
      ['GetQueryExecution', { QueryExecutionId: '' }],
      ['GetQueryResults', { QueryExecutionId: 'x', MaxResults: 1_001 }],
      ['StopQueryExecution', {}],
    ] as const) {
      assert.notDeepEqual(model.problems(`${operation}Input`, body), [], `${operation} ${JSON.stringify(body)}`)
      refusedBy(model, operation, await call(aws, operation, body))
    }
    aws.faults.set({ service: 'athena', kind: 'throttle', count: 1 })
    const throttled = await call(aws, 'StartQueryExecution', { QueryString: 'SELECT 1' })
    refusedBy(model, 'StartQueryExecution', throttled)
    assert.equal(textAt(throttled.text, '__type'), 'TooManyRequestsException')
  })
})

function refusedBy(model: ServiceModel, operation: string, answered: Answered): void {
  const type = textAt(answered.text, '__type')
  assert.equal(answered.status, 400, answered.text)
  assert.ok(model.errors(operation)?.includes(type), `${operation} does not throw ${type}`)
  const { __type: _type, message: _message, ...members } = JSON.parse(answered.text) as Record<string, unknown>
  assert.deepEqual(model.problems(type, members), [])
}

test('what the SDK sends meets the service model', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  await withAws(async (aws) => {
    const client = new AthenaClient(clientSettings(aws, 'athena'))
    await client.send(new StartQueryExecutionCommand({ QueryString: 'SELECT ?', ExecutionParameters: ['1'] }))
    await eventually(() => aws.requests.last('athena').at(-1)?.finished === true)
    const sent: unknown = JSON.parse(aws.requests.last('athena').at(-1)?.body ?? '')
    assert.deepEqual(model.problems('StartQueryExecutionInput', sent), [])
    client.destroy()
  })
})
