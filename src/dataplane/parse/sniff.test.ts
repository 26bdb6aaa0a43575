import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { folderWith } from '#dataplane/test-agent.ts'
import { parsedInput, makeDocx, makeZip, paragraph, parsedWhole, skipWithoutParsers } from './test-files.ts'
import { makePdf } from './test-pdf.ts'

const options = { skip: skipWithoutParsers }
const CFB = Buffer.from('d0cf11e0a1b11ae1', 'hex')
const latin1 = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))
const compound = (stream: string) =>
  new Uint8Array(Buffer.concat([CFB, Buffer.alloc(504), Buffer.from(stream, 'utf16le'), Buffer.alloc(100)]))

test('contents decide before the name does', options, async () => {
  const html = '\uFEFF<!-- saved -->\n<!DOCTYPE html><h1>Not found</h1><p>No such page'
  assert.equal((await parsedWhole('report.pdf', html)).text, 'Not found\n\nNo such page')
  assert.equal((await parsedWhole('a.txt', makeDocx(paragraph('Word')))).text, 'Word\n\n')
  const pdf = makePdf({ pages: [[{ text: 'In a PDF', x: 72, y: 700, size: 10 }]] })
  assert.equal((await parsedWhole('a.txt', pdf)).text, 'In a PDF\n\n')
  assert.equal(
    (await parsedWhole('a', new Uint8Array(Buffer.concat([Buffer.from('junk\n'), pdf])))).text,
    'In a PDF\n\n',
  )
  assert.equal((await parsedWhole('export.xls', 'a\tb\n1\t2\n')).text, 'a: 1; b: 2\n')
  // Prose about PDF files, and a README that centres its heading, are what their names say.
  assert.equal((await parsedWhole('a.md', 'A file begins with\n%PDF-1.7\n')).text, 'A file begins with\n%PDF-1.7\n')
  assert.match((await parsedWhole('a.md', '<h1 align="center">X</h1>\n\n# Y')).text, /^<h1/)
})

test('the type that the source gives decides where the name says nothing', options, async () => {
  assert.equal((await parsedWhole('key', 'a,b\n1,2', 'text/csv; charset=utf-8')).text, 'a: 1; b: 2\n')
  assert.equal((await parsedWhole('key', 'a,b\n1,2')).text, 'a,b\n1,2')
  assert.equal((await parsedWhole('key', '{"a": 1}')).text, 'a: 1\n')
  assert.equal((await parsedWhole('a.txt', 'a,b\n1,2', 'text/csv')).text, 'a,b\n1,2')
})

const REFUSED: readonly (readonly [name: string, contents: Uint8Array, fate: string, message: string])[] = [
  ['a.txt', latin1(''), 'empty', 'it holds no text'],
  ['a.txt', latin1('\x89PNG\r\n\x1a\n\0\0'), 'unsupported', 'it is a PNG image, which holds no text to read'],
  ['a.pdf', latin1('\xff\xd8\xff\xe0\0'), 'unsupported', 'it is a JPEG image, which holds no text to read'],
  ['a', latin1('\x7fELF\x02\x01\0'), 'unsupported', 'it is an executable, which holds no text to read'],
  ['a', latin1('MZ\x90\0\x03'), 'unsupported', 'it is a Windows executable, which holds no text to read'],
  ['a.md', latin1('text\0\x01\x02'), 'unsupported', 'it is binary data of an unknown kind'],
  ['a', latin1('\x01\x02\x03\x04text'), 'unsupported', 'it is binary data of an unknown kind'],
  ['a.html', latin1('<?xml version="1.0"?><svg/>'), 'unsupported', 'it is an SVG image, which holds no text to read'],
  ['a.docx', makeZip({ 'a.txt': 'x' }), 'unsupported', 'it is a ZIP archive: unpack it and bring in what it holds'],
  ['a.doc', compound('WordDocument'), 'unsupported', 'it is an older Word document (.doc): save it as .docx'],
  ['a.xls', compound('Workbook'), 'unsupported', 'it is an older Excel workbook (.xls): save it as .xlsx'],
  [
    'a.ppt',
    compound('PowerPoint Document'),
    'unsupported',
    'it is an older PowerPoint presentation (.ppt): save it as .pptx',
  ],
  ['a.docx', compound('EncryptedPackage'), 'encrypted', 'the office file needs a password'],
  ['a.docx', latin1('only text'), 'corrupt', 'its name says `.docx`, but it is a plain text'],
  ['a.pdf', latin1('only text'), 'corrupt', 'its name says `.pdf`, but it is a plain text'],
  ['a.parquet', latin1('PAR1 and no end'), 'corrupt', 'the Parquet file ends in the middle'],
  ['a.parquet', latin1('PAR1\0\0\0\0PARE'), 'encrypted', 'the Parquet file is encrypted'],
  ['a.docx', makeDocx(paragraph('x')).slice(0, -30), 'corrupt', 'the archive inside the file is broken'],
  ['a.json', latin1('{"a": tru}'), 'corrupt', 'it is not valid JSON'],
  ['a.json', latin1('[1, {"a" 2}]'), 'corrupt', 'record 2 is not valid JSON'],
  ['a.json', latin1('[1, 2'), 'corrupt', 'the list ends in the middle, after record 1'],
  ['a.json', latin1('[1] 2'), 'corrupt', 'something follows the end of the list'],
  ['a.csv', latin1('a,b\n1,"2\n3,4\n'), 'corrupt', 'row 1 has a quote that is never closed'],
  ['a.log', latin1(`${'text\n'.repeat(3000)}\0`), 'corrupt', 'the file holds binary data, not text'],
]

test('what can not be read says what it is and what to do', options, async () => {
  for (const [name, contents, fate, message] of REFUSED) {
    await assert.rejects(parsedWhole(name, contents), { name: 'ParseError', fate, message }, message)
  }
})

test('a PDF with a password is encrypted, one without text is empty', options, async () => {
  const filler = '<28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a>'
  const locked = makePdf({
    pages: [[{ text: 'secret', x: 72, y: 700, size: 10 }]],
    trailer: `/Encrypt << /Filter /Standard /V 1 /R 2 /O ${filler} /U ${filler} /P -4 >> /ID [<01> <01>]`,
  })
  await assert.rejects(parsedWhole('a.pdf', locked), { fate: 'encrypted', message: 'the PDF needs a password' })
  await assert.rejects(parsedWhole('a.pdf', makePdf({ pages: [[], []] })), {
    fate: 'empty',
    message: 'its pages hold no text: perhaps they are scanned images',
  })
})

test('a file is read from its path; one that is none, or is gone, is unreadable', options, async () => {
  const folder = await folderWith({ 'a.csv': 'name,city\nAnna,Bonn\n' })
  const path = join(folder, 'a.csv')
  assert.equal((await parsedInput({ name: 'a.csv', path, size: 20 })).text, 'name: Anna; city: Bonn\n')
  await mkdir(join(folder, 'inner.csv'))
  const unreadable = async (name: string, message: string) =>
    await assert.rejects(parsedInput({ name, path: join(folder, name), size: 1 }), { fate: 'unreadable', message })
  await unreadable('inner.csv', 'it is not a file')
  await unreadable('gone.csv', 'it can not be read (ENOENT)')
})

test('text of other encodings is decoded, also where a block cuts a character', options, async () => {
  const long = `${'a'.repeat(262_143)}ü🌬${'b'.repeat(300_000)}ß`
  assert.equal((await parsedWhole('a.txt', long)).text, long)
  const utf16 = new Uint8Array(Buffer.from(`\uFEFF${long}`, 'utf16le'))
  assert.equal((await parsedWhole('a.txt', utf16)).text, long)
  assert.equal((await parsedWhole('a.txt', latin1('Stra\xdfe'))).text, 'Straße')
  // The first block is ASCII, a later one is Windows-1252.
  assert.ok((await parsedWhole('a.txt', latin1(`${'a '.repeat(200_000)}Stra\xdfe`))).text.endsWith('Straße'))
  assert.equal((await parsedWhole('a.txt', latin1('a\xc3'))).text, 'aÃ')
})
