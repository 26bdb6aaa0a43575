import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { AthenaClient, GetQueryExecutionCommand, StartQueryExecutionCommand } from '@aws-sdk/client-athena'
import { BedrockRuntimeClient, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime'
import { GetDatabasesCommand, GlueClient } from '@aws-sdk/client-glue'
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { clientSettings, http1Settings, refused, withAws } from './aws.suite.ts'
import { withClouds } from './client.suite.ts'
import { startAws } from './start-aws.ts'

test('a region, a key, a distance and temporary credentials', () =>
  withAws(
    async (aws) => {
      const client = new SQSClient(clientSettings(aws, 'sqs'))
      const startMs = performance.now()
      await client.send(new CreateQueueCommand({ QueueName: 'q' }))
      assert.ok(performance.now() - startMs >= 40)
      assert.equal(aws.queues.byName('q').arn, 'arn:aws:sqs:eu-west-1:123456789012:q')
      assert.equal(aws.requests.count('sqs'), 1)
      const session = new SQSClient({ ...clientSettings(aws, 'sqs'), credentials: aws.issueSession(60) })
      await session.send(new CreateQueueCommand({ QueueName: 'q' }))
      assert.throws(() => aws.notify('none', 'q'), { code: 'NoSuchBucket' })
      client.destroy()
      session.destroy()
    },
    { region: 'eu-west-1', accessKeyId: 'AKIAOWN', secretAccessKey: 'own', latencyMs: 40 },
  ))

test('a session that a policy narrows gets into Bedrock only', () =>
  withAws(async (aws) => {
    const Statement = [{ Effect: 'Allow', Action: 'bedrock:*', Resource: '*' }]
    const credentials = aws.issueSession(60, JSON.stringify({ Version: '2012-10-17', Statement }))
    const s3 = new S3Client({ ...clientSettings(aws, 's3'), credentials, forcePathStyle: true })
    await refused(s3.send(new ListBucketsCommand({})), 'AccessDenied', 403)
    const glue = new GlueClient({ ...clientSettings(aws, 'glue'), credentials })
    await refused(glue.send(new GetDatabasesCommand({})), 'AccessDeniedException', 400)
    const bedrock = new BedrockRuntimeClient({
      ...http1Settings(aws, 'bedrock'),
      credentials,
      authSchemePreference: ['sigv4'],
    })
    const body = JSON.stringify({ inputText: 'hello' })
    await bedrock.send(new InvokeModelCommand({ modelId: 'amazon.titan-embed-text-v2:0', body }))
    assert.throws(() => aws.issueSession(60, '{}'), TypeError)
    for (const client of [s3, glue, bedrock]) client.destroy()
  }))

test('after close nothing listens, and nothing runs on', async () => {
  const aws = await startAws({ athena: { runMs: 60_000 } })
  let ran = false
  aws.jobs.onJob('long', { runMs: 300, run: () => void (ran = true) })
  aws.jobs.start('long', {})
  const client = new AthenaClient(clientSettings(aws, 'athena'))
  await client.send(new StartQueryExecutionCommand({ QueryString: 'SELECT 1' }))
  const startMs = performance.now()
  await aws.close()
  assert.ok(performance.now() - startMs < 5_000)
  await assert.rejects(client.send(new StartQueryExecutionCommand({ QueryString: 'SELECT 1' })), {
    code: 'ECONNREFUSED',
  })
  client.destroy()
  await sleep(400)
  assert.equal(ran, false)
})

test('the simulated clouds have the same services, with one account for all', () =>
  withClouds({}, async (clouds) => {
    const { accessKeyId, secretAccessKey, region } = clouds.settings.s3
    const settings = (endpoint: string) => ({
      endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey },
      maxAttempts: 1,
    })
    const s3 = new S3Client({ ...settings(clouds.urls.s3), forcePathStyle: true })
    const { Buckets } = await s3.send(new ListBucketsCommand({}))
    assert.deepEqual(
      Buckets?.map(({ Name }) => Name),
      ['simulated-archive', 'simulated-athena-results'],
    )
    clouds.data.catalogue.createDatabase('lake')
    const glue = new GlueClient(settings(clouds.urls.glue))
    assert.deepEqual(
      (await glue.send(new GetDatabasesCommand({}))).DatabaseList?.map(({ Name }) => Name),
      ['lake'],
    )
    const sqs = new SQSClient(settings(clouds.urls.sqs))
    assert.ok((await sqs.send(new CreateQueueCommand({ QueueName: 'q' }))).QueueUrl?.startsWith(clouds.urls.sqs))
    const athena = new AthenaClient(settings(clouds.urls.athena))
    const get = new GetQueryExecutionCommand({ QueryExecutionId: 'none' })
    await refused(athena.send(get), 'InvalidRequestException', 400)
    for (const client of [s3, glue, sqs, athena]) client.destroy()
  }))
