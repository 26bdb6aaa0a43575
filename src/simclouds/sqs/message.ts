import { createHash, randomUUID } from 'node:crypto'

/** An attribute that the sender gave a message. */
export interface MessageAttribute {
  /** `String`, `Number` or `Binary`, with a dot and a name of the sender's own behind it where there is one. */
  readonly DataType: string
  readonly StringValue?: string | undefined
  /** Base64. */
  readonly BinaryValue?: string | undefined
}

export type MessageAttributes = Readonly<Record<string, MessageAttribute>>

/** A message in a queue. */
export interface Message {
  readonly id: string
  readonly body: string
  readonly attributes: MessageAttributes
  readonly sentEpochMs: number
  /** From when on it can be received. */
  visibleEpochMs: number
  receiveCount: number
  firstReceiveEpochMs: number | undefined
  /** Of the last receive; undefined when it was not received yet. */
  receiptHandle: string | undefined
}

/** A message that waits `delayMs` before anybody sees it. */
export function newMessage(body: string, attributes: MessageAttributes, delayMs: number): Message {
  return {
    id: randomUUID(),
    body,
    attributes,
    sentEpochMs: Date.now(),
    visibleEpochMs: Date.now() + delayMs,
    receiveCount: 0,
    firstReceiveEpochMs: undefined,
    receiptHandle: undefined,
  }
}

/** Hexadecimal MD5 of a body. */
export function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}

/** Bytes that count against the limit: the body, and names, types and values of the attributes. */
export function sizeOf(body: string, attributes: MessageAttributes): number {
  const texts = Object.entries(attributes).flatMap(([name, { DataType, StringValue = '' }]) => [
    name,
    DataType,
    StringValue,
  ])
  const binary = Object.values(attributes).map(({ BinaryValue = '' }) => Buffer.from(BinaryValue, 'base64').length)
  return (
    [body, ...texts].reduce((sum, text) => sum + Buffer.byteLength(text), 0) + binary.reduce((sum, n) => sum + n, 0)
  )
}

/**
 * MD5 over the attributes in the order of their names, each part behind its length (Amazon SQS Developer Guide,
 * "Calculating the MD5 message digest for message attributes"). Undefined when there are none.
 */
export function attributesMd5(attributes: MessageAttributes): string | undefined {
  const names = Object.keys(attributes).toSorted()
  if (names.length === 0) return undefined
  const digest = createHash('md5')
  const add = (bytes: Uint8Array): void => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    digest.update(length).update(bytes)
  }
  for (const name of names) {
    const { DataType = '', StringValue, BinaryValue = '' } = attributes[name] ?? {}
    add(Buffer.from(name))
    add(Buffer.from(DataType))
    digest.update(Buffer.from([StringValue === undefined ? 2 : 1]))
    add(StringValue === undefined ? Buffer.from(BinaryValue, 'base64') : Buffer.from(StringValue))
  }
  return digest.digest('hex')
}
