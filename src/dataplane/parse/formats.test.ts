import { parquetWriteBuffer } from 'hyparquet-writer'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  makeDocx,
  makePptx,
  makeXlsx,
  paragraph,
  parsedWhole,
  partsOf,
  shape,
  skipWithoutParsers,
} from './test-files.ts'
import { makePdf } from './test-pdf.ts'

const options = { skip: skipWithoutParsers }

test('a Word document gives headings, lists, tables and notes, without what was deleted', options, async () => {
  const cell = (text: string) => `<w:tc>${paragraph(text)}</w:tc>`
  const body = [
    paragraph('The <w:br/> title'.replace(' <w:br/>', ''), { style: 'Title' }),
    paragraph('Leave', { style: 'Heading1' }),
    `<w:p><w:r><w:t>Thirty</w:t></w:r><w:r><w:tab/><w:t xml:space="preserve">days &amp; </w:t></w:r><w:del><w:r><w:delText>no</w:delText><w:t>gone</w:t></w:r></w:del><w:ins><w:r><w:t>more.</w:t></w:r></w:ins><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>`,
    paragraph('Carry over', { style: 'Mine' }),
    paragraph('first', { list: 1 }),
    paragraph('inner', { list: 1, indent: 1 }),
    paragraph('one', { list: 2 }),
    paragraph('two', { list: 2 }),
    `<w:tbl><w:tr>${cell('Name')}${cell('Days')}</w:tr><w:tr>${cell('A | B')}<w:tc>${paragraph('3')}${paragraph('or 4')}</w:tc></w:tr></w:tbl>`,
    `<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent>${paragraph('In a box')}</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>${paragraph('In a box')}</w:txbxContent></mc:Fallback></mc:AlternateContent><w:t>Around it</w:t></w:r></w:p>`,
    `<w:p><w:pPr><w:outlineLvl w:val="2"/></w:pPr><w:r><w:t>By level</w:t></w:r></w:p>`,
  ]
  const notes = `<w:footnotes xmlns:w="x"><w:footnote w:type="separator">${paragraph('---')}</w:footnote><w:footnote w:id="2">${paragraph('A note.')}</w:footnote></w:footnotes>`
  const { title, text, headings } = await parsedWhole(
    'x.docx',
    makeDocx(body.join(''), { 'word/footnotes.xml': notes }),
  )
  assert.equal(title, 'Handbook & more')
  assert.deepEqual(headings, ['1 The title', '1 Leave', '2 Carry over', '3 By level'])
  assert.equal(
    text,
    [
      'The title\n\nLeave\n\nThirty days & more.\n\nCarry over\n\n- first\n  - inner\n1. one\n2. two',
      '\n| Name | Days |\n| --- | --- |\n| A \\| B | 3 or 4 |\n\nIn a box\n\nAround it\n\nBy level\n\nA note.\n\n',
    ].join('\n'),
  )
})

test('a presentation gives its slides in their order, with tables and notes', options, async () => {
  const table = `<p:graphicFrame><a:tbl><a:tr><a:tc><a:p><a:r><a:t>Day</a:t></a:r></a:p></a:tc><a:tc><a:p><a:r><a:t>Wind</a:t></a:r></a:p></a:tc></a:tr><a:tr><a:tc><a:p><a:r><a:t>Mon</a:t></a:r></a:p></a:tc><a:tc><a:p><a:r><a:t>7</a:t></a:r></a:p></a:tc></a:tr></a:tbl></p:graphicFrame>`
  const { text, headings, pages } = await parsedWhole(
    'x.pptx',
    makePptx([
      {
        shapes: shape('', 'Some text', 'and more') + shape('title', 'Harbour') + shape('sldNum', '1'),
        notes: 'Say hello',
      },
      { shapes: shape('ctrTitle', 'Wind') + table },
    ]),
  )
  assert.equal(
    text,
    'Harbour\n\nSome text\nand more\n\nNotes: Say hello\n\nWind\n\n| Day | Wind |\n| --- | --- |\n| Mon | 7 |\n\n',
  )
  assert.deepEqual(headings, ['1 Harbour', '1 Wind'])
  assert.deepEqual(pages, ['1 Harbour', '2 Wind'])
})

test('a workbook gives its sheets, rows with the names of their columns, and days as days', options, async () => {
  const { text, headings, pages, records } = await parsedWhole(
    'x.xlsx',
    makeXlsx({
      People: [
        ['Staff of 2026'],
        [],
        ['Name', 'Since', 'Share', 'Active'],
        ['Anna', { value: 45_292, style: 1 }, { value: 0.125, style: 2 }, true],
        [undefined, undefined, undefined],
        ['Ben', { value: 45_292.604_166_666_7, style: 3 }, 7.5],
      ],
      Numbers: [
        [1, 2],
        [3, 4],
      ],
    }),
  )
  const lines = text.split('\n')
  assert.deepEqual(lines, [
    'People',
    '',
    'Staff of 2026',
    'Name: Anna; Since: 2024-01-01; Share: 12.5%; Active: true',
    'Name: Ben; Since: 2024-01-01T14:30:00Z; Share: 7.5',
    'Numbers',
    '',
    'A: 1; B: 2',
    'A: 3; B: 4',
    '',
  ])
  assert.deepEqual(headings, ['1 People', '1 Numbers'])
  assert.deepEqual(pages, ['1 People', '2 Numbers'])
  assert.deepEqual(
    records.map((record) => record.split(' ')[0]),
    ['4', '6', '1', '2'],
  )
})

test('a table of text is read with any delimiter, quotes and line ends, with or without names', options, async () => {
  const expected = 'name: Anna; city: Bonn, Rhein; note: says "hi" twice\nname: Ben; city: Köln\n'
  for (const delimiter of [',', ';', '\t', '|']) {
    const rows = [
      ['name', 'city', 'note'],
      ['Anna', '"Bonn, Rhein"', '"says ""hi""\r\ntwice"'],
      ['Ben', 'Köln', ''],
    ]
    const source = `\uFEFF${rows.map((row) => row.join(delimiter)).join('\r\n')}`
    const { text, records } = await parsedWhole('x.csv', source)
    assert.equal(text, expected, JSON.stringify(delimiter))
    assert.deepEqual(records, ['1 @0', `2 @${expected.indexOf('name: Ben')}`])
  }
  assert.equal((await parsedWhole('x.csv', '1,2\n3,4\n')).text, 'column 1: 1; column 2: 2\ncolumn 1: 3; column 2: 4\n')
  assert.equal((await parsedWhole('x.csv', 'name,city\n')).text, 'name; city\n')
  // Columns that the header does not name keep their values.
  assert.equal((await parsedWhole('x.csv', 'a,b\nx,y,z\n')).text, 'a: x; b: y; column 3: z\n')
})

test('JSON gives a line for each value with its path; a list at the top gives records', options, async () => {
  const record = {
    name: 'Anna',
    tags: ['x', 'y'],
    home: { city: 'Bonn' },
    jobs: [{ year: 2024 }, { year: 2025 }],
    none: null,
  }
  const shown = 'name: Anna\ntags: x, y\nhome.city: Bonn\njobs[0].year: 2024\njobs[1].year: 2025'
  const list = await parsedWhole('x.json', JSON.stringify([record, 'text, with ] and \\"', [], record], undefined, 1))
  assert.equal(list.text, `${shown}\n\ntext, with ] and \\"\n\n${shown}\n\n`)
  assert.deepEqual(
    list.records.map((at) => at.split(' ')[0]),
    ['1', '2', '4'],
  )
  const whole = await parsedWhole('x.json', JSON.stringify(record))
  assert.equal(whole.text, `${shown}\n`)
  assert.deepEqual(whole.records, [])
  assert.equal((await parsedWhole('x.json', ' [ ] ')).text, '')
})

test('JSON Lines keeps a line that is not JSON', options, async () => {
  const source = '{"a":1}\n\nstarting up\r\n{"a":{"b":"two"}}\n{"a":'
  const { text, records } = await parsedWhole('x.jsonl', source)
  assert.equal(text, 'a: 1\n\nstarting up\n\na.b: two\n\n{"a":\n\n')
  assert.deepEqual(
    records.map((at) => at.split(' ')[0]),
    ['1', '3', '4', '5'],
  )
  // The contents say it where the name does not.
  assert.equal((await parsedWhole('x.json', '{"a":1}\n{"a":2}\n')).text, 'a: 1\n\na: 2\n\n')
})

test('Parquet gives rows of all its row groups, with days, decimals and nested values', options, async () => {
  const count = 25
  const file = parquetWriteBuffer({
    columnData: [
      { name: 'id', data: Array.from({ length: count }, (_, index) => index), type: 'INT32' },
      {
        name: 'day',
        data: Array.from({ length: count }, (_, index) => new Date(Date.UTC(2024, 0, index + 1))),
        type: 'TIMESTAMP',
      },
      {
        name: 'note',
        data: Array.from({ length: count }, (_, index) => (index % 2 === 0 ? `no ${index}` : null)),
        type: 'STRING',
      },
      { name: 'nested', data: Array.from({ length: count }, (_, index) => ({ a: { b: index } })), type: 'JSON' },
      { name: 'big', data: Array.from({ length: count }, (_, index) => BigInt(index) * 10n ** 15n), type: 'INT64' },
    ],
    rowGroupSize: 10,
  })
  const { text, records } = await parsedWhole('x.bin', new Uint8Array(file))
  const lines = text.trimEnd().split('\n')
  assert.equal(lines.length, count)
  assert.equal(lines[0], 'id: 0; day: 2024-01-01; note: no 0; nested.a.b: 0; big: 0')
  assert.equal(lines[23], 'id: 23; day: 2024-01-24; nested.a.b: 23; big: 23000000000000000')
  assert.equal(records.at(-1)?.split(' ')[0], '25')
})

test(
  'a PDF gives pages and headings of its sizes, also where only its ToUnicode map explains the codes',
  options,
  async () => {
    const page = (number: number) => [
      { text: `Chapter ${number}`, x: 72, y: 720, size: 20, font: 'bold' as const },
      { text: 'Body text of the first (line), which', x: 72, y: 690, size: 10, font: 'mapped' as const },
      { text: 'goes on – in the second: ü.', x: 72, y: 678, size: 10, font: 'mapped' as const },
      { text: 'Another paragraph.', x: 72, y: 640, size: 10 },
    ]
    const parts = await partsOf(
      'x.pdf',
      makePdf({ pages: Array.from({ length: 20 }, (_, index) => page(index + 1)), title: 'Bücher' }),
    )
    assert.equal(parts.length, 2)
    assert.equal(parts[0]?.title, 'Bücher')
    const { text, headings, pages } = await parsedWhole('x.pdf', makePdf({ pages: [page(1), page(2)] }))
    const shown = (number: number) =>
      `Chapter ${number}\n\nBody text of the first (line), which\ngoes on – in the second: ü.\n\nAnother paragraph.\n\n`
    assert.equal(text, shown(1) + shown(2))
    assert.deepEqual(headings, ['1 Chapter 1', '1 Chapter 2'])
    assert.deepEqual(pages, ['1 Chapter 1', '2 Chapter 2'])
  },
)

test('two columns that a PDF writes one after the other are read one after the other', options, async () => {
  const column = (x: number, word: string) =>
    Array.from({ length: 5 }, (_, row) => ({ text: `${word} line ${row + 1}`, x, y: 700 - row * 12, size: 10 }))
  const { text } = await parsedWhole('x.pdf', makePdf({ pages: [[...column(72, 'left'), ...column(320, 'right')]] }))
  assert.ok(text.indexOf('left line 5') < text.indexOf('right line 1'))
})

test('long Markdown and text come in parts that, put together, are the file', options, async () => {
  const source = `---\ntitle: Long\n---\n# One\n\n${'Some prose about the wind.\n\n'.repeat(4000)}\`\`\`\n${'# no heading\n'.repeat(8000)}\`\`\`\n\n## Two\n`
  const parts = await partsOf('x.md', source)
  assert.ok(parts.length > 2)
  const { title, text, headings } = await parsedWhole('x.md', source)
  assert.equal(title, 'Long')
  assert.equal(text, source.slice(source.indexOf('# One')))
  assert.deepEqual(headings, ['1 # One', '2 ## Two'])
  const log = '2024-01-01T00:00:00Z grün and 🌬 blow\n'.repeat(20_000)
  const logParts = await partsOf('x.log', log)
  assert.equal(logParts.map((part) => part.text).join(''), log)
  assert.ok(logParts.every((part) => part.text.endsWith('\n') && part.text.length <= 65_536))
})
