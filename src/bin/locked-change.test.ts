import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { changeFile } from './locked-change.ts'

async function withFile(body: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-change-'))
  try {
    await body(join(folder, 'a.json'), folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('changes side by side are made one after the other, and nothing is left behind', () =>
  withFile(async (path, folder) => {
    await Promise.all(
      Array.from({ length: 10 }, async () => changeFile(path, (text) => String(Number(text ?? '0') + 1))),
    )
    assert.equal(await readFile(path, 'utf8'), '10')
    assert.deepEqual(await readdir(folder), ['a.json'])
  }))

test('a change that throws leaves the file as it was, and the next one goes on', () =>
  withFile(async (path, folder) => {
    await changeFile(path, () => 'first')
    await assert.rejects(
      changeFile(path, () => {
        throw new Error('no')
      }),
    )
    await changeFile(path, (text) => `${text ?? ''} second`)
    assert.equal(await readFile(path, 'utf8'), 'first second')
    assert.deepEqual(await readdir(folder), ['a.json'])
  }))

test('a lock that a dead process left is taken over', () =>
  withFile(async (path) => {
    await writeFile(`${path}.lock`, '1')
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(`${path}.lock`, longAgo, longAgo)
    await changeFile(path, () => 'done')
    assert.equal(await readFile(path, 'utf8'), 'done')
  }))
