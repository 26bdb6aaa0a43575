import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Batch, Event } from '#contract/event.ts'
import { ConversationVault } from '#guard/vault.ts'
import { restore } from './restore.ts'
import { Restorer, jsonEscape } from './restorer.ts'

function vaultWith(...values: readonly (readonly [type: string, value: string])[]) {
  const vault = new ConversationVault('test key')
  return { vault, placeholders: values.map(([type, value]) => vault.placeholder(type, value, true)) }
}

function run(restorer: Restorer, pieces: readonly string[]): string {
  return pieces.map((piece) => restorer.push(piece)).join('') + restorer.end()
}

/** Cuts a text at the given places. */
function cut(text: string, places: readonly number[]): string[] {
  const at = [0, ...places.map((place) => place % (text.length + 1)).toSorted((a, b) => a - b), text.length]
  return at.slice(1).map((end, index) => text.slice(at[index] ?? 0, end))
}

test('restore after screen is the identity under every chunking', () => {
  const value = fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }).filter((text) => !/[<&\\]/.test(text))
  const glue = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom('<', '\\', '&lt', '<EMAIL_', '<EMAIL_ADDRESS_1234', '< ', '<b>', '&amp;', '\\u003'),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(glue, value), { maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      (pairs, places) => {
        const vault = new ConversationVault('test key')
        const screened = pairs
          .map(([before, secret]) => `${before} ${vault.placeholder('EMAIL_ADDRESS', secret, true)}`)
          .join('')
        const original = pairs.map(([before, secret]) => `${before} ${secret}`).join('')
        assert.equal(run(new Restorer(vault), cut(screened, places)), original)
      },
    ),
    { numRuns: 3000 },
  )
})

const { vault, placeholders } = vaultWith(['EMAIL_ADDRESS', 'jane@example.com'], ['PERSON', 'O"Neil \\ Ltd'])
const [email = '', person = ''] = placeholders
const name = email.slice(1, -1)

const FORMS = [
  email,
  email.toLowerCase(),
  `< ${name} >`,
  `&lt;${name}&gt;`,
  `&#60;${name}&#62;`,
  `\\<${name}\\>`,
  `\\u003c${name}\\u003e`,
  `<${name.replaceAll('_', '\\_')}>`,
]

for (const form of FORMS) {
  test(`a model that writes ${form} is understood, cut anywhere`, () => {
    const text = `mail ${form}, please`
    for (let at = 0; at <= text.length; at += 1) {
      assert.equal(run(new Restorer(vault), [text.slice(0, at), text.slice(at)]), 'mail jane@example.com, please')
    }
    assert.equal(run(new Restorer(vault), text.split('')), 'mail jane@example.com, please')
  })
}

test('numbers that were never issued, tags and escapes are left as they are', () => {
  for (const text of [
    '<EMAIL_ADDRESS_99999x>',
    '<EMAIL_ADDRESS_123>',
    '<div class="a">',
    'a < b && c > d',
    '&lt;b&gt;',
    'C:\\users\\x',
    '<',
  ]) {
    assert.equal(run(new Restorer(vault), text.split('')), text)
  }
})

test('a secret is never put back', () => {
  const own = new ConversationVault('test key')
  const placeholder = own.placeholder('SECRET', 'hunter2', false)
  assert.equal(run(new Restorer(own), [placeholder]), placeholder)
})

test('text without an opener is never held back', () => {
  const restorer = new Restorer(vault)
  assert.equal(restorer.push('no bracket here'), 'no bracket here')
  assert.equal(restorer.push('a < b'), 'a < b')
})

test('inside JSON the original is escaped, so that arguments stay parseable', () => {
  const restorer = new Restorer(vault, jsonEscape)
  const text = run(restorer, `{"to":"${person}"}`.split(''))
  assert.deepEqual(JSON.parse(text), { to: 'O"Neil \\ Ltd' })
})

async function collect(batches: AsyncIterable<Batch>): Promise<Event[]> {
  const events: Event[] = []
  for await (const batch of batches) events.push(...batch)
  return events
}

test('each stream of text is restored for itself, and all is flushed before the finish', async () => {
  async function* answer(): AsyncGenerator<Batch> {
    yield [{ type: 'start', id: '1', model: 'm' }]
    yield [
      { type: 'text-delta', choice: 0, text: `to ${email.slice(0, 5)}` },
      { type: 'text-delta', choice: 1, text: email.slice(0, 9) },
    ]
    yield [
      { type: 'text-delta', choice: 1, text: email.slice(9) },
      { type: 'text-delta', choice: 0, text: `${email.slice(5)} <EMAIL` },
    ]
    yield [
      { type: 'tool-call-start', choice: 0, index: 0, id: 'c', name: 'send' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: `{"to":"${email.slice(0, 7)}` },
    ]
    yield [
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: `${email.slice(7)}"}` },
      { type: 'finish', choice: 0, reason: 'stop' },
      { type: 'end' },
    ]
  }
  const events = await collect(restore(answer(), vault, { jsonText: false }))
  const text = (choice: number) =>
    events.map((event) => (event.type === 'text-delta' && event.choice === choice ? event.text : '')).join('')
  assert.equal(text(0), 'to jane@example.com <EMAIL')
  assert.equal(text(1), 'jane@example.com')
  assert.equal(
    events.map((event) => (event.type === 'tool-call-delta' ? event.arguments : '')).join(''),
    '{"to":"jane@example.com"}',
  )
  assert.deepEqual(
    events.slice(-2).map(({ type }) => type),
    ['finish', 'end'],
  )
})
