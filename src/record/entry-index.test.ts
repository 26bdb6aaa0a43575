import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { canonicalJson } from '#kit/canonical-json.ts'
import { EntryIndex, type IndexRow } from './entry-index.ts'
import { withFolder } from './folder.suite.ts'
import { openAuditLog } from './log.ts'

const DAY_MS = 86_400_000
const START_MS = Date.parse('2026-11-24T20:00:00Z')

function entry(n: number): string {
  return canonicalJson({
    metadata: { uid: `req-${n}`, tenant_uid: n % 5 === 0 ? '' : 't' },
    time: START_MS + n * 3_600_000,
    actor: { user: n % 5 === 0 ? {} : { uid: n % 2 === 0 ? 'ada' : 'bob' } },
    ai_model: {},
    message_context: { service: { name: 'vllm' } },
    api: { response: { error: n % 7 === 0 ? 'GUARD_BLOCKED' : '' } },
    unmapped: { alias: 'chat', outcome: n % 7 === 0 ? 'blocked' : 'answered' },
  })
}

async function append(audit: string, from: number, count: number): Promise<void> {
  const log = await openAuditLog(audit)
  for (let n = from; n < from + count; n += 1) await log.append(entry(n))
  await log.close()
}

async function all(index: EntryIndex): Promise<IndexRow[]> {
  return index.search({ limit: 10_000 })
}

test('an index that grew with the log is equal to one that was made again', () =>
  withFolder(async (folder) => {
    const [audit, place] = [join(folder, 'audit'), join(folder, 'index')]
    for (let round = 0; round < 4; round += 1) {
      await append(audit, round * 15, 15)
      const index = await EntryIndex.open(place, audit)
      assert.equal(await index.count(), (round + 1) * 15)
      index.close()
    }
    const log = await openAuditLog(audit)
    await log.append('{"no":"request"}')
    await log.append('not even JSON')
    await log.close()
    const grown = await EntryIndex.open(place, audit)
    const before = await all(grown)
    grown.close()
    const rebuilt = await EntryIndex.rebuild(place, audit)
    assert.deepEqual(await all(rebuilt), before)
    assert.equal(before.length, 62)
    assert.equal(new Set(before.map(({ timeMs }) => Math.floor(timeMs / DAY_MS))).size, 5)
    rebuilt.close()
  }))

test('entries are found by id and by what they say, the newest first', () =>
  withFolder(async (folder) => {
    const [audit, place] = [join(folder, 'audit'), join(folder, 'index')]
    await append(audit, 0, 40)
    const index = await EntryIndex.open(place, audit)
    assert.deepEqual(await index.find('req-7'), [
      {
        index: 7,
        id: 'req-7',
        timeMs: START_MS + 7 * 3_600_000,
        subject: 'bob',
        tenant: 't',
        alias: 'chat',
        target: 'vllm',
        outcome: 'blocked',
        code: 'GUARD_BLOCKED',
        forgetMs: 0,
      },
    ])
    assert.deepEqual(await index.find("' OR 1=1 --"), [])
    const found = async (query: object) => (await index.search({ limit: 100, ...query })).map((row) => row.index)
    assert.deepEqual(await found({ outcome: 'blocked' }), [35, 28, 21, 14, 7, 0])
    assert.deepEqual(await found({ outcome: 'blocked', limit: 2 }), [35, 28])
    assert.deepEqual(await found({ outcome: 'blocked', subject: 'ada' }), [28, 14])
    assert.deepEqual(await found({ sinceMs: START_MS + 3 * 3_600_000, untilMs: START_MS + 6 * 3_600_000 }), [5, 4, 3])
    assert.deepEqual(await found({ alias: 'none' }), [])
    index.close()
  }))

test('what a crash let happen twice is there once, and the index of another log is thrown away', () =>
  withFolder(async (folder) => {
    const [audit, place] = [join(folder, 'audit'), join(folder, 'index')]
    await append(audit, 0, 20)
    ;(await EntryIndex.open(place, audit)).close()
    await writeFile(join(place, 'progress'), 'form-2 5')
    const again = await EntryIndex.open(place, audit)
    assert.equal(await again.count(), 20)
    again.close()
    await writeFile(join(place, 'progress'), '20')
    const anew = await EntryIndex.open(place, audit)
    assert.equal(await anew.count(), 20)
    anew.close()
    await rm(audit, { recursive: true })
    await append(audit, 100, 3)
    const other = await EntryIndex.open(place, audit)
    assert.deepEqual(
      (await all(other)).map(({ id }) => id),
      ['req-102', 'req-101', 'req-100'],
    )
    other.close()
  }))

test('rows whose time is over are forgotten, the log keeps their entries', () =>
  withFolder(async (folder) => {
    const [audit, place] = [join(folder, 'audit'), join(folder, 'index')]
    const log = await openAuditLog(audit)
    const old = Date.now() - 31 * DAY_MS
    for (const [n, retentionDays] of [30, 32, undefined].entries()) {
      await log.append(
        canonicalJson({ metadata: { uid: `r${n}` }, time: old, unmapped: { policy: { retentionDays } } }),
      )
    }
    await log.close()
    for (const isRebuilt of [false, true]) {
      const index = await (isRebuilt ? EntryIndex.rebuild(place, audit) : EntryIndex.open(place, audit))
      assert.deepEqual((await all(index)).map(({ id }) => id).toSorted(), ['r1', 'r2'])
      index.close()
    }
  }))
