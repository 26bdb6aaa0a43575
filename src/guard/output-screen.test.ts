import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scan } from '#detect/scan.ts'
import { OutputScreen } from './output-screen.ts'

/** The text as it comes out, and the longest that was held. */
function run(pieces: readonly string[], types?: ReadonlySet<string>) {
  const screen = new OutputScreen(scan, ({ type }) => (types?.has(type) === false ? undefined : `[${type}]`))
  let [out, arrived, longest] = ['', 0, 0]
  for (const piece of pieces) {
    out += screen.push(piece)
    arrived += piece.length
    longest = Math.max(longest, arrived - out.length)
  }
  return { text: out + screen.end(), longest }
}

function cut(text: string, size: number): string[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, at) => text.slice(at * size, (at + 1) * size))
}

const AWS_KEY = `AKIA${'IOSFODNN7EXAMPLE'}`
const found: readonly (readonly [text: string, expected: string])[] = [
  ['Write to jane.doe@example.com today.', 'Write to [EMAIL_ADDRESS] today.'],
  ['The card 4111 1111 1111 1111 was used.', 'The card [CREDIT_CARD] was used.'],
  [`Use ${AWS_KEY} for it.`, 'Use [SECRET] for it.'],
  ['From 203.0.113.9 and 2001:db8::7:1 came', 'From [IP_ADDRESS] and [IP_ADDRESS] came'],
  ['Call +1 (555) 010-4477 now', 'Call [PHONE_NUMBER] now'],
  ['{"card":"4111111111111111","n":1}', '{"card":"[CREDIT_CARD]","n":1}'],
  ['nothing to see in 12 words, or 3', 'nothing to see in 12 words, or 3'],
]

for (const [text, expected] of found) {
  test(`"${text.slice(0, 24)}…" is treated under every cut`, () => {
    for (const size of [16, 24, 1000]) assert.equal(run(cut(text, size)).text, expected, `${size}`)
    // Cut finer, the first letters of a word may be gone before anything tells that it is more than a word.
    const [before = '', after = ''] = expected.split(/\[.*\]/)
    for (const size of [1, 2, 3, 4, 5, 7, 11]) {
      const out = run(cut(text, size)).text
      assert.ok(out.startsWith(before) && out.endsWith(after), `${size}: ${out}`)
      assert.ok(out.length <= expected.length + 9, `${size}: ${out}`)
    }
  })
}

test('an address in single characters loses its tail at the least', () => {
  const { text } = run(cut('mail jane.doe@example.com now', 1))
  assert.doesNotMatch(text, /@example/)
  assert.match(text, / now$/)
})

test('prose is never held, whatever it is cut into', () => {
  const proses = [
    'The quick brown fox jumps over the lazy dog; and then it sleeps. ',
    '日本語の文章には空白がありません。それでも待たせません。',
    'Съешь ещё этих мягких французских булок, да выпей чаю. ',
  ]
  for (const prose of proses.map((text) => text.repeat(20))) {
    for (const size of [1, 2, 3, 5, 8, 64]) {
      const { text, longest } = run(cut(prose, size))
      assert.equal(text, prose)
      assert.equal(longest, 0)
    }
  }
})

test('what is held has a bound, also for a candidate that never ends', () => {
  const { text, longest } = run(cut('1'.repeat(20_000), 10))
  assert.equal(text.length, 20_000)
  assert.ok(longest <= 520, String(longest))
})

test('without anything to treat the screen is the identity under every chunking', () => {
  const words = fc.constantFrom(
    'a',
    ' ',
    '12',
    'b-',
    '@',
    'x.y',
    '\n',
    '4111',
    'é',
    '😀',
    'KEY=',
    '"',
    '<PERSON_12345>',
  )
  fc.assert(
    fc.property(fc.array(words, { maxLength: 60 }), fc.array(fc.nat(9), { maxLength: 60 }), (parts, sizes) => {
      const text = parts.join('')
      const pieces: string[] = []
      let at = 0
      for (const size of [...sizes, text.length]) {
        pieces.push(text.slice(at, at + size))
        at += size
      }
      assert.equal(run(pieces, new Set()).text, text)
    }),
    { numRuns: 2000 },
  )
})
