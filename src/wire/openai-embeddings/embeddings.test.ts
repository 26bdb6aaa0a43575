import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testAsk } from '#contract/test-ask.ts'
import { asList, asRecord, parseJson } from '#kit/json.ts'
import { decode } from './decode.ts'
import { wholeEncoder } from './encode.ts'

const refused: readonly (readonly [what: string, body: object, code: string, param: string])[] = [
  ['no input', {}, 'WIRE_MALFORMED', 'input'],
  ['no texts', { input: [] }, 'WIRE_MALFORMED', 'input'],
  ['too many texts', { input: Array(2049).fill('a') }, 'WIRE_MALFORMED', 'input'],
  ['an empty text', { input: ['a', ''] }, 'WIRE_MALFORMED', 'input[1]'],
  ['tokens', { input: [1, 2] }, 'WIRE_UNSUPPORTED', 'input[0]'],
  ['lists of tokens', { input: [[1, 2]] }, 'WIRE_UNSUPPORTED', 'input[0]'],
  ['an unknown format', { input: 'a', encoding_format: 'hex' }, 'WIRE_MALFORMED', 'encoding_format'],
  ['dimensions of zero', { input: 'a', dimensions: 0 }, 'WIRE_MALFORMED', 'dimensions'],
  ['grounding', { input: 'a', thinplane: { ground: { collections: [] } } }, 'WIRE_UNSUPPORTED', 'thinplane.ground'],
]

for (const [what, body, code, param] of refused) {
  test(`${what}: ${code} names the field`, () => {
    assert.throws(() => decode(JSON.stringify({ model: 'm', ...body })), { name: 'Refusal', code, param })
  })
}

test('numbers and Base64 are turned into each other, and stand in the order of the texts', () => {
  const floats = Buffer.from(new Float32Array([0.5, -2]).buffer).toString('base64')
  for (const [vectorFormat, expected] of [
    [
      'float',
      [
        [1, 0.25],
        [0.5, -2],
      ],
    ],
    ['base64', [Buffer.from(new Float32Array([1, 0.25]).buffer).toString('base64'), floats]],
  ] as const) {
    const encoder = wholeEncoder({
      requestId: 'req-1',
      alias: 'm',
      target: 't',
      createdEpochS: 0,
      includeUsage: true,
      ask: testAsk({ operation: 'embed', vectorFormat }),
      sources: [],
      isStored: false,
    })
    encoder.push([
      { type: 'embedding', index: 1, vector: floats },
      { type: 'embedding', index: 0, vector: [1, 0.25] },
      { type: 'usage', usage: { input: 3, cachedRead: 0, cachedWrite: 0, output: 0, reasoning: 0 } },
    ])
    const answer = asRecord(parseJson(encoder.end()))
    assert.deepEqual(
      asList(answer?.['data']).map((item) => asRecord(item)?.['embedding']),
      expected,
    )
    assert.deepEqual(answer?.['usage'], { prompt_tokens: 3, total_tokens: 3 })
  }
})
