import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import {
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
  SendMessageBatchCommand,
  SendMessageCommand,
  TagQueueCommand,
} from '@aws-sdk/client-sqs'
import { clientSettings, refused, withAws } from '#simclouds/aws.suite.ts'
import type { RunningAws } from '#simclouds/start-aws.ts'

interface Stand {
  readonly aws: RunningAws
  readonly client: SQSClient
  readonly QueueUrl: string
  readonly send: (MessageBody: string, DelaySeconds?: number) => Promise<unknown>
  readonly receive: (more?: Partial<ReceiveMessageCommand['input']>) => Promise<readonly Message[]>
}

function withQueue(body: (stand: Stand) => Promise<void>, Attributes: Record<string, string> = {}): Promise<void> {
  return withAws(async (aws) => {
    const client = new SQSClient(clientSettings(aws, 'sqs'))
    const { QueueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName: 'events', Attributes }))
    const send: Stand['send'] = (MessageBody, DelaySeconds) =>
      client.send(new SendMessageCommand({ QueueUrl, MessageBody, DelaySeconds }))
    const receive: Stand['receive'] = async (more) =>
      (await client.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, ...more }))).Messages ?? []
    await body({ aws, client, QueueUrl, send, receive })
    client.destroy()
  })
}

const bodies = (messages: readonly Message[]) => messages.map(({ Body }) => Body)

test('a message is received, hidden, and gone when it is deleted; the SDK agrees with its digests', () =>
  withQueue(async ({ client, QueueUrl, receive }) => {
    const MessageAttributes = {
      source: { DataType: 'String', StringValue: 'test' },
      bytes: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2]) },
    }
    const sent = await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'hällo', MessageAttributes }))
    assert.equal(sent.MD5OfMessageAttributes?.length, 32)
    const [message] = await receive({ MessageSystemAttributeNames: ['All'], MessageAttributeNames: ['All'] })
    assert.equal(message?.Body, 'hällo')
    assert.equal(message.MessageId, sent.MessageId)
    assert.equal(message.Attributes?.ApproximateReceiveCount, '1')
    assert.deepEqual(message.MessageAttributes?.['source']?.StringValue, 'test')
    assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes)
    assert.deepEqual(await receive(), [])
    await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }))
    const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))
    assert.equal(Attributes?.['ApproximateNumberOfMessages'], '0')
    assert.equal(Attributes?.['ApproximateNumberOfMessagesNotVisible'], '0')
    assert.equal(Attributes?.['QueueArn'], 'arn:aws:sqs:us-east-1:123456789012:events')
  }))

test('a message comes back when its time is over, and an old handle does nothing', () =>
  withQueue(async ({ client, QueueUrl, send, receive }) => {
    await send('again')
    const [first] = await receive({ VisibilityTimeout: 1 })
    const startMs = performance.now()
    const [second] = await receive({ WaitTimeSeconds: 5, MessageSystemAttributeNames: ['ApproximateReceiveCount'] })
    assert.ok(performance.now() - startMs > 500)
    assert.equal(second?.Attributes?.ApproximateReceiveCount, '2')
    await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: first?.ReceiptHandle }))
    const change = (ReceiptHandle: string | undefined, VisibilityTimeout: number) =>
      client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout }))
    await change(second?.ReceiptHandle, 0)
    const [third] = await receive()
    assert.equal(third?.Body, 'again')
    await change(third.ReceiptHandle, 30)
    assert.deepEqual(await receive(), [])
    await refused(change(third.ReceiptHandle, 50_000), 'InvalidParameterValue', 400, /VisibilityTimeout/)
    await refused(change('invented', 1), 'ReceiptHandleIsInvalid', 400)
    await refused(change(first?.ReceiptHandle, 1), 'InvalidParameterValue', 400, /does not exist/)
  }))

test('a long poll ends with the first message, or with its time', () =>
  withQueue(async ({ aws, client, QueueUrl, send, receive }) => {
    const waiting = receive({ WaitTimeSeconds: 20 })
    await sleep(50)
    const startMs = performance.now()
    await send('now')
    assert.deepEqual(bodies(await waiting), ['now'])
    assert.ok(performance.now() - startMs < 1_000)
    const emptyMs = performance.now()
    assert.deepEqual(await receive({ WaitTimeSeconds: 1 }), [])
    assert.ok(performance.now() - emptyMs > 950)
    const keptMs = performance.now()
    const gone = new AbortController()
    const left = client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }), { abortSignal: gone.signal })
    setTimeout(() => gone.abort(), 50)
    await assert.rejects(left, { name: 'AbortError' })
    await sleep(50)
    await send('kept')
    assert.deepEqual(bodies(await receive()), ['kept'], 'a caller who left took the message along')
    assert.ok(performance.now() - keptMs < 5_000, 'a caller who left keeps the queue busy')
    await refused(receive({ WaitTimeSeconds: 21 }), 'InvalidParameterValue', 400, /WaitTimeSeconds/)
    await refused(receive({ MaxNumberOfMessages: 11 }), 'InvalidParameterValue', 400)
    aws.faults.set({ service: 'sqs', kind: 'throttle', count: 1 })
    await refused(receive(), 'RequestThrottled', 400)
  }))

test('a message that is received too often becomes a dead letter', () =>
  withQueue(async ({ aws, client, QueueUrl: dead }) => {
    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: dead, AttributeNames: ['QueueArn'] }),
    )
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: Attributes?.['QueueArn'], maxReceiveCount: 2 })
    const create = (policy: string) =>
      client.send(
        new CreateQueueCommand({ QueueName: 'main', Attributes: { RedrivePolicy: policy, VisibilityTimeout: '0' } }),
      )
    const { QueueUrl } = await create(RedrivePolicy)
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'poison' }))
    const receive = async (url: string | undefined) =>
      bodies((await client.send(new ReceiveMessageCommand({ QueueUrl: url }))).Messages ?? [])
    assert.deepEqual(await receive(QueueUrl), ['poison'])
    assert.deepEqual(await receive(QueueUrl), ['poison'])
    assert.deepEqual(await receive(QueueUrl), [])
    assert.deepEqual(await receive(dead), ['poison'])
    assert.equal(aws.queues.byName('main').counts().visible, 0)
    await refused(create('{'), 'InvalidAttributeValue', 400, /RedrivePolicy/)
    const nowhere = JSON.stringify({
      deadLetterTargetArn: 'arn:aws:sqs:us-east-1:123456789012:none',
      maxReceiveCount: 1,
    })
    await refused(create(nowhere), 'InvalidParameterValue', 400, /Dead letter target does not exist/)
  }))

test('batches: every entry on its own', () =>
  withQueue(async ({ client, QueueUrl, receive }) => {
    const send = (Entries: { Id: string; MessageBody: string }[]) =>
      client.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
    const sent = await send([
      { Id: 'a', MessageBody: 'one' },
      { Id: 'b', MessageBody: 'not \u0001 xml' },
      { Id: 'c', MessageBody: 'three' },
    ])
    assert.deepEqual(
      sent.Successful?.map(({ Id }) => Id),
      ['a', 'c'],
    )
    assert.deepEqual(
      sent.Failed?.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]),
      [['b', 'InvalidMessageContents', true]],
    )
    const [one, three] = await receive()
    assert.deepEqual([one?.Body, three?.Body], ['one', 'three'])
    const changed = await client.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl,
        Entries: [{ Id: 'x', ReceiptHandle: one?.ReceiptHandle, VisibilityTimeout: 0 }],
      }),
    )
    assert.deepEqual(changed.Successful, [{ Id: 'x' }])
    assert.deepEqual(bodies(await receive()), ['one'])
    const Entries = [
      { Id: 'x', ReceiptHandle: three?.ReceiptHandle },
      { Id: 'y', ReceiptHandle: 'invented' },
    ]
    const deleted = await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
    assert.deepEqual([deleted.Successful?.length, deleted.Failed?.[0]?.Code], [1, 'ReceiptHandleIsInvalid'])
    const many = Array.from({ length: 11 }, (_, n) => ({ Id: String(n), MessageBody: 'x' }))
    await refused(send(many), 'TooManyEntriesInBatchRequest', 400)
    await refused(send([]), 'EmptyBatchRequest', 400)
    await refused(send([{ Id: 'a b', MessageBody: 'x' }]), 'InvalidBatchEntryId', 400)
    await refused(
      send([
        { Id: 'a', MessageBody: 'x' },
        { Id: 'a', MessageBody: 'x' },
      ]),
      'BatchEntryIdsNotDistinct',
      400,
    )
    const big = 'x'.repeat(600_000)
    await refused(
      send([
        { Id: 'a', MessageBody: big },
        { Id: 'b', MessageBody: big },
      ]),
      'BatchRequestTooLong',
      400,
    )
  }))

test('what is no message or no queue is refused', () =>
  withQueue(
    async ({ aws, client, QueueUrl, send, receive }) => {
      await refused(send(''), 'InvalidParameterValue', 400, /MessageBody/)
      await refused(send('\u0000'), 'InvalidMessageContents', 400)
      await refused(send('x'.repeat(2_000)), 'InvalidParameterValue', 400, /shorter than 1024 bytes/)
      await send('later', 1)
      assert.deepEqual(await receive(), [])
      assert.equal(aws.queues.byName('events').counts().delayed, 1)
      assert.deepEqual(bodies(await receive({ WaitTimeSeconds: 3 })), ['later'])
      const url = async (QueueName: string) => (await client.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl
      assert.equal(await url('events'), QueueUrl)
      await refused(url('missing'), 'QueueDoesNotExist', 400)
      await refused(receive({ QueueUrl: `${aws.urls.sqs}/123456789012/missing` }), 'QueueDoesNotExist', 400)
      const create = (QueueName: string, Attributes: Record<string, string>) =>
        client.send(new CreateQueueCommand({ QueueName, Attributes }))
      assert.equal((await create('events', { MaximumMessageSize: '1024' })).QueueUrl, QueueUrl)
      await refused(create('events', {}), 'QueueNameExists', 400)
      await refused(create('a.b', {}), 'InvalidParameterValue', 400)
      await refused(create('other', { VisibilityTimeout: 'long' }), 'InvalidAttributeValue', 400)
      await refused(create('other', { Invented: '1' }), 'InvalidAttributeName', 400)
      await refused(client.send(new TagQueueCommand({ QueueUrl, Tags: {} })), 'UnknownOperationException', 400)
      for (const [credentials, name] of [
        [{ accessKeyId: aws.accessKeyId, secretAccessKey: 'wrong' }, 'SignatureDoesNotMatch'],
        [{ accessKeyId: 'AKIAOTHER', secretAccessKey: 'wrong' }, 'InvalidClientTokenId'],
        [aws.issueSession(-1), 'ExpiredToken'],
      ] as const) {
        const other = new SQSClient({ ...clientSettings(aws, 'sqs'), credentials })
        await refused(other.send(new ReceiveMessageCommand({ QueueUrl })), name, 403)
        other.destroy()
      }
    },
    { MaximumMessageSize: '1024' },
  ))
