import fc from 'fast-check'
import { parquetWriteBuffer } from 'hyparquet-writer'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Chunker, MAX_CHARS } from '#dataplane/ingest/chunk.ts'
import { parse, UNFORESEEN } from './parse.ts'
import { ParseError } from './parsed.ts'
import { makeDocx, makePptx, makeXlsx, makeZip, paragraph, shape, skipWithoutParsers } from './test-files.ts'
import { makePdf } from './test-pdf.ts'

const options = { skip: skipWithoutParsers }

const prose = 'The wind turned north in the night, and the harbour office closed. '
const cell = (text: string) => `<w:tc>${paragraph(text)}</w:tc>`
const FILES: Readonly<Record<string, Uint8Array>> = {
  'a.pdf': makePdf({
    pages: [1, 2].map((page) => [
      { text: `Page ${page}`, x: 72, y: 720, size: 18, font: 'bold' },
      { text: prose, x: 72, y: 690, size: 10, font: 'mapped' },
    ]),
    title: 'Title',
  }),
  'a.docx': makeDocx(
    `${paragraph('Head', { style: 'Heading1' })}${paragraph(prose.repeat(30))}${paragraph('item', { list: 2 })}<w:tbl>${`<w:tr>${cell('a')}${cell(prose)}</w:tr>`.repeat(30)}</w:tbl>`,
  ),
  'a.pptx': makePptx([
    { shapes: shape('title', 'Slide') + shape('body', prose, prose), notes: 'note' },
    { shapes: '' },
  ]),
  'a.xlsx': makeXlsx({
    One: [['Name', 'Note'], ...Array.from({ length: 40 }, (_, row) => [`row ${row}`, prose])],
    Two: [['only'], [1, { value: 45_000, style: 1 }]],
  }),
  'a.parquet': new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'id', data: Array.from({ length: 60 }, (_, row) => row) },
        { name: 'note', data: Array.from({ length: 60 }, () => prose) },
      ],
      rowGroupSize: 25,
    }),
  ),
  'a.csv': Buffer.from(`name,note\n${`x,"${prose}"\n`.repeat(40)}`),
  'a.json': Buffer.from(
    JSON.stringify(Array.from({ length: 30 }, (_, id) => ({ id, note: prose, in: [{ a: prose.repeat(20) }] }))),
  ),
  'a.jsonl': Buffer.from(`{"a":1,"b":"${prose}"}\n`.repeat(30)),
  'a.md': Buffer.from(
    `# One\n\n${prose.repeat(40)}\n\n## Two\n\n| a | b |\n| --- | --- |\n${`| 1 | ${prose} |\n`.repeat(30)}`,
  ),
  'a.html': Buffer.from(
    `<!doctype html><title>T</title><h1>One</h1><p>${prose.repeat(30)}<table><tr><td>1<td>2</table>`,
  ),
  'a.log': Buffer.from(`2024-01-01T00:00:00Z ${prose}\n`.repeat(60)),
}

/** Reads a document as ingest does; checks that every character that is not blank is in exactly one chunk. */
async function check(name: string, bytes: Uint8Array): Promise<{ chunks: number; withRecord: number }> {
  const chunker = new Chunker()
  let [offset, chunks, withRecord] = [0, 0, 0]
  for await (const part of parse({ name, bytes })) {
    let at = 0
    for (const chunk of chunker.next(part)) {
      const [start, end] = [chunk.start - offset, chunk.end - offset]
      assert.ok(at <= start && start < end && end <= part.text.length)
      assert.equal(part.text.slice(at, start).trim(), '')
      assert.equal(part.text.slice(start, end), chunk.text)
      assert.ok(chunk.text.length <= MAX_CHARS && chunk.record <= chunk.lastRecord)
      if (chunk.record > 0) withRecord += 1
      at = end
      chunks += 1
    }
    assert.equal(part.text.slice(at).trim(), '')
    offset += part.text.length
  }
  return { chunks, withRecord }
}

async function checkOrParseError(name: string, bytes: Uint8Array): Promise<void> {
  try {
    await check(name, bytes)
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    assert.notEqual(error.message, UNFORESEEN, error.cause instanceof Error ? error.cause.stack : String(error.cause))
  }
}

test('chunks of every format hold every character that is not blank exactly once', options, async () => {
  const ofRecords = new Set(['a.xlsx', 'a.parquet', 'a.csv', 'a.json', 'a.jsonl'])
  for (const [name, bytes] of Object.entries(FILES)) {
    const { chunks, withRecord } = await check(name, bytes)
    assert.ok(chunks > 0, name)
    assert.equal(withRecord, ofRecords.has(name) ? chunks : 0, name)
  }
})

test('random bytes give text or a ParseError, whatever the name says', options, async () => {
  const heads = ['', '%PDF-1.7\n', 'PK\x03\x04', 'PAR1', '[', '{"a":', '<html>', 'a,b\n', '\xff\xfe', '\xef\xbb\xbf']
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(FILES)),
      fc.constantFrom(...heads),
      fc.oneof(
        fc.uint8Array({ maxLength: 2000 }),
        fc.string({ maxLength: 2000, unit: 'binary' }).map((text) => Buffer.from(text)),
      ),
      async (name, head, rest) => {
        await checkOrParseError(name, new Uint8Array(Buffer.concat([Buffer.from(head, 'latin1'), rest])))
      },
    ),
    { numRuns: 400 },
  )
})

test('a file that was cut or changed gives text or a ParseError', options, async () => {
  for (const [name, bytes] of Object.entries(FILES)) {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 })), {
          maxLength: 8,
        }),
        async (kept, changes) => {
          const length = kept > 0.5 ? bytes.length : Math.floor(bytes.length * kept * 2)
          const changed = new Uint8Array(bytes.slice(0, length))
          for (const [place, byte] of changes) changed[Math.floor(place * changed.length)] = byte
          await checkOrParseError(name, changed)
        },
      ),
      { numRuns: name === 'a.pdf' ? 40 : 80 },
    )
  }
})

test('XML that was changed inside a whole archive gives text or a ParseError', options, async () => {
  const bodies: readonly (readonly [name: string, make: (xml: string) => Uint8Array, xml: string])[] = [
    [
      'a.docx',
      (xml) => makeDocx(xml),
      `${paragraph('Head', { style: 'Heading1' })}<w:tbl><w:tr>${cell('a')}</w:tr></w:tbl>${paragraph('x', { list: 1, indent: 3 })}`,
    ],
    ['a.pptx', (xml) => makePptx([{ shapes: xml, notes: xml }]), shape('title', 'Slide') + shape('body', prose)],
    [
      'a.xlsx',
      (xml) =>
        makeXlsx(
          { One: [['a', 'b']] },
          { 'xl/worksheets/sheet1.xml': Buffer.from(xml), 'xl/sharedStrings.xml': Buffer.from(xml) },
        ),
      '<worksheet><si><t>x</t></si><row r="1"><c r="B1" s="1"><v>45000</v></c><c t="s"><v>0</v></c><c r="ZZZ9" t="inlineStr"><is><t>i</t></is></c></row></worksheet>',
    ],
    [
      'a.docx',
      (xml) => makeZip({ 'word/document.xml': xml, 'word/styles.xml': xml, 'word/numbering.xml': xml }),
      '<w:style w:styleId="a"><w:basedOn w:val="a"/></w:style>',
    ],
  ]
  const piece = fc.constantFrom(
    '<',
    '>',
    '/>',
    '"',
    '</w:p>',
    '<w:p>',
    '<w:tbl>',
    '</w:tc>',
    '&#x0;',
    '&#xD800;',
    '-1',
    '1e999',
    '<c>',
    '<row>',
    '</row>',
    '<!--',
    '<a:tc>',
  )
  for (const [name, make, xml] of bodies) {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(xml.length), piece), { minLength: 1, maxLength: 6 }),
        async (changes) => {
          let changed = xml
          for (const [at, text] of changes) changed = changed.slice(0, at) + text + changed.slice(at + (at % 3))
          await checkOrParseError(name, make(changed))
        },
      ),
      { numRuns: 80 },
    )
  }
})
