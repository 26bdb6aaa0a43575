import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunk, Chunker, MAX_CHARS } from './chunk.ts'
import { parseMarkdown } from '#dataplane/parse/markdown.ts'
import { PartBuilder } from '#dataplane/parse/part-builder.ts'
import { parsePlain } from '#dataplane/parse/plain.ts'

const word = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
const paragraph = fc.oneof(
  fc.array(word, { minLength: 1, maxLength: 400 }).map((words) => words.join(' ')),
  fc.array(word, { minLength: 1, maxLength: 60 }).map((words) => words.map((item) => `- ${item}`).join('\n')),
  fc.integer({ min: 1, max: 6 }).map((level) => `${'#'.repeat(level)} Heading`),
  fc.integer({ min: 1, max: 3000 }).map((length) => '🌬'.repeat(length)),
)
const text = fc.array(paragraph, { maxLength: 12 }).map((paragraphs) => paragraphs.join('\n\n'))

test('chunks are in order, no longer than the maximum, and hold every character that is not white space once', () => {
  fc.assert(
    fc.property(text, (source) => {
      const chunks = chunk(parseMarkdown(source))
      let at = 0
      for (const { start, end, text: own } of chunks) {
        assert.ok(at <= start && start < end && end <= source.length)
        assert.equal(source.slice(at, start).trim(), '')
        assert.equal(source.slice(start, end), own)
        assert.ok(own.length <= MAX_CHARS)
        assert.ok(own.isWellFormed() || !source.isWellFormed())
        at = end
      }
      assert.equal(source.slice(at).trim(), '')
    }),
    { numRuns: 60 },
  )
})

test('a section is a chunk of its own and knows the headings above it', () => {
  const long = 'A sentence about wind and water that is long enough to stand for itself. '.repeat(4).trim()
  const chunks = chunk(
    parseMarkdown(`# Leave\n\n${long}\n\n## Vacation\n\n### Carry over\n\n${long}\n\n## Sick\n\n${long}\n`),
  )
  assert.deepEqual(
    chunks.map(({ headings }) => headings),
    [['Leave'], ['Leave', 'Vacation', 'Carry over'], ['Leave', 'Sick']],
  )
  assert.match(chunks[1]?.text ?? '', /^## Vacation\n\n### Carry over\n\nA sentence/)
})

test('a short introduction goes with the first section under it', () => {
  const chunks = chunk(
    parseMarkdown('# Leave\n\nOwner: People.\n\n## Vacation\n\nThirty days.\n\n## Sick\n\nCall us.\n'),
  )
  assert.deepEqual(
    chunks.map(({ text: own }) => own),
    ['# Leave\n\nOwner: People.\n\n## Vacation\n\nThirty days.', '## Sick\n\nCall us.'],
  )
})

test('a page starts a chunk, and the chunk says which', () => {
  const source = 'first page\n\nsecond page'
  const chunks = chunk({
    ...parsePlain(source),
    pages: [
      { page: 1, start: 0 },
      { page: 2, start: 12 },
    ],
  })
  assert.deepEqual(
    chunks.map(({ text: own, page }) => [own, page]),
    [
      ['first page', 1],
      ['second page', 2],
    ],
  )
})

test('prose breaks at sentences, a table at rows', () => {
  const prose = 'The wind turned north\nin the night. '.repeat(60)
  for (const { text: own } of chunk(parsePlain(prose))) assert.match(own, /night\.$/)
  const table = Array.from({ length: 80 }, (_, row) => `| row ${row} | a value and another value |`).join('\n')
  for (const { text: own } of chunk(parsePlain(table))) assert.match(own, /^\| row .* \|$/s)
})

test('records are packed whole, and a chunk says which it holds', () => {
  const rows = Array.from({ length: 40 }, (_, row) => `name: person ${row}; note: ${'a word '.repeat(8).trim()}`)
  const builder = new PartBuilder()
  builder.page(3)
  builder.heading(1, 'Sheet')
  for (const [row, text] of rows.entries()) builder.record(row + 11, text)
  const chunks = chunk(builder.take())
  assert.ok(chunks.length > 2)
  let next = 11
  for (const { text: own, record, lastRecord, page, headings } of chunks) {
    assert.deepEqual([page, headings], [3, ['Sheet']])
    assert.equal(record, next)
    const lines = own.replace(/^Sheet\s+/, '').split('\n')
    assert.deepEqual(lines, rows.slice(record - 11, lastRecord - 10))
    next = lastRecord + 1
  }
  assert.equal(next, 51)
})

test('only a record that is too long is cut, and each piece says which it is of', () => {
  const builder = new PartBuilder()
  builder.record(1, 'name: short')
  builder.record(2, `text: ${'a word and another. '.repeat(200).trim()}`)
  builder.record(3, 'name: last')
  const chunks = chunk(builder.take())
  assert.ok(chunks.length > 4)
  assert.deepEqual(
    [...new Set(chunks.map(({ record, lastRecord }) => `${record}-${lastRecord}`))],
    ['1-2', '2-2', '2-3'],
  )
  assert.equal(chunks.at(-1)?.lastRecord, 3)
})

test('parts of one document keep offsets, headings and the page', () => {
  const chunker = new Chunker()
  const first = new PartBuilder()
  first.page(7)
  first.heading(1, 'Wind')
  first.block('The wind turned north.')
  const part = first.take()
  const second = new PartBuilder()
  second.block('And then it calmed down.')
  second.heading(2, 'Sea')
  second.block('The tide rose.')
  const next = second.take()
  const chunks = [...chunker.next(part), ...chunker.next(next)]
  assert.deepEqual(
    chunks.map(({ headings, page, text: own }) => [headings.join(' '), page, own]),
    [
      ['Wind', 7, 'Wind\n\nThe wind turned north.'],
      ['Wind', 7, 'And then it calmed down.'],
      ['Wind Sea', 7, 'Sea\n\nThe tide rose.'],
    ],
  )
  const whole = part.text + next.text
  for (const { start, end, text: own } of chunks) assert.equal(whole.slice(start, end), own)
})

test('values with their names and lines of logs are not cut inside a line', () => {
  const values = Array.from({ length: 60 }, (_, at) => `items[${at}].name: the value. And another sentence`).join('\n')
  for (const { text: own } of chunk(parsePlain(values))) assert.match(own, /^items.*sentence$/s)
  const log = Array.from({ length: 60 }, (_, at) => `2026-11-25T10:00:${at} GET /. Then more words`).join('\n')
  for (const { text: own } of chunk(parsePlain(log))) assert.match(own, /^2026.*words$/s)
})
