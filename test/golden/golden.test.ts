import assert from 'node:assert/strict'
import { mkdir, readdir } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { answerSheets, keep, kept, printed, requestSheets } from './grid.ts'

const isWriting = process.env['GOLDEN'] === 'write'
const sheets = [...requestSheets(), ...answerSheets()]

if (isWriting)
  for (const part of ['requests', 'answers']) await mkdir(new URL(part, import.meta.url), { recursive: true })

for (const sheet of sheets) {
  test(`${sheet.file} is as it was reviewed`, async () => {
    if (isWriting) await keep(sheet)
    assert.equal(
      printed(sheet),
      await kept(sheet),
      'run `GOLDEN=write node --test test/golden/golden.test.ts` and read the diff',
    )
  })
}

test('no sheet is left over from a case that is gone', async () => {
  for (const part of ['requests', 'answers']) {
    const files = await readdir(fileURLToPath(new URL(part, import.meta.url)))
    const known = sheets.map(({ file }) => file)
    assert.deepEqual(
      files.filter((file) => !known.includes(`${part}/${file}`)),
      [],
    )
  }
})
