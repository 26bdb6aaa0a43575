import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { withLock } from './lock-file.ts'
import { folderWith } from '#dataplane/test-agent.ts'

test('a lock is held once, and left by the dead', async () => {
  const path = join(await folderWith({}), 'a', 'lock')
  await withLock(path, async () => {
    await assert.rejects(
      withLock(path, async () => await Promise.resolve()),
      /is at work on it/,
    )
  })
  assert.ok(!existsSync(path))
  for (const left of [String(process.pid), '', 'nonsense']) {
    await writeFile(path, left)
    assert.equal(await withLock(path, async () => await Promise.resolve(1)), 1)
  }
  // The first process of a container has no parent.
  if (process.ppid === 0) return
  await writeFile(path, String(process.ppid))
  await assert.rejects(
    withLock(path, async () => await Promise.resolve()),
    /is at work on it/,
  )
  const longAgo = new Date(Date.now() - 120_000)
  await utimes(path, longAgo, longAgo)
  assert.equal(await withLock(path, async () => await Promise.resolve(2)), 2)
})
