import assert from 'node:assert/strict'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { asRecord, asText, parseJson } from '#kit/json.ts'
import { fill, lines, open, rewrite, withFolder } from './folder.suite.ts'
import { eachEntry, readEntry } from './read-entries.ts'
import { beginNewLog, reconcileFrom, trailState } from './reconcile.ts'
import { trailPaths } from './signed.ts'
import { type TrailKey, openTrailKey } from './trail-key.ts'

/** A data folder whose log has 10 signed entries, and a copy of it beside. */
async function withCopy(run: (data: string, copy: string, key: TrailKey) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const [data, copy] = [join(folder, 'data'), join(folder, 'copy')]
    const key = await openTrailKey(trailPaths(data).key, 'log.example/r')
    const trail = await open(data, { signer: key.signer })
    await fill(trail, 10)
    await trail.close()
    await cp(data, copy, { recursive: true })
    await run(data, copy, key)
  })
}

test('a log that lost its end takes it from a copy, and goes on', () =>
  withCopy(async (data, copy, key) => {
    assert.deepEqual(await trailState(data, key), { origin: 'log.example/r', entries: 10, signedSize: 10, problem: '' })
    await rewrite(trailPaths(data).audit, (all) => all.slice(0, 4))
    assert.partialDeepStrictEqual(await trailState(data, key), {
      entries: 4,
      problem: '10 entries were signed, 4 are here',
    })
    assert.equal(await reconcileFrom(data, key, copy), 6)
    assert.partialDeepStrictEqual(await trailState(data, key), { entries: 10, problem: '' })
    assert.deepEqual(await lines(trailPaths(data).audit), await lines(trailPaths(copy).audit))
    const trail = await open(data, { signer: key.signer })
    await fill(trail, 1)
    await trail.close()
  }))

test('the whole log can come from a copy, also when what was signed is known there only', () =>
  withCopy(async (data, copy, key) => {
    await rm(trailPaths(data).audit, { recursive: true })
    await rm(trailPaths(data).signed)
    assert.equal(await reconcileFrom(data, key, trailPaths(copy).audit), 10)
    assert.partialDeepStrictEqual(await trailState(data, key), { entries: 10, signedSize: 10, problem: '' })
  }))

test('a copy that is not the same log, shorter, or broken, is not taken', () =>
  withCopy(async (data, copy, key) => {
    const whole = await readFile(join(trailPaths(copy).audit, '000000000000.log'))
    await rewrite(trailPaths(copy).audit, (all) => all.slice(0, 9))
    await assert.rejects(reconcileFrom(data, key, copy), {
      message: 'the copy can not be used: 10 entries were signed, 9 are here',
    })
    await writeFile(join(trailPaths(copy).audit, '000000000000.log'), whole)
    await rewrite(trailPaths(copy).audit, (all) => all.toSpliced(2, 1, `${all[2]}x`))
    await assert.rejects(reconcileFrom(data, key, copy), {
      message: 'the copy can not be used: entry 2: the entry does not match its hash',
    })
    await rewrite(trailPaths(copy).audit, (all) => all.toSpliced(2, 1, all[3] ?? ''))
    await assert.rejects(reconcileFrom(data, key, copy), {
      message: 'the copy can not be used: the first 10 entries are not those that were signed',
    })
    // Here two entries were recorded after the backup that nobody signed: they are not in the copy.
    await writeFile(join(trailPaths(copy).audit, '000000000000.log'), whole)
    await rewrite(trailPaths(data).audit, (all) => [...all.slice(0, 3), all[9] ?? ''])
    await assert.rejects(reconcileFrom(data, key, copy), {
      message: 'the entries here are not the beginning of the copy: begin a new log with --new-log',
    })
  }))

test('a new log has the next number, says what was before it and why, and the old one is kept', () =>
  withCopy(async (data, _copy, key) => {
    const before = await readFile(trailPaths(data).signed, 'utf8')
    const { origin, archive } = await beginNewLog(data, key, 'the disk was lost')
    assert.equal(origin, 'log.example/r/2')
    assert.equal((await lines(join(archive, 'audit'))).length, 10)
    const next = await openTrailKey(trailPaths(data).key, 'log.example/r')
    assert.equal(next.signer.key.name, origin)
    const first = asRecord(parseJson((await readEntry(trailPaths(data).audit, 0))?.bytes.toString() ?? '')) ?? {}
    const detail = asRecord(asRecord(first['unmapped'])?.['detail'])
    assert.equal(asText(detail?.['previousCheckpoint']), before)
    assert.equal(asText(detail?.['reason']), 'the disk was lost')
    const trail = await open(data, { signer: next.signer })
    await fill(trail, 1)
    await trail.close()
    assert.equal((await eachEntry(trailPaths(data).audit, () => undefined)).entries, 2)
    assert.partialDeepStrictEqual(await trailState(data, next), { entries: 2, signedSize: 2, problem: '' })
    await beginNewLog(data, next, 'again')
    assert.equal((await openTrailKey(trailPaths(data).key, 'log.example/r')).signer.key.name, 'log.example/r/3')
  }))

test('a key belongs to its origin, and a damaged one is said', () =>
  withCopy(async (data) => {
    await assert.rejects(openTrailKey(trailPaths(data).key, 'log.example/other'), {
      message:
        'the audit trail is the log log.example/r, the configuration says log.example/other: set audit.origin to the first, or begin a new data folder',
    })
    await writeFile(trailPaths(data).key, '{}')
    await assert.rejects(openTrailKey(trailPaths(data).key, 'log.example/r'), {
      message: `${trailPaths(data).key} is not the key of an audit log: put it back from a backup`,
    })
  }))
