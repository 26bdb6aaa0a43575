import assert from 'node:assert/strict'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { listFolder, readSource } from './folder.ts'
import { folderWith } from '#dataplane/test-agent.ts'

test('a folder lists what can be parsed, without dot files and what lies outside', async () => {
  const outside = await folderWith({ 'secret.md': 'outside' })
  const folder = await folderWith({
    'b.md': 'b',
    'a/A.PDF': 'a',
    'a/c.txt': 'c',
    'program.exe': '',
    '.hidden.md': '',
    '.git/x.md': '',
    '..data/target.md': 'linked',
  })
  await symlink(join(outside, 'secret.md'), join(folder, 'link-out.md'))
  await symlink(outside, join(folder, 'folder-out'))
  await symlink(join(folder, '..data/target.md'), join(folder, 'link-in.md'))
  await symlink(join(folder, 'nowhere'), join(folder, 'dangling.md'))
  await mkdir(join(folder, 'folder.md'))
  const { files, isCut } = await listFolder(folder)
  assert.deepEqual(
    files.map(({ document }) => document),
    ['a/A.PDF', 'a/c.txt', 'b.md', 'link-in.md'],
  )
  assert.equal(isCut, false)
  const [, , third] = files
  assert.ok(third)
  assert.equal(new TextDecoder().decode(await readSource(third)), 'b')
})

test('a folder that is not there is an error', async () => {
  await assert.rejects(listFolder('/nowhere/at/all'), { code: 'ENOENT' })
})
