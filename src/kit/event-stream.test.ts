import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import {
  EventStreamDecoder,
  EventStreamError,
  type EventStreamMessage,
  encodeEventStreamMessage,
} from './event-stream.ts'

/** A `messageStart` frame as the service itself sent it. */
const RECORDED = Buffer.from(
  '0000008700000052e38183330b3a6576656e742d7479706507000c6d65737361676553746172740d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22726f6c65223a22617373697374616e74222c2270223a226162636465666768696a227d5d408b78',
  'hex',
)

function decode(pieces: readonly Uint8Array[]): { headers: Readonly<Record<string, string>>; text: string }[] {
  const decoder = new EventStreamDecoder()
  return pieces.flatMap((piece) => decoder.push(piece)).map(shown)
}

function shown({ headers, payload }: EventStreamMessage): { headers: Readonly<Record<string, string>>; text: string } {
  return { headers, text: Buffer.from(payload).toString('utf8') }
}

/** A frame around headers that are already bytes. */
function frame(headers: Uint8Array, payload = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(16 + headers.length + payload.length)
  bytes.writeUInt32BE(bytes.length, 0)
  bytes.writeUInt32BE(headers.length, 4)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8)
  bytes.set(headers, 12)
  bytes.set(payload, 12 + headers.length)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4)
  return bytes
}

test('a frame of the real service is read, and written byte for byte', () => {
  const headers = { ':event-type': 'messageStart', ':content-type': 'application/json', ':message-type': 'event' }
  const text = '{"role":"assistant","p":"abcdefghij"}'
  assert.deepEqual(decode([RECORDED]), [{ headers, text }])
  assert.deepEqual(Buffer.from(encodeEventStreamMessage(headers, Buffer.from(text))), RECORDED)
})

test('two frames are read under every split', () => {
  const bytes = Buffer.concat([RECORDED, encodeEventStreamMessage({ ':event-type': 'end' }, Buffer.from('ä'))])
  const expected = decode([bytes])
  assert.deepEqual([expected.length, expected[1]?.text], [2, 'ä'])
  for (let at = 0; at <= bytes.length; at += 1) {
    assert.deepEqual(decode([bytes.subarray(0, at), bytes.subarray(at)]), expected, `split at ${at}`)
  }
  assert.deepEqual(decode([...bytes].map((byte) => Uint8Array.of(byte))), expected)
})

test('what is encoded is decoded, in any chunking', () => {
  const name = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text !== '__proto__')
  const headers = fc.dictionary(name, fc.string({ maxLength: 40, unit: 'grapheme' }), {
    maxKeys: 4,
    noNullPrototype: true,
  })
  const message = fc.record({ headers, payload: fc.uint8Array({ maxLength: 80 }) }, { noNullPrototype: true })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 4 }), fc.integer({ min: 1, max: 40 }), (messages, size) => {
      const bytes = Buffer.concat(messages.map((each) => encodeEventStreamMessage(each.headers, each.payload)))
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      )
      const decoder = new EventStreamDecoder()
      const read = pieces.flatMap((piece) => decoder.push(piece))
      assert.deepEqual(
        read.map((each) => ({ headers: { ...each.headers }, payload: Uint8Array.from(each.payload) })),
        messages,
      )
      assert.equal(decoder.pending, false)
    }),
    { numRuns: 300 },
  )
})

test('a flipped bit anywhere in a frame is found', () => {
  for (let at = 0; at < RECORDED.length; at += 1) {
    const bytes = Buffer.from(RECORDED)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at)
    assert.throws(
      () => decode([bytes]),
      { name: 'EventStreamError', message: at < 12 ? 'prelude checksum differs' : 'frame checksum differs' },
      `byte ${at}`,
    )
  }
})

test('part of a frame is pending', () => {
  const decoder = new EventStreamDecoder()
  assert.equal(decoder.pending, false)
  assert.deepEqual(decoder.push(RECORDED.subarray(0, -1)), [])
  assert.equal(decoder.pending, true)
  assert.equal(decoder.push(RECORDED.subarray(-1)).length, 1)
  assert.equal(decoder.pending, false)
})

test('headers of types that hold no text are passed over', () => {
  const named = (type: number, ...value: number[]): number[] => [1, 97, type, ...value]
  const headers = [
    ...named(0),
    ...named(1),
    ...named(2, 7),
    ...named(3, 0, 7),
    ...named(4, 0, 0, 0, 7),
    ...named(5, ...Buffer.alloc(8)),
    ...named(6, 0, 2, 1, 2),
    ...named(8, ...Buffer.alloc(8)),
    ...named(9, ...Buffer.alloc(16)),
    1,
    98,
    7,
    0,
    1,
    120,
  ]
  assert.deepEqual(decode([frame(Uint8Array.from(headers), Buffer.from('p'))]), [{ headers: { b: 'x' }, text: 'p' }])
})

const impossible: readonly (readonly [what: string, bytes: Buffer, message: string])[] = [
  ['a header type that does not exist', frame(Uint8Array.of(1, 97, 10)), 'header type 10'],
  ['a name beyond the headers', frame(Uint8Array.of(9, 97)), 'header without a value'],
  ['a value without a length', frame(Uint8Array.of(1, 97, 7, 0)), 'header value without a length'],
  ['a value beyond the headers', frame(Uint8Array.of(1, 97, 7, 0, 9, 1)), 'header value longer than the headers'],
  ['headers beyond the frame', withPrelude(16, 99), 'headers longer than the frame'],
  ['a frame shorter than any', withPrelude(15, 0), 'frame of 15 bytes'],
  ['a frame longer than any', withPrelude(0x7fffffff, 0), 'frame of 2147483647 bytes'],
]

for (const [what, bytes, message] of impossible) {
  test(`${what} is refused`, () => {
    assert.throws(() => decode([bytes]), { name: 'EventStreamError', message })
  })
}

test('arbitrary bytes throw nothing but an error of the framing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 40 }), (bytes, headers) => {
      for (const input of [bytes, frame(headers)]) {
        try {
          decode([input])
        } catch (error) {
          assert.ok(error instanceof EventStreamError, String(error))
        }
      }
    }),
    { numRuns: 500 },
  )
})

function withPrelude(total: number, headers: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(total, 0)
  bytes.writeUInt32BE(headers, 4)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 12)), 12)
  return bytes
}
