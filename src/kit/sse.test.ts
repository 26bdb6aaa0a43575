import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SseDecoder, type SseEvent } from './sse.ts'

function decode(pieces: readonly Uint8Array[]): SseEvent[] {
  const decoder = new SseDecoder()
  return pieces.flatMap((piece) => decoder.push(piece))
}

const cases: readonly (readonly [what: string, text: string, events: readonly SseEvent[]])[] = [
  ['one event', 'data: a\n\n', [{ event: '', data: 'a' }]],
  [
    'carriage returns and line feeds',
    'data: a\r\n\r\ndata: b\r\n\r\n',
    [
      { event: '', data: 'a' },
      { event: '', data: 'b' },
    ],
  ],
  [
    'carriage returns alone',
    'data: a\r\rdata: b\r\r',
    [
      { event: '', data: 'a' },
      { event: '', data: 'b' },
    ],
  ],
  ['line ends of every kind in one event', 'event: x\r\ndata: a\rdata: b\n\r\n', [{ event: 'x', data: 'a\nb' }]],
  [
    'comments and fields that are not kept',
    ': hello\nid: 7\nretry: 10\ndata: a\n\n: bye\n\n',
    [{ event: '', data: 'a' }],
  ],
  ['an event without data, which is none', 'event: ping\n\ndata: a\n\n', [{ event: '', data: 'a' }]],
  [
    'a name for one event only',
    'event: x\ndata: a\n\ndata: b\n\n',
    [
      { event: 'x', data: 'a' },
      { event: '', data: 'b' },
    ],
  ],
  [
    'one blank behind the colon, and no more, left out',
    'data:a\n\ndata:  b\n\n',
    [
      { event: '', data: 'a' },
      { event: '', data: ' b' },
    ],
  ],
  ['a field without a colon', 'data\n\n', [{ event: '', data: '' }]],
  ['colons in the data', 'data: {"a":1}\n\n', [{ event: '', data: '{"a":1}' }]],
  [
    'characters of two to four bytes',
    'data: äß€𝄞\n\ndata: 語\n\n',
    [
      { event: '', data: 'äß€𝄞' },
      { event: '', data: '語' },
    ],
  ],
  ['a byte order mark at the beginning', '\uFEFFdata: a\n\n', [{ event: '', data: 'a' }]],
  ['the beginning of an event that never ends', 'data: a\n\ndata: b\n', [{ event: '', data: 'a' }]],
]

for (const [what, text, events] of cases) {
  test(`the decoder reads ${what}, split anywhere`, () => {
    const bytes = Buffer.from(text)
    assert.deepEqual(decode([bytes]), events)
    for (let at = 0; at <= bytes.length; at += 1) {
      assert.deepEqual(decode([bytes.subarray(0, at), bytes.subarray(at)]), events, `split at ${at}`)
    }
    assert.deepEqual(decode([...bytes].map((byte) => Uint8Array.of(byte))), events)
  })
}

test('any chunking of any bytes gives the same events', () => {
  const line = fc.oneof(
    fc.constantFrom('data: a', 'data', 'event: x', ':', 'data: ä€𝄞', 'da', ' '),
    fc.string({ maxLength: 8, unit: 'binary' }),
  )
  const text = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\r\n\r\n', '')), { maxLength: 20 })
  const anyBytes = fc.oneof(
    text.map((lines) => Buffer.from(lines.flat().join(''))),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  )
  fc.assert(
    fc.property(anyBytes, fc.array(fc.nat(), { maxLength: 12 }), (bytes, places) => {
      const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
      const pieces = cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end))
      assert.deepEqual(decode(pieces), decode([bytes]))
    }),
    { numRuns: 500 },
  )
})

test('what waits for its end is pending, and a whole stream leaves nothing', () => {
  const decoder = new SseDecoder()
  assert.equal(decoder.pending, false)
  decoder.push(Buffer.from('dat'))
  assert.equal(decoder.pending, true)
  decoder.push(Buffer.from('a: x\n'))
  assert.equal(decoder.pending, true)
  assert.deepEqual(decoder.push(Buffer.from('\r\n')), [{ event: '', data: 'x' }])
  assert.equal(decoder.pending, false)
})
