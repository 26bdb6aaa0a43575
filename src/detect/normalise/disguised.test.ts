import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scan } from '#detect/scan.ts'
import { LETTERS_AND_DIGITS, drawn } from '#detect/test-values.ts'
import { fold } from './fold.ts'

const CARD = '4111111111111111'
const MAIL = 'jane.doe@example.com'
const TOKEN = `ghp_${drawn(LETTERS_AND_DIGITS, 36)}`
const fullWidth = (text: string): string =>
  text.replace(/[!-~]/g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfee0))
const between = (text: string, mark: string): string => text.split('').join(mark)
const escaped = (text: string, how: (code: number) => string): string =>
  text.replace(/[^A-Za-z0-9]/g, (char) => how(char.charCodeAt(0)))
const hex2 = (code: number): string => code.toString(16).padStart(2, '0')

const DISGUISES: Readonly<Record<string, (value: string) => string>> = {
  'zero-width characters': (value) => between(value, '\u200b'),
  'soft hyphens': (value) => between(value, '\u00ad'),
  'full width': fullWidth,
  'look-alikes': (value) =>
    value.replaceAll('a', 'а').replaceAll('e', 'е').replaceAll('o', 'о').replaceAll('p', 'р').replaceAll('1', '１'),
  'tags inside': (value) => `${value.slice(0, 3)}\u{e0068}\u{e0069}${value.slice(3)}`,
  'all in tags': (value) =>
    value
      .split('')
      .map((char) => String.fromCodePoint(0xe0000 + char.charCodeAt(0)))
      .join(''),
  'combining marks': (value) => between(value, '\u0301'),
  Base64: (value) => Buffer.from(value).toString('base64'),
  Base64url: (value) => Buffer.from(value).toString('base64url'),
  'Base64 twice': (value) => Buffer.from(Buffer.from(value).toString('base64')).toString('base64'),
  hexadecimal: (value) => Buffer.from(value).toString('hex'),
  'blanks between': (value) => between(value, ' '),
}

/** These change what is not a letter or a digit. */
const ESCAPES: Readonly<Record<string, (value: string) => string>> = {
  percent: (value) => escaped(value, (code) => `%${hex2(code)}`),
  'decimal entities': (value) => escaped(value, (code) => `&#${code};`),
  'hexadecimal entities': (value) => escaped(value, (code) => `&#x${hex2(code)};`),
  'JSON escapes': (value) => escaped(value, (code) => `\\u00${hex2(code)}`),
  'a line break': (value) => `${value.slice(0, 10)}\n${value.slice(10)}`,
}

function covered(text: string, start: number, end: number, type: string): boolean {
  return scan(text).some((finding) => finding.type === type && finding.start <= start && finding.end >= end)
}

for (const [name, disguise] of Object.entries(DISGUISES)) {
  test(`a card, an address and a token behind ${name} are found and covered whole`, () => {
    for (const [type, value] of [
      ['CREDIT_CARD', CARD],
      ['EMAIL_ADDRESS', MAIL],
      ['SECRET', TOKEN],
    ] as const) {
      const hidden = disguise(value)
      const text = `see "${hidden}" there`
      assert.ok(covered(text, 5, 5 + hidden.length, type), type)
    }
  })
}

for (const [name, disguise] of Object.entries(ESCAPES)) {
  test(`an address and a token behind ${name} are found and covered whole`, () => {
    for (const [type, value] of [
      ['EMAIL_ADDRESS', MAIL],
      ['SECRET', TOKEN],
    ] as const) {
      const hidden = disguise(value)
      const text = `see ${hidden} there`
      assert.ok(covered(text, 4, 4 + hidden.length, type), type)
    }
  })
}

test('texts in other alphabets, lists of letters, columns of numbers and pictures hide nothing', () => {
  for (const text of [
    'Доброе утро, как дела? Καλημέρα σας.',
    'a b c d e f g h i j k l',
    '60115209\n37848076\n60115210\n',
    'the value is\nbroken over two\nlines of prose',
    `data:image/png;base64,${Buffer.from([137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82]).toString('base64')}`,
    'cafe\u0301 and 50 % of 100&nbsp;EUR',
  ])
    assert.deepEqual(scan(text), [], text)
})

test('a text without anything to fold is not copied', () => {
  assert.equal(fold('plain text'), undefined)
  assert.equal(fold('日本語のテキスト'), undefined)
})

test('offsets lie inside the text and never overlap, whatever is hidden in it', () => {
  const hidden = fc.constantFrom(
    ...Object.values(DISGUISES).flatMap((disguise) => [disguise(CARD), disguise(MAIL)]),
    '%',
    '%4',
    '&#',
    '&#x',
    '\\u00',
    '\u{e0068}',
    '\ud83d',
    'password=',
    '\n',
    ' ',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(hidden, fc.string({ unit: 'binary' })), { maxLength: 10 }), (pieces) => {
      const text = pieces.join('')
      let end = 0
      for (const finding of scan(text)) {
        assert.ok(finding.start >= end && finding.end > finding.start && finding.end <= text.length)
        end = finding.end
      }
    }),
    { numRuns: 300 },
  )
})
