import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { folderWith } from '#dataplane/test-agent.ts'
import { folderSource } from './folder.ts'
import { SourceError } from './source.ts'

const { signal } = new AbortController()

test('a folder lists its files, without dot files and what lies outside', async () => {
  const outside = await folderWith({ 'secret.md': 'outside' })
  const folder = await folderWith({
    'b.md': 'b',
    'a/A.PDF': 'a',
    'a/c.txt': 'c',
    '.hidden.md': '',
    '.git/x.md': '',
    '..data/target.md': 'linked',
  })
  await symlink(join(outside, 'secret.md'), join(folder, 'link-out.md'))
  await symlink(outside, join(folder, 'folder-out'))
  await symlink(join(folder, '..data/target.md'), join(folder, 'link-in.md'))
  await symlink(join(folder, 'nowhere'), join(folder, 'dangling.md'))
  await mkdir(join(folder, 'folder.md'))
  const objects = await Array.fromAsync(folderSource(folder).list(signal))
  assert.deepEqual(objects.map(({ document }) => document).toSorted(), ['a/A.PDF', 'a/c.txt', 'b.md', 'link-in.md'])
})

test('a folder that is not there is an error', async () => {
  await assert.rejects(Array.fromAsync(folderSource('/nowhere/at/all').list(signal)), { code: 'ENOENT' })
})

test('a small file is handed on in memory, a large one as a file, a deleted one as gone', async () => {
  const folder = await folderWith({ 'a.txt': 'wind', 'large.txt': '' })
  await truncate(join(folder, 'large.txt'), 9 * 1024 * 1024)
  const source = folderSource(folder)
  const [small, large] = await Array.fromAsync(source.list(signal))
  assert.ok(small !== undefined && large !== undefined)
  const opened = await source.open(small, signal)
  assert.ok('bytes' in opened.input)
  assert.equal(new TextDecoder().decode(opened.input.bytes), 'wind')
  assert.equal(opened.digest, createHash('sha256').update('wind').digest('hex'))
  const file = await source.open(large, signal)
  assert.ok('path' in file.input)
  assert.equal(
    file.digest,
    createHash('sha256')
      .update(new Uint8Array(9 * 1024 * 1024))
      .digest('hex'),
  )
  await writeFile(join(folder, 'a.txt'), 'other')
  assert.notEqual((await source.open(small, signal)).version, small.version)
  await rm(join(folder, 'a.txt'))
  await assert.rejects(
    source.open(small, signal),
    (error: unknown) => error instanceof SourceError && error.reason === 'gone',
  )
})
