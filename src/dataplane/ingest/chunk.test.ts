import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunk, MAX_CHARS } from './chunk.ts'
import { parseMarkdown } from '#dataplane/parse/markdown.ts'
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
