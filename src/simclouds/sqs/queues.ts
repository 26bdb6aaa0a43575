import { z } from 'zod'
import { sqsProblem } from './problem.ts'
import { Queue, type QueueSettings } from './queue.ts'

/** The account that everything belongs to. */
export const ACCOUNT_ID = '123456789012'

/** The largest message: 1 MiB (Amazon SQS Developer Guide, "Amazon SQS message quotas"). */
export const MAX_MESSAGE_BYTES = 1_048_576

/** Attributes that can be set, with their range and default (Amazon SQS API Reference, CreateQueue). */
const NUMBERS = {
  VisibilityTimeout: { min: 0, max: 43_200, usual: 30 },
  MessageRetentionPeriod: { min: 60, max: 1_209_600, usual: 345_600 },
  DelaySeconds: { min: 0, max: 900, usual: 0 },
  ReceiveMessageWaitTimeSeconds: { min: 0, max: 20, usual: 0 },
  MaximumMessageSize: { min: 1_024, max: MAX_MESSAGE_BYTES, usual: MAX_MESSAGE_BYTES },
} as const

const Redrive = z.strictObject({
  deadLetterTargetArn: z.string(),
  maxReceiveCount: z.coerce.number().int().min(1).max(1_000),
})

/** Attributes as SQS names them, all of them text. */
export type QueueAttributes = Readonly<Record<string, string>>

/** The queues of one region. */
export class SqsQueues {
  readonly #region: string
  readonly #queues = new Map<string, Queue>()

  constructor(region: string) {
    this.#region = region
  }

  /**
   * Creates a queue, or finds the one that has the same name and attributes.
   * @throws {AwsProblem} QueueNameExists for other attributes, or for a name or an attribute that can not be.
   */
  create(name: string, attributes: QueueAttributes = {}): Queue {
    if (!/^[A-Za-z0-9_-]{1,80}$/.test(name))
      throw sqsProblem(
        'InvalidParameterValueException',
        'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
      )
    const settings = this.#settings(attributes)
    const known = this.#queues.get(name)
    if (known !== undefined) return sameAs(known, settings)
    const arn = `arn:aws:sqs:${this.#region}:${ACCOUNT_ID}:${name}`
    const queue = new Queue(name, arn, settings, () => this.#byArn(settings.redrive?.deadLetterArn))
    this.#queues.set(name, queue)
    return queue
  }

  /** @throws {AwsProblem} QueueDoesNotExist. */
  byName(name: string): Queue {
    const queue = this.#queues.get(name)
    if (queue === undefined) throw sqsProblem('QueueDoesNotExist', 'The specified queue does not exist.')
    return queue
  }

  /**
   * By the path of its URL: the host may be any name of this stand-in.
   * @throws {AwsProblem} QueueDoesNotExist.
   */
  byUrl(url: string): Queue {
    const [account, name] = (URL.parse(url)?.pathname ?? '').split('/').slice(1)
    return this.byName(account === ACCOUNT_ID ? (name ?? '') : '')
  }

  #byArn(arn: string | undefined): Queue | undefined {
    return [...this.#queues.values()].find((queue) => queue.arn === arn)
  }

  #settings(attributes: QueueAttributes): QueueSettings {
    const unknown = Object.keys(attributes).find((name) => name !== 'RedrivePolicy' && !Object.hasOwn(NUMBERS, name))
    if (unknown !== undefined) throw sqsProblem('InvalidAttributeName', `Unknown Attribute ${unknown}.`)
    return {
      visibilityTimeoutS: numberOf(attributes, 'VisibilityTimeout'),
      retentionS: numberOf(attributes, 'MessageRetentionPeriod'),
      delayS: numberOf(attributes, 'DelaySeconds'),
      receiveWaitS: numberOf(attributes, 'ReceiveMessageWaitTimeSeconds'),
      maxMessageBytes: numberOf(attributes, 'MaximumMessageSize'),
      redrive: this.#redrive(attributes['RedrivePolicy']),
    }
  }

  #redrive(text: string | undefined): QueueSettings['redrive'] {
    if (text === undefined) return undefined
    const policy = Redrive.safeParse(parsed(text))
    if (!policy.success) throw invalidValue('RedrivePolicy', text)
    const { deadLetterTargetArn: deadLetterArn, maxReceiveCount } = policy.data
    if (this.#byArn(deadLetterArn) === undefined)
      throw sqsProblem(
        'InvalidParameterValueException',
        `Value ${text} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.`,
      )
    return { deadLetterArn, maxReceiveCount }
  }
}

/** What `GetQueueAttributes` says about a queue. */
export function attributesOf(queue: Queue): QueueAttributes {
  const { settings, arn, createdEpochMs } = queue
  const { visible, inFlight, delayed } = queue.counts()
  const created = String(Math.floor(createdEpochMs / 1000))
  return {
    QueueArn: arn,
    ApproximateNumberOfMessages: String(visible),
    ApproximateNumberOfMessagesNotVisible: String(inFlight),
    ApproximateNumberOfMessagesDelayed: String(delayed),
    CreatedTimestamp: created,
    LastModifiedTimestamp: created,
    VisibilityTimeout: String(settings.visibilityTimeoutS),
    MessageRetentionPeriod: String(settings.retentionS),
    DelaySeconds: String(settings.delayS),
    ReceiveMessageWaitTimeSeconds: String(settings.receiveWaitS),
    MaximumMessageSize: String(settings.maxMessageBytes),
    ...(settings.redrive === undefined
      ? {}
      : {
          RedrivePolicy: JSON.stringify({
            deadLetterTargetArn: settings.redrive.deadLetterArn,
            maxReceiveCount: settings.redrive.maxReceiveCount,
          }),
        }),
  }
}

function numberOf(attributes: QueueAttributes, name: keyof typeof NUMBERS): number {
  const text = attributes[name]
  const { min, max, usual } = NUMBERS[name]
  if (text === undefined) return usual
  const value = Number(text)
  if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) throw invalidValue(name, text)
  return value
}

function invalidValue(name: string, text: string): Error {
  return sqsProblem('InvalidAttributeValue', `Invalid value for the parameter ${name}. Value: ${text}`)
}

function sameAs(queue: Queue, settings: QueueSettings): Queue {
  if (JSON.stringify(queue.settings) === JSON.stringify(settings)) return queue
  throw sqsProblem(
    'QueueNameExists',
    'A queue already exists with the same name and a different value for an attribute',
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
