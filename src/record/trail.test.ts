import assert from 'node:assert/strict'
import { cp, mkdir, readFile, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { toHex } from '#tlog/bytes.ts'
import { openCheckpoint } from '#tlog/checkpoint.ts'
import { tilePath } from '#tlog/tile.ts'
import { ORIGIN, fill, lines, open, policy, rewrite, signer, withFolder } from './folder.suite.ts'
import { readTree } from './read-tree.ts'
import { segmentPath } from './segment.ts'
import { trailPaths } from './signed.ts'
import { type Trail } from './trail.ts'
import { verifyTrail } from './verify.ts'

async function opened(trail: Trail) {
  return openCheckpoint((await trail.checkpoint()) ?? '', signer.key)
}

async function verdict(data: string) {
  const { audit, checkpoint } = trailPaths(data)
  return verifyTrail(audit, { policy, checkpoint: await readFile(checkpoint, 'utf8').catch(() => undefined) })
}

test('checkpoints follow the log, over restarts, and verify', () =>
  withFolder(async (data) => {
    const sizes: number[] = []
    for (const count of [1, 300, 0, 700]) {
      const trail = await open(data)
      await fill(trail, count)
      await trail.publish()
      sizes.push((await opened(trail)).size)
      await fill(trail, 5)
      await trail.close()
      sizes.push((await opened(trail)).size)
      assert.partialDeepStrictEqual(await verdict(data), { ok: true, entries: trail.log.size, unsigned: 0, reason: '' })
    }
    assert.deepEqual(sizes, [1, 6, 306, 311, 311, 316, 1016, 1021])
    const { audit, signed } = trailPaths(data)
    assert.equal(await readFile(signed, 'utf8'), await readFile(join(audit, 'checkpoint'), 'utf8'))
    assert.deepEqual((await readdir(join(audit, 'tile', '0'))).toSorted(), ['000', '001', '002'])
    assert.equal((await readFile(join(audit, tilePath(0, 2)))).length, 8192)
  }))

test('nothing is signed that did not change, and an empty log is not signed', () =>
  withFolder(async (data) => {
    const trail = await open(data)
    await trail.publish()
    assert.equal(await trail.checkpoint(), undefined)
    await fill(trail, 2)
    const signedAt: number[] = []
    await trail.close()
    const again = await open(data, { onSigned: ({ size }) => signedAt.push(size) })
    await again.publish()
    await again.close()
    assert.deepEqual(signedAt, [])
    assert.deepEqual(again.status(), { origin: ORIGIN, size: 2, signedSize: 2, cosignedSize: 0, witnesses: [] })
  }))

test('entries behind the checkpoint are checked and counted as not signed', () =>
  withFolder(async (data) => {
    const trail = await open(data)
    await fill(trail, 3)
    await trail.publish()
    await fill(trail, 4)
    assert.partialDeepStrictEqual(await verdict(data), { ok: true, entries: 7, signed: 3, unsigned: 4 })
    await trail.close()
  }))

/** A folder with 600 signed entries, two full tiles. */
async function withLog(run: (data: string) => Promise<void>): Promise<void> {
  await withFolder(async (data) => {
    const trail = await open(data)
    await fill(trail, 600)
    await trail.close()
    await run(data)
  })
}

const CONFLICT = ': nothing is recorded or signed until `thinplane audit reconcile` has settled it'

test('a log that is shorter than what was signed is not opened, and is left as it is', () =>
  withLog(async (data) => {
    const { audit } = trailPaths(data)
    const short = (await lines(audit)).slice(0, 590)
    await writeFile(segmentPath(audit, 0), `${short.join('\n')}\n`)
    await assert.rejects(open(data), {
      name: 'LogConflict',
      message: `the audit trail has 590 entries and 600 were signed${CONFLICT}`,
    })
    assert.equal((await lines(audit)).length, 590)
    assert.equal((await readdir(audit)).includes('lock'), false)
    assert.partialDeepStrictEqual(await verdict(data), { ok: false, reason: '600 entries were signed, 590 are here' })
  }))

test('a log whose folder was put back from a backup shows against the copy outside', () =>
  withFolder(async (data) => {
    const { audit } = trailPaths(data)
    const first = await open(data)
    await fill(first, 5)
    await first.close()
    await cp(audit, join(data, 'backup'), { recursive: true })
    const second = await open(data)
    await fill(second, 5)
    await second.close()
    await rm(audit, { recursive: true })
    await rename(join(data, 'backup'), audit)
    await assert.rejects(open(data), { message: `the audit trail has 5 entries and 10 were signed${CONFLICT}` })
    await rm(audit, { recursive: true })
    await assert.rejects(open(data), { message: `the audit trail has 0 entries and 10 were signed${CONFLICT}` })
  }))

test('an entry that was written anew with its own hash is not what was signed', () =>
  withLog(async (data) => {
    const { audit } = trailPaths(data)
    const other = await open(join(data, 'other'))
    await other.log.append('{"n":-1}')
    await other.close()
    const [forged = ''] = await lines(trailPaths(join(data, 'other')).audit)
    await rewrite(audit, (all) => all.map((line, at) => (at === 7 ? forged : line)))
    const refusal = { message: `the first 600 entries of the audit trail are not those that were signed${CONFLICT}` }
    await assert.rejects(open(data), refusal)
    // Without tiles that tell the old story nothing but the signature does.
    await rm(join(audit, 'tile'), { recursive: true })
    await assert.rejects(open(data), refusal)
    assert.partialDeepStrictEqual(await verdict(data), {
      ok: false,
      entries: 600,
      reason: 'the first 600 entries are not those that were signed',
    })
  }))

const REMADE = 'tiles of the audit trail were damaged and have been made again from its entries'

for (const [what, damage, mended] of [
  ['changed', (path: string) => writeFile(path, Buffer.alloc(8192, 1)), REMADE],
  // As a loss of power leaves it: the system had not written it out.
  ['cut', (path: string) => truncate(path, 100), ''],
  ['missing', (path: string) => rm(path), ''],
] as const) {
  test(`a tile that is ${what} is made again from the entries`, () =>
    withLog(async (data) => {
      const { audit } = trailPaths(data)
      const tile = join(audit, tilePath(0, 0))
      const before = await readFile(tile)
      await damage(tile)
      const signed = await openCheckpoint(await readFile(trailPaths(data).checkpoint, 'utf8'), signer.key)
      assert.equal(toHex((await readTree(audit, signed)).root(600)), toHex(signed.root))
      const trail = await open(data)
      assert.equal(trail.log.mended, mended)
      await trail.close()
      assert.deepEqual(await readFile(tile), before)
    }))
}

test('tiles that were never written are made, without a word', () =>
  withLog(async (data) => {
    const { audit } = trailPaths(data)
    await rm(join(audit, 'tile'), { recursive: true })
    const trail = await open(data)
    await fill(trail, 1)
    await trail.close()
    assert.deepEqual((await readdir(join(audit, 'tile', '0'))).toSorted(), ['000', '001'])
    assert.partialDeepStrictEqual(await verdict(data), { ok: true, signed: 601 })
  }))

test('a checkpoint of another key, or of another log, is not continued', () =>
  withLog(async (data) => {
    const { checkpoint } = trailPaths(data)
    const note = await readFile(checkpoint, 'utf8')
    await writeFile(checkpoint, note.replace('\n600\n', '\n599\n'))
    await assert.rejects(open(data), {
      message: /checkpoint is not a checkpoint of this log: a signature of .* is not good/,
    })
    await writeFile(checkpoint, note.replaceAll(ORIGIN, 'log.example/other'))
    await assert.rejects(open(data), { message: /the checkpoint is of log\.example\/other, the key of/ })
  }))

test('without a checkpoint a trail does not verify', () =>
  withLog(async (data) => {
    await rm(trailPaths(data).checkpoint)
    assert.partialDeepStrictEqual(await verdict(data), { ok: false, reason: 'there is no signed checkpoint' })
  }))

test('a checkpoint that can not be stored is not lost: the next try signs', () =>
  withFolder(async (data) => {
    const problems: string[] = []
    const trail = await open(data, { onProblem: (problem) => problems.push(problem) })
    await fill(trail, 2)
    // A folder where the file should be: the rename fails.
    await mkdir(join(trailPaths(data).signed, 'x'), { recursive: true })
    await trail.publish()
    assert.equal(problems.length, 1)
    assert.equal(await trail.checkpoint(), undefined)
    await rm(trailPaths(data).signed, { recursive: true })
    await trail.publish()
    assert.equal((await opened(trail)).size, 2)
    await trail.close()
  }))
