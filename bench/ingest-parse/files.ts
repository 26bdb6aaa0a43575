import { parquetWriteBuffer } from 'hyparquet-writer'
import { makeDocx, makeXlsx, paragraph } from '#dataplane/parse/test-files.ts'
import { makePdf } from '#dataplane/parse/test-pdf.ts'
import type { PdfLine } from '#dataplane/parse/test-pdf.ts'

const WORDS =
  'the wind turned north in the night and the harbour office closed its gates before any ship could leave while engineers measured pressure temperature humidity across every station along the coast and reported results to Anna Schmidt at 14:30 on 12 March 2024 or by mail to office@harbour.example under number +49 30 901820'.split(
    ' ',
  )

/** Words in an order that is the same in every run. */
export function createProse(seed: number): (chars: number) => string {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return WORDS[state % WORDS.length] ?? ''
  }
  return (chars) => {
    let text = next()
    while (text.length < chars) text += ` ${next()}`
    return text
  }
}

/** A book: some 45 lines of 80 characters a page, three fonts, chapters and sections; every other page needs ToUnicode. */
export function makeBook(pages: number, seed: number): Uint8Array<ArrayBuffer> {
  const prose = createProse(seed)
  return makePdf({ title: `Book ${seed}`, pages: Array.from({ length: pages }, (_, page) => bookPage(page, prose)) })
}

function bookPage(page: number, prose: (chars: number) => string): PdfLine[] {
  const lines: PdfLine[] = [{ text: `Chapter ${page + 1} ${prose(20)}`, x: 72, y: 730, size: 18, font: 'bold' }]
  for (let y = 700, block = 0; y > 80; block += 1) {
    if (block % 3 === 1) {
      y -= 16
      lines.push({ text: prose(30), x: 72, y, size: 13, font: 'bold' })
      y -= 8
    }
    for (let line = 0; line < 6 && y > 80; line += 1) {
      y -= 13
      lines.push({
        text: prose(78) + (line === 5 ? '.' : ''),
        x: 72,
        y,
        size: 10.5,
        font: page % 2 === 0 ? 'mapped' : 'sans',
      })
    }
    y -= 12
  }
  return lines
}

export interface BenchFile {
  readonly name: string
  readonly bytes: Uint8Array
  /** Rows, lines or paragraphs. */
  readonly records: number
}

/** One file of each other format, some megabytes each. */
export function makeFiles(records: number): BenchFile[] {
  const prose = createProse(7)
  const rows = Array.from({ length: records }, (_, id) => ({ id, name: prose(12), note: prose(60), amount: id * 1.5 }))
  const text = (make: (row: (typeof rows)[number]) => string) => new TextEncoder().encode(rows.map(make).join('\n'))
  const columns = ['id', 'name', 'note', 'amount'] as const
  return [
    { name: 'a.csv', bytes: text(({ id, name, note, amount }) => `${id},${name},"${note}",${amount}`), records },
    { name: 'a.jsonl', bytes: text((row) => JSON.stringify(row)), records },
    { name: 'a.json', bytes: new TextEncoder().encode(JSON.stringify(rows)), records },
    {
      name: 'a.parquet',
      bytes: new Uint8Array(
        parquetWriteBuffer({
          columnData: columns.map((name) => ({ name, data: rows.map((row) => row[name]) })),
          rowGroupSize: 50_000,
        }),
      ),
      records,
    },
    {
      name: 'a.xlsx',
      bytes: makeXlsx({ Rows: [[...columns], ...rows.map((row) => columns.map((name) => row[name]))] }),
      records,
    },
    { name: 'a.docx', bytes: makeDocx(rows.map(({ note }) => paragraph(note)).join('')), records },
    {
      name: 'a.md',
      bytes: text(({ id, note }) => (id % 20 === 0 ? `## ${note}\n` : note + (id % 4 === 0 ? '.\n' : ''))),
      records,
    },
    { name: 'a.log', bytes: text(({ id, note }) => `2026-11-25T10:00:00Z INFO ${id} ${note}`), records },
  ]
}
