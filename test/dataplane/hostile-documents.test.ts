import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { folderWith } from '#dataplane/test-agent.ts'
import { parse } from '#dataplane/parse/parse.ts'
import {
  makeDocx,
  makeXlsx,
  makeZip,
  paragraph,
  parsedWhole,
  partsOf,
  skipWithoutParsers,
} from '#dataplane/parse/test-files.ts'
import { makePdf } from '#dataplane/parse/test-pdf.ts'

const options = { skip: skipWithoutParsers }
const MB = 1024 * 1024

test('an office file that unpacks to far more than it is, is too large, whatever it declares', options, async () => {
  const files = { 'word/styles.xml': new Uint8Array(130 * MB) }
  const bomb = makeDocx(paragraph('x'), files)
  assert.ok(bomb.length < MB)
  const expected = { fate: 'too-large', message: 'its contents unpack to more than a document may hold' }
  await assert.rejects(parsedWhole('a.docx', bomb), expected)
  await assert.rejects(parsedWhole('a.docx', makeDocx(paragraph('x'), files, { 'word/styles.xml': 1000 })), expected)
  const boast = makeDocx(paragraph('x'), { 'word/styles.xml': '<x/>' }, { 'word/styles.xml': 200 * MB })
  await assert.rejects(parsedWhole('a.docx', boast), expected)
})

test('many entries that are bombs together are too large', options, async () => {
  const sheets = Object.fromEntries(Array.from({ length: 4 }, (_, index) => [`S${index}`, [['x']]]))
  const blank = new Uint8Array(100 * MB).fill(0x20)
  const bombs = Object.fromEntries(
    Object.keys(sheets).map((_, index) => [`xl/worksheets/sheet${index + 1}.xml`, blank]),
  )
  await assert.rejects(parsedWhole('a.xlsx', makeXlsx(sheets, bombs)), {
    fate: 'too-large',
    message: 'its contents unpack to more than a document may hold',
  })
})

test('an archive in an archive is not opened', options, async () => {
  const inner = makeZip({ 'word/document.xml': 'x' })
  await assert.rejects(parsedWhole('a.docx', makeZip({ 'inner.docx': inner })), { fate: 'unsupported' })
})

test('entities that multiply are refused unread', options, async () => {
  const lol = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`)
  const document = `<!DOCTYPE x [<!ENTITY l0 "lol">${lol.join('')}]><w:document><w:body>&l9;</w:body></w:document>`
  await assert.rejects(parsedWhole('a.docx', makeDocx('', { 'word/document.xml': document })), {
    fate: 'corrupt',
    message: 'the XML inside declares a document type, which office files never do',
  })
})

test('hostile nesting and tags take linear time', options, async () => {
  const bodies = [
    '<w:tbl><w:tr><w:tc>'.repeat(100_000),
    '<w:p>'.repeat(300_000),
    `<w:p ${'a '.repeat(400_000)}/>`,
    `<w:p ${'a'.repeat(900_000)}/>`,
    `<w:p ${'a="'.repeat(300_000)}`,
    '<'.repeat(500_000),
    '&#'.repeat(500_000),
    '<!--'.repeat(200_000),
    `<w:p><w:r><w:t>${' \n'.repeat(500_000)}</w:t></w:r></w:p>`,
  ]
  for (const body of bodies) {
    const startedMs = performance.now()
    await parsedWhole('a.docx', makeDocx(body)).catch((error: unknown) => {
      assert.ok(error instanceof Error && 'fate' in error && error.fate === 'corrupt', String(error))
    })
    assert.ok(performance.now() - startedMs < 3000, body.slice(0, 20))
  }
})

test('JSON that is nested to exhaust a stack is corrupt', options, async () => {
  for (const source of [
    '['.repeat(500_000),
    `{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`,
    '{"a":'.repeat(200_000),
  ]) {
    await assert.rejects(parsedWhole('a.json', source), { fate: 'corrupt' }, source.slice(0, 10))
  }
  await assert.rejects(parsedWhole('a.json', `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`), {
    message: 'it is nested deeper than 100 levels',
  })
  const lines = await parsedWhole('a.jsonl', `{"a":1}\n{"a":${'['.repeat(50_000)}\n`)
  assert.match(lines.text, /^a: 1\n/)
})

test('a record without end is too large, read in bounded memory', options, async () => {
  const folder = await folderWith({})
  const cases = [
    {
      name: 'a.csv',
      start: 'a,b\n1,2\n3,"',
      message: 'row 2 is longer than 1000000 characters, perhaps for a quote that is never closed',
    },
    { name: 'a.jsonl', start: '{"a":1}\n{"b":"', message: 'record 2 is of more than 16 million characters' },
    { name: 'a.json', start: '[1,"', message: 'record 2 is of more than 16 million characters' },
  ]
  for (const { name, start, message } of cases) {
    const path = join(folder, name)
    await filledFile(path, start, 64 * MB)
    await assert.rejects(Array.fromAsync(parse({ name, path, size: 64 * MB })), { fate: 'too-large', message })
  }
})

test('a line of a gigabyte gives its text part by part, and reading may end early', options, async () => {
  const path = join(await folderWith({}), 'a.log')
  await filledFile(path, '', 8 * MB)
  const handle = await open(path, 'r+')
  // The rest is a hole: it takes no room, and is never reached.
  await handle.truncate(1024 * MB)
  await handle.close()
  let chars = 0
  for await (const { text } of parse({ name: 'a.log', path, size: 1024 * MB })) {
    assert.ok(text.length <= 65_536)
    chars += text.length
    if (chars > 4 * MB) break
  }
  // Reached, the hole is no text.
  await assert.rejects(Array.fromAsync(parse({ name: 'a.log', path, size: 1024 * MB })), { fate: 'corrupt' })
})

test('documents that must be whole are too large unread', options, async () => {
  const folder = await folderWith({})
  const tooLarge = async (name: string, start: string, megabytes: number, limit: number) => {
    const path = join(folder, name)
    const handle = await open(path, 'w')
    await handle.write(start)
    await handle.truncate(megabytes * MB)
    await handle.close()
    await assert.rejects(Array.fromAsync(parse({ name, path, size: megabytes * MB })), {
      fate: 'too-large',
      message: `it is larger than the ${limit} MB that this format may have`,
    })
  }
  await tooLarge('a.pdf', '%PDF-1.7\n', 2000, 200)
  await tooLarge('a.html', `<html>${' '.repeat(8192)}`, 40, 32)
})

test('texts that are traps for regular expressions take linear time', options, async () => {
  const cases: readonly (readonly [name: string, source: string])[] = [
    ['a.md', `${'#'.repeat(100_000)} ${'#'.repeat(100_000)}x`],
    ['a.md', `# ${'['.repeat(100_000)}`],
    ['a.md', `# ${'![]('.repeat(50_000)}`],
    ['a.md', `---\n${'title: "'.repeat(50_000)}`],
    ['a.csv', `${'"'.repeat(500_000)}\n`],
    ['a.csv', ','.repeat(900_000)],
    ['a.csv', `a,b\n${' '.repeat(900_000)}x,1`],
    ['a', `<!--${'-'.repeat(500_000)}`],
    ['a', `<?xml${' '.repeat(500_000)}`],
    ['a.txt', `<?xml >${' '.repeat(500_000)}`],
    ['a.json', `"${'\\u0020'.repeat(300_000)}"`],
  ]
  for (const [name, source] of cases) {
    const startedMs = performance.now()
    await partsOf(name, source).catch((error: unknown) => {
      assert.ok(error instanceof Error && error.name === 'ParseError', String(error))
    })
    assert.ok(performance.now() - startedMs < 3000, `${name} ${source.slice(0, 10)}`)
  }
})

test('a PDF whose objects refer to themselves, or of which the pages are missing, has a fate', options, async () => {
  const good = Buffer.from(makePdf({ pages: [[{ text: 'x', x: 72, y: 700, size: 10 }]] })).toString('latin1')
  const broken = [
    good.replace(/\/Kids \[\d+ 0 R\]/, '/Kids [7 0 R]'),
    good.replace(/\/Count 1/, '/Count 1000000000'),
    good.replace(/\/Kids \[(\d+) 0 R\]/, (whole, id: string) => whole.replace(id, '999')),
    good.replace('stream\n', 'stream\nxx'),
  ]
  for (const source of broken) {
    const outcome = await parsedWhole('a.pdf', new Uint8Array(Buffer.from(source, 'latin1'))).catch(
      (error: unknown) => error,
    )
    assert.ok(!(outcome instanceof Error) || 'fate' in outcome, String(outcome))
  }
})

test('a PDF of very many objects without a table of them is read, or has a fate', options, async () => {
  const objects = Array.from({ length: 100_000 }, (_, at) => `${at + 100} 0 obj\n<< /A [${at} 0 R] >>\nendobj\n`).join(
    '',
  )
  const page = Buffer.from(makePdf({ pages: [[{ text: 'still here', x: 72, y: 700, size: 10 }]] })).toString('latin1')
  const [before = '', after = ''] = page.split('xref\n')
  const source = before + objects + after.slice(after.indexOf('trailer'))
  const outcome = await parsedWhole('a.pdf', new Uint8Array(Buffer.from(source, 'latin1')))
  assert.equal(outcome.text, 'still here\n\n')
})

test('an archive whose directory points outside is corrupt', options, async () => {
  const bytes = Buffer.from(makeDocx(paragraph('x')))
  const end = bytes.lastIndexOf('PK\x05\x06')
  bytes.writeUInt32LE(0xfffffff0, end + 16)
  await assert.rejects(parsedWhole('a.docx', new Uint8Array(bytes)), { fate: 'corrupt' })
})

async function filledFile(path: string, start: string, bytes: number): Promise<void> {
  const handle = await open(path, 'w')
  const block = Buffer.alloc(MB, 'word ')
  await handle.write(start)
  for (let at = 0; at < bytes; at += block.length) await handle.write(block)
  await handle.close()
}
