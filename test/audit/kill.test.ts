import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { killRounds } from '#bench/audit/kill.ts'

test('kill -9 in the middle of appending, eight times: what was acknowledged is there, and the tree verifies', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-kill-'))
  try {
    const { lost, broken, acknowledged, entries } = await killRounds(join(folder, 'data'), 8)
    assert.deepEqual([lost, broken], [[], []])
    assert.ok(acknowledged > 100 && entries >= acknowledged, `${acknowledged} acknowledged, ${entries} in the log`)
  } finally {
    await rm(folder, { recursive: true })
  }
})
