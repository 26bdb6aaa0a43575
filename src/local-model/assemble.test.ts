import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { WrongDigest, assemble, isWhole } from './assemble.ts'

test('joins the parts, and leaves nothing behind when they are not the right ones', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'local-model-'))
  context.after(() => rm(folder, { recursive: true }))
  const parts = [join(folder, 'one'), join(folder, 'two')]
  for (const [at, part] of parts.entries()) await writeFile(part, at === 0 ? 'hello ' : 'world')
  const file = { path: join(folder, 'cache/whole'), bytes: 11, sha256: hash('sha256', 'hello world') }

  assert.equal(await isWhole(file), false)
  await assert.rejects(
    assemble(parts.toReversed(), file),
    (error) => error instanceof WrongDigest && error.message.includes(file.sha256),
  )
  assert.deepEqual(await readdir(join(folder, 'cache')), [])

  await assemble(parts, file)
  assert.equal(await readFile(file.path, 'utf8'), 'hello world')
  assert.equal(await isWhole(file), true)
  await writeFile(file.path, 'hello_world')
  assert.equal(await isWhole(file), false)
})
