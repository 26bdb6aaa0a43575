import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import {
  type AwsAccount,
  type AwsJsonApi,
  AwsProblem,
  type Operation,
  awsJsonFault,
  awsJsonReply,
} from '#simclouds/aws-json.ts'
import type { SignatureProblem } from '#simclouds/aws-signature.ts'
import type { Service } from '#simclouds/service.ts'
import { type Message, type MessageAttributes, attributesMd5, md5, sizeOf } from './message.ts'
import { sqsProblem } from './problem.ts'
import type { Queue } from './queue.ts'
import { ACCOUNT_ID, MAX_MESSAGE_BYTES, type SqsQueues, attributesOf } from './queues.ts'

const MAX_ENTRIES = 10
/** What XML 1.0 has no place for, SQS does not take. */
const NOT_XML = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u

const QueueUrl = z.string().min(1)
const attributes = z.record(
  z.string(),
  z.strictObject({
    DataType: z.string().regex(/^(String|Number|Binary)(\..+)?$/),
    StringValue: z.string().optional(),
    BinaryValue: z.string().optional(),
    StringListValues: z.array(z.string()).max(0).optional(),
    BinaryListValues: z.array(z.string()).max(0).optional(),
  }),
)
const body = {
  MessageBody: z.string(),
  DelaySeconds: z.int().min(0).max(900).optional(),
  MessageAttributes: attributes.optional(),
  MessageSystemAttributes: z.unknown().optional(),
}
const Id = z.string()
const VisibilityTimeout = z.int().min(0).max(43_200)
const names = z.array(z.string()).optional()

const Create = z.strictObject({
  QueueName: z.string(),
  Attributes: z.record(z.string(), z.string()).optional(),
  tags: z.record(z.string(), z.string()).optional(),
})
const GetUrl = z.strictObject({ QueueName: z.string(), QueueOwnerAWSAccountId: z.string().optional() })
const GetAttributes = z.strictObject({ QueueUrl, AttributeNames: names })
const Send = z.strictObject({ QueueUrl, ...body })
const SendEntry = z.strictObject({ Id, ...body })
const Receive = z.strictObject({
  QueueUrl,
  AttributeNames: names,
  MessageSystemAttributeNames: names,
  MessageAttributeNames: names,
  MaxNumberOfMessages: z.int().min(1).max(10).optional(),
  VisibilityTimeout: VisibilityTimeout.optional(),
  WaitTimeSeconds: z.int().min(0).max(20).optional(),
  ReceiveRequestAttemptId: z.string().optional(),
})
const Delete = z.strictObject({ QueueUrl, ReceiptHandle: z.string() })
const DeleteEntry = z.strictObject({ Id, ReceiptHandle: z.string() })
const Change = z.strictObject({ QueueUrl, ReceiptHandle: z.string(), VisibilityTimeout })
const ChangeEntry = z.strictObject({ Id, ReceiptHandle: z.string(), VisibilityTimeout: VisibilityTimeout.optional() })
const batch = <Entry extends z.ZodType>(entry: Entry) => z.strictObject({ QueueUrl, Entries: z.array(entry) })

type SendBody = Omit<z.infer<typeof Send>, 'QueueUrl'>

/** Amazon SQS: standard queues, JSON protocol. docs/simulated-aws.md says what it does not do. */
export function sqs(place: Place, account: AwsAccount, queues: SqsQueues): Service {
  const api: AwsJsonApi = {
    target: 'AmazonSQS',
    version: '1.0',
    signingName: 'sqs',
    operations: operationsOf(queues),
    invalid: (message) => sqsProblem('InvalidParameterValueException', message),
    unauthorized,
  }
  return {
    name: 'sqs',
    place,
    reply: (request) => awsJsonReply(request, api, account),
    fail: (status, retryAfterS) =>
      awsJsonFault(status, retryAfterS, sqsProblem('RequestThrottled', 'simulated fault'), '1.0'),
    brokenPiece: () => Buffer.from('{"'),
    streamError: () => [],
  }
}

/** SQS answers 403, with the names of the query protocol. */
function unauthorized({ type, message }: SignatureProblem): AwsProblem {
  const name = {
    MissingAuthenticationTokenException: 'MissingAuthenticationToken',
    IncompleteSignatureException: 'IncompleteSignature',
    UnrecognizedClientException: 'InvalidClientTokenId',
    InvalidSignatureException: 'SignatureDoesNotMatch',
    ExpiredTokenException: 'ExpiredToken',
    AccessDeniedException: 'AccessDenied',
  }[type]
  return new AwsProblem(name, message, { status: 403, headers: { 'x-amzn-query-error': `${name};Sender` } })
}

function operationsOf(queues: SqsQueues): Readonly<Record<string, Operation>> {
  return {
    CreateQueue: (input, { headers }) => {
      const { QueueName, Attributes = {} } = Create.parse(input)
      return urlOf(queues.create(QueueName, Attributes), headers['host'])
    },
    GetQueueUrl: (input, { headers }) => urlOf(queues.byName(GetUrl.parse(input).QueueName), headers['host']),
    GetQueueAttributes: (input) => {
      const { QueueUrl: url, AttributeNames: wanted = [] } = GetAttributes.parse(input)
      const found = chosen(attributesOf(queues.byUrl(url)), wanted)
      return Object.keys(found).length === 0 ? {} : { Attributes: found }
    },
    SendMessage: (input) => {
      const { QueueUrl: url, ...message } = Send.parse(input)
      return send(queues.byUrl(url), message)
    },
    SendMessageBatch: (input) => {
      const { QueueUrl: url, Entries } = batch(SendEntry).parse(input)
      const queue = queues.byUrl(url)
      checkEntries(Entries)
      const total = Entries.reduce((sum, entry) => sum + sizeOf(entry.MessageBody, entry.MessageAttributes ?? {}), 0)
      if (total > MAX_MESSAGE_BYTES)
        throw sqsProblem(
          'BatchRequestTooLong',
          `Batch requests cannot be longer than ${MAX_MESSAGE_BYTES} bytes. You have sent ${total} bytes.`,
        )
      return each(Entries, (entry) => send(queue, entry))
    },
    ReceiveMessage: (input, { signal }) => {
      const wanted = Receive.parse(input)
      return receive(queues.byUrl(wanted.QueueUrl), wanted, signal)
    },
    DeleteMessage: (input) => {
      const { QueueUrl: url, ReceiptHandle } = Delete.parse(input)
      queues.byUrl(url).delete(ReceiptHandle)
    },
    DeleteMessageBatch: (input) => {
      const { QueueUrl: url, Entries } = batch(DeleteEntry).parse(input)
      const queue = queues.byUrl(url)
      checkEntries(Entries)
      return each(Entries, ({ ReceiptHandle }) => queue.delete(ReceiptHandle))
    },
    ChangeMessageVisibility: (input) => {
      const { QueueUrl: url, ReceiptHandle, VisibilityTimeout: seconds } = Change.parse(input)
      queues.byUrl(url).changeVisibility(ReceiptHandle, seconds * 1000)
    },
    ChangeMessageVisibilityBatch: (input) => {
      const { QueueUrl: url, Entries } = batch(ChangeEntry).parse(input)
      const queue = queues.byUrl(url)
      checkEntries(Entries)
      return each(Entries, (entry) =>
        queue.changeVisibility(entry.ReceiptHandle, (entry.VisibilityTimeout ?? 0) * 1000),
      )
    },
  }
}

function urlOf({ name }: Queue, host = 'localhost'): unknown {
  return { QueueUrl: `http://${host}/${ACCOUNT_ID}/${name}` }
}

function send(queue: Queue, { MessageBody, DelaySeconds, MessageAttributes = {} }: SendBody): Record<string, string> {
  const limit = queue.settings.maxMessageBytes
  if (MessageBody === '')
    throw sqsProblem('InvalidParameterValueException', 'The request must contain the parameter MessageBody.')
  if (NOT_XML.test(MessageBody))
    throw sqsProblem(
      'InvalidMessageContents',
      'Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF',
    )
  if (Object.keys(MessageAttributes).length > 10)
    throw sqsProblem(
      'InvalidParameterValueException',
      'Number of message attributes [11] exceeds the allowed maximum [10].',
    )
  checkValues(MessageAttributes)
  if (sizeOf(MessageBody, MessageAttributes) > limit)
    throw sqsProblem(
      'InvalidParameterValueException',
      `One or more parameters are invalid. Reason: Message must be shorter than ${limit} bytes.`,
    )
  const message = queue.send(MessageBody, MessageAttributes, DelaySeconds)
  const digest = attributesMd5(MessageAttributes)
  return {
    MessageId: message.id,
    MD5OfMessageBody: md5(MessageBody),
    ...(digest === undefined ? {} : { MD5OfMessageAttributes: digest }),
  }
}

function checkValues(given: MessageAttributes): void {
  const empty = Object.entries(given).find(([, { DataType, StringValue, BinaryValue }]) =>
    DataType.startsWith('Binary')
      ? BinaryValue === undefined || BinaryValue === ''
      : StringValue === undefined || StringValue === '',
  )
  if (empty === undefined) return
  throw sqsProblem(
    'InvalidParameterValueException',
    `The message attribute '${empty[0]}' must contain a non-empty value of type '${empty[1].DataType}'.`,
  )
}

async function receive(queue: Queue, wanted: z.infer<typeof Receive>, signal: AbortSignal): Promise<unknown> {
  const { settings } = queue
  const visibilityS = wanted.VisibilityTimeout ?? settings.visibilityTimeoutS
  const waitS = wanted.WaitTimeSeconds ?? settings.receiveWaitS
  const taken = await queue.receive(wanted.MaxNumberOfMessages ?? 1, visibilityS * 1000, waitS * 1000, signal)
  const systemNames = [...(wanted.AttributeNames ?? []), ...(wanted.MessageSystemAttributeNames ?? [])]
  const shown = taken.map((message) => received(message, systemNames, wanted.MessageAttributeNames ?? []))
  return shown.length === 0 ? {} : { Messages: shown }
}

function received(message: Message, systemNames: readonly string[], attributeNames: readonly string[]): unknown {
  const system = chosen(
    {
      SenderId: ACCOUNT_ID,
      SentTimestamp: String(message.sentEpochMs),
      ApproximateReceiveCount: String(message.receiveCount),
      ApproximateFirstReceiveTimestamp: String(message.firstReceiveEpochMs ?? 0),
    },
    systemNames,
    ['SequenceNumber', 'MessageDeduplicationId', 'MessageGroupId', 'AWSTraceHeader', 'DeadLetterQueueSourceArn'],
  )
  const given = Object.fromEntries(
    Object.entries(message.attributes).filter(([name]) =>
      attributeNames.some((wanted) =>
        wanted.endsWith('.*') ? name.startsWith(wanted.slice(0, -1)) : wanted === 'All' || wanted === name,
      ),
    ),
  )
  const digest = attributesMd5(given)
  return {
    MessageId: message.id,
    ReceiptHandle: message.receiptHandle,
    MD5OfBody: md5(message.body),
    Body: message.body,
    ...(Object.keys(system).length === 0 ? {} : { Attributes: system }),
    ...(digest === undefined ? {} : { MessageAttributes: given, MD5OfMessageAttributes: digest }),
  }
}

/** The attributes that somebody named, or all of them. `absent` are names that exist but have no value here. */
function chosen(
  all: Readonly<Record<string, string>>,
  wanted: readonly string[],
  absent: readonly string[] = [],
): Readonly<Record<string, string>> {
  if (wanted.includes('All')) return all
  const unknown = wanted.find((name) => !Object.hasOwn(all, name) && !absent.includes(name) && name !== 'RedrivePolicy')
  if (unknown !== undefined) throw sqsProblem('InvalidAttributeName', `Unknown Attribute ${unknown}.`)
  return Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)))
}

function checkEntries(entries: readonly { readonly Id: string }[]): void {
  if (entries.length === 0) throw sqsProblem('EmptyBatchRequest', 'There should be at least one entry in the request.')
  if (entries.length > MAX_ENTRIES)
    throw sqsProblem(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${MAX_ENTRIES}. You have sent ${entries.length}.`,
    )
  if (entries.some(({ Id: id }) => !/^[A-Za-z0-9_-]{1,80}$/.test(id)))
    throw sqsProblem(
      'InvalidBatchEntryId',
      'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
    )
  const ids = entries.map(({ Id: id }) => id)
  const twice = ids.find((id, at) => ids.indexOf(id) !== at)
  if (twice !== undefined) throw sqsProblem('BatchEntryIdsNotDistinct', `Id ${twice} repeated.`)
}

/** Runs a batch: one entry that fails does not stop the others. */
function each<Entry extends { readonly Id: string }>(
  entries: readonly Entry[],
  run: (entry: Entry) => Record<string, string> | void,
): unknown {
  const Successful: unknown[] = []
  const Failed: unknown[] = []
  for (const entry of entries) {
    try {
      Successful.push({ Id: entry.Id, ...run(entry) })
    } catch (error) {
      if (!(error instanceof AwsProblem)) throw error
      const Code = error.headers['x-amzn-query-error']?.split(';')[0] ?? error.type
      Failed.push({ Id: entry.Id, SenderFault: true, Code, Message: error.message })
    }
  }
  return { ...(Successful.length === 0 ? {} : { Successful }), ...(Failed.length === 0 ? {} : { Failed }) }
}
