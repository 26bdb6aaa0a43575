/**
 * Frames of `application/vnd.amazon.eventstream`:
 * u32 total, u32 header bytes, u32 CRC of those 8 bytes, headers, payload, u32 CRC of everything before.
 * Header: u8 name length, name, u8 type (7 = string), u16 value length, value.
 */
import { crc32 } from 'node:zlib'

export interface EventStreamMessage {
  readonly headers: Readonly<Record<string, string>>
  readonly payload: Uint8Array
}

/** The framing is broken: wrong checksum or impossible length. */
export class EventStreamError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'EventStreamError'
  }
}

const PRELUDE_BYTES = 12
const MIN_FRAME_BYTES = 16
/** The service's own limit of a frame is 16 MiB payload and 128 KiB headers. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024 + 128 * 1024 + MIN_FRAME_BYTES
const STRING_TYPE = 7
/** Bytes of a value by header type: true, false, byte, short, int, long, (bytes, string: variable), timestamp, uuid. */
const FIXED_VALUE_BYTES: Readonly<Record<number, number>> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 }

/** Incremental decoder: bytes may be split anywhere, also inside the length. */
export class EventStreamDecoder {
  #buffer: Uint8Array = new Uint8Array(0)

  /** Set when a frame behind the returned ones can not be right: nothing more will come. */
  failure: EventStreamError | undefined

  /** @throws {EventStreamError} when the first frame of these bytes can not be right; the stream is lost then. */
  push(bytes: Uint8Array): EventStreamMessage[] {
    this.#buffer = this.#buffer.length === 0 ? bytes : concat(this.#buffer, bytes)
    const messages: EventStreamMessage[] = []
    try {
      for (let message = this.#next(); message !== undefined; message = this.#next()) messages.push(message)
    } catch (error) {
      if (messages.length === 0 || !(error instanceof EventStreamError)) throw error
      this.failure = error
    }
    return messages
  }

  #next(): EventStreamMessage | undefined {
    if (this.#buffer.length < PRELUDE_BYTES) return undefined
    const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.byteLength)
    const total = view.getUint32(0)
    if (view.getUint32(8) !== crc32(this.#buffer.subarray(0, 8))) throw new EventStreamError('prelude checksum differs')
    if (total < MIN_FRAME_BYTES || total > MAX_FRAME_BYTES) throw new EventStreamError(`frame of ${total} bytes`)
    if (this.#buffer.length < total) return undefined
    const frame = this.#buffer.subarray(0, total)
    if (view.getUint32(total - 4) !== crc32(frame.subarray(0, total - 4)))
      throw new EventStreamError('frame checksum differs')
    this.#buffer = this.#buffer.subarray(total)
    return decodeFrame(frame, view.getUint32(4))
  }

  /** Whether part of a frame is waiting: at the end of a stream this means it was cut. */
  get pending(): boolean {
    return this.#buffer.length > 0
  }
}

function decodeFrame(frame: Uint8Array, headerBytes: number): EventStreamMessage {
  const headersEnd = PRELUDE_BYTES + headerBytes
  if (headersEnd > frame.length - 4) throw new EventStreamError('headers longer than the frame')
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const headers: Record<string, string> = {}
  let at = PRELUDE_BYTES
  while (at < headersEnd) {
    const nameBytes = view.getUint8(at)
    const name = utf8.decode(frame.subarray(at + 1, at + 1 + nameBytes))
    at += 1 + nameBytes
    if (at >= headersEnd) throw new EventStreamError('header without a value')
    const type = view.getUint8(at)
    at += 1
    const fixed = FIXED_VALUE_BYTES[type]
    if (fixed !== undefined) {
      at += fixed
      continue
    }
    if (type !== STRING_TYPE && type !== 6) throw new EventStreamError(`header type ${type}`)
    if (at + 2 > headersEnd) throw new EventStreamError('header value without a length')
    const valueBytes = view.getUint16(at)
    at += 2
    if (at + valueBytes > headersEnd) throw new EventStreamError('header value longer than the headers')
    if (type === STRING_TYPE) headers[name] = utf8.decode(frame.subarray(at, at + valueBytes))
    at += valueBytes
  }
  return { headers, payload: frame.subarray(headersEnd, frame.length - 4) }
}

/** One whole frame with string headers. */
export function encodeEventStreamMessage(headers: Readonly<Record<string, string>>, payload: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [name, value] of Object.entries(headers)) {
    const nameBytes = encoder.encode(name)
    const valueBytes = encoder.encode(value)
    const header = new Uint8Array(1 + nameBytes.length + 3 + valueBytes.length)
    header[0] = nameBytes.length
    header.set(nameBytes, 1)
    header[1 + nameBytes.length] = STRING_TYPE
    new DataView(header.buffer).setUint16(2 + nameBytes.length, valueBytes.length)
    header.set(valueBytes, 4 + nameBytes.length)
    parts.push(header)
  }
  const headerBytes = parts.reduce((sum, part) => sum + part.length, 0)
  const frame = new Uint8Array(MIN_FRAME_BYTES + headerBytes + payload.length)
  const view = new DataView(frame.buffer)
  view.setUint32(0, frame.length)
  view.setUint32(4, headerBytes)
  view.setUint32(8, crc32(frame.subarray(0, 8)))
  let at = PRELUDE_BYTES
  for (const part of parts) {
    frame.set(part, at)
    at += part.length
  }
  frame.set(payload, at)
  view.setUint32(frame.length - 4, crc32(frame.subarray(0, frame.length - 4)))
  return frame
}

const encoder = new TextEncoder()
const utf8 = new TextDecoder()

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}
