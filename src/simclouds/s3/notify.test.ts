import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { clientSettings, withAws } from '#simclouds/aws.suite.ts'
import type { RunningAws } from '#simclouds/start-aws.ts'

interface Stand {
  readonly aws: RunningAws
  readonly client: S3Client
  readonly put: (Key: string, Body?: string) => Promise<unknown>
  /** Bodies that wait in the queue now; they are gone then. */
  readonly drain: () => Promise<readonly unknown[]>
}

function withNotifications(body: (stand: Stand) => Promise<void>, versioning = false): Promise<void> {
  return withAws(async (aws) => {
    aws.s3.createBucket('documents', { versioning })
    aws.queues.create('events')
    const client = new S3Client({ ...clientSettings(aws, 's3'), forcePathStyle: true })
    const queue = new SQSClient(clientSettings(aws, 'sqs'))
    const QueueUrl = `${aws.urls.sqs}/123456789012/events`
    const put: Stand['put'] = (Key, Body = 'x') => client.send(new PutObjectCommand({ Bucket: 'documents', Key, Body }))
    const drain = async (): Promise<readonly unknown[]> => {
      const { Messages = [] } = await queue.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }))
      for (const { ReceiptHandle } of Messages) await queue.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
      return Messages.map(({ Body = '' }) => parseJson(Body))
    }
    await body({ aws, client, put, drain })
    client.destroy()
    queue.destroy()
  })
}

function read(message: unknown) {
  const record = asRecord(asList(asRecord(message)?.['Records'])[0])
  const object = asRecord(asRecord(record?.['s3'])?.['object'])
  return { name: asText(record?.['eventName']), key: asText(object?.['key']), object, record }
}

test('a queue hears of a test first, then of every object that comes and goes', () =>
  withNotifications(async ({ aws, client, put, drain }) => {
    aws.notify('documents', 'events')
    const [hello] = await drain()
    assert.deepEqual([asRecord(hello)?.['Event'], asRecord(hello)?.['Bucket']], ['s3:TestEvent', 'documents'])
    const Bucket = 'documents'
    await put('a folder/x+y & ü.txt', 'hello')
    await client.send(
      new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/a%20folder/x%2By%20%26%20%C3%BC.txt` }),
    )
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'big' }))
    const { ETag } = await client.send(
      new UploadPartCommand({ Bucket, Key: 'big', UploadId, PartNumber: 1, Body: 'x' }),
    )
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    await client.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'big', UploadId, MultipartUpload }))
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'copy' }))
    const events = (await drain()).map(read)
    assert.deepEqual(
      events.map(({ name, key }) => [name, key]),
      [
        ['ObjectCreated:Put', 'a+folder/x%2By+%26+%C3%BC.txt'],
        ['ObjectCreated:Copy', 'copy'],
        ['ObjectCreated:CompleteMultipartUpload', 'big'],
        ['ObjectRemoved:Delete', 'copy'],
      ],
    )
    const [first] = events
    assert.deepEqual([first?.object?.['size'], first?.object?.['eTag']], [5, '5d41402abc4b2a76b9719d911017c592'])
    assert.equal(first?.object?.['versionId'], undefined)
    assert.equal(first?.record?.['eventVersion'], '2.1')
    assert.deepEqual(asRecord(asRecord(first?.record?.['s3'])?.['bucket'])?.['arn'], 'arn:aws:s3:::documents')
    const sequencers = events.map(({ object }) => asText(object?.['sequencer']) ?? '')
    assert.deepEqual(sequencers, sequencers.toSorted())
    assert.equal(new Set(sequencers).size, 4)
  }))

test('versions have their ids in the events, and a delete is a marker', () =>
  withNotifications(async ({ aws, client, put, drain }) => {
    aws.notify('documents', 'events')
    await put('k')
    await client.send(new DeleteObjectCommand({ Bucket: 'documents', Key: 'k' }))
    const [, created, removed] = (await drain()).map(read)
    assert.equal(asText(created?.object?.['versionId'])?.length, 32)
    assert.equal(removed?.name, 'ObjectRemoved:DeleteMarkerCreated')
  }, true))

test('only what passes the filter goes out', () =>
  withNotifications(async ({ aws, client, put, drain }) => {
    aws.notify('documents', 'events', { events: ['s3:ObjectCreated:*'], prefix: 'in/', suffix: '.pdf' })
    await drain()
    for (const key of ['in/a.pdf', 'in/b.txt', 'out/c.pdf']) await put(key)
    await client.send(new DeleteObjectCommand({ Bucket: 'documents', Key: 'in/a.pdf' }))
    assert.deepEqual(
      (await drain()).map((each) => read(each).key),
      ['in/a.pdf'],
    )
  }))

test('delivery can be made repeated and out of order, at any time', () =>
  withNotifications(async ({ aws, put, drain }) => {
    const switches = aws.notify('documents', 'events')
    await drain()
    switches.repeated = true
    await put('a')
    assert.deepEqual(
      (await drain()).map((each) => read(each).key),
      ['a', 'a'],
    )
    switches.repeated = false
    switches.outOfOrder = true
    for (const key of ['1', '2', '3']) await put(key)
    assert.deepEqual(
      (await drain()).map((each) => read(each).key),
      ['2', '1'],
    )
    await sleep(150)
    assert.deepEqual(
      (await drain()).map((each) => read(each).key),
      ['3'],
    )
  }))
