import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFile, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { asList, asRecord, parseJson } from '#kit/json.ts'
import { GENESIS, leafHash } from './chain.ts'
import { openAuditLog, segmentPath } from './log.ts'
import { verifyTrail } from './verify.ts'

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-audit-'))
  try {
    await body(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Writes entries `{n: 0}`, `{n: 1}`, ... and closes. */
async function write(folder: string, count: number): Promise<void> {
  const log = await openAuditLog(folder)
  for (let n = 0; n < count; n += 1) await log.append({ n })
  await log.close()
}

async function lines(folder: string): Promise<string[]> {
  return (await readFile(segmentPath(folder, 0), 'utf8')).split('\n').slice(0, -1)
}

async function rewrite(folder: string, change: (all: string[]) => readonly string[]): Promise<void> {
  await writeFile(segmentPath(folder, 0), `${change(await lines(folder)).join('\n')}\n`)
}

test('an entry that was appended is on the disk, hashed and linked', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(join(folder, 'new', 'folder'))
    const first = await log.append({ id: 'a', alias: 'chät' })
    const second = await log.append({ id: 'b' })
    const [one = '', two = ''] = await lines(join(folder, 'new', 'folder'))
    assert.equal(one, `${first.hash} {"alias":"chät","id":"a","prev":"${GENESIS}","seq":0}`)
    assert.equal(two, `${second.hash} {"id":"b","prev":"${first.hash}","seq":1}`)
    assert.equal(leafHash(two.slice(65)), second.hash)
    assert.deepEqual([first.seq, second.seq, log.size, log.trouble, log.mended], [0, 1, 2, undefined, ''])
    assert.equal((await stat(segmentPath(join(folder, 'new', 'folder'), 0))).mode & 0o777, 0o600)
    await log.close()
  }))

test('a thousand entries at once keep their order and become one chain', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder)
    const places = await Promise.all(Array.from({ length: 1000 }, (_, n) => log.append({ n })))
    assert.deepEqual(
      places.map(({ seq }) => seq),
      Array.from({ length: 1000 }, (_, n) => n),
    )
    await log.close()
    const read: unknown[] = []
    const verdict = await verifyTrail(folder, (text, seq) => read.push([seq, asRecord(parseJson(text))?.['n']]))
    assert.deepEqual(verdict, { ok: true, entries: 1000, segments: 1, head: places.at(-1)?.hash, reason: '' })
    assert.deepEqual(read.at(-1), [999, 999])
  }))

test('closing waits for what was appended, and then nothing is taken', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder)
    const pending = log.append({ n: 0 })
    await log.close()
    assert.equal((await pending).seq, 0)
    assert.equal(log.trouble, 'the audit log is closed')
    await assert.rejects(log.append({ n: 1 }), { message: 'the audit log is closed' })
    assert.deepEqual(await readdir(folder), ['00000000.log'])
  }))

test('opening again continues the chain', () =>
  withFolder(async (folder) => {
    await write(folder, 3)
    const log = await openAuditLog(folder)
    assert.deepEqual([log.size, log.mended], [3, ''])
    assert.equal((await log.append({ n: 3 })).seq, 3)
    await log.close()
    assert.partialDeepStrictEqual(await verifyTrail(folder), { ok: true, entries: 4 })
  }))

test('an entry that a crash cut in two is taken off, and the log says so', () =>
  withFolder(async (folder) => {
    await write(folder, 2)
    const whole = await readFile(segmentPath(folder, 0))
    for (const torn of ['a', `${'0'.repeat(64)} {"n":2,`]) {
      await writeFile(segmentPath(folder, 0), whole)
      await appendFile(segmentPath(folder, 0), torn)
      const log = await openAuditLog(folder)
      assert.equal(
        log.mended,
        `cut ${torn.length} bytes of an unfinished entry from the end of ${segmentPath(folder, 0)}`,
      )
      assert.equal((await log.append({ n: 2 })).seq, 2)
      await log.close()
      assert.partialDeepStrictEqual(await verifyTrail(folder), { ok: true, entries: 3 })
    }
  }))

const changes: readonly (readonly [
  what: string,
  change: (all: string[]) => readonly string[],
  entries: number,
  reason: string,
])[] = [
  [
    'a changed letter',
    (all) => all.map((line, at) => (at === 2 ? line.replace('"n":2', '"n":7') : line)),
    2,
    'the entry does not match its hash',
  ],
  [
    'a changed hash',
    (all) => all.map((line, at) => (at === 1 ? `${'f'.repeat(64)}${line.slice(64)}` : line)),
    1,
    'the entry does not match its hash',
  ],
  [
    'an entry that was written anew with its own hash',
    (all) => all.map((line, at) => (at === 3 ? sealed(line.slice(65).replace('"n":3', '"n":9')) : line)),
    4,
    'the entry does not follow from the one before it',
  ],
  [
    'a line that was removed',
    (all) => all.filter((_, at) => at !== 2),
    2,
    'the entry says it is number 3, it stands at 2',
  ],
  ['the first line removed', (all) => all.slice(1), 0, 'the entry says it is number 1, it stands at 0'],
  [
    'two lines that changed places',
    (all) => all.toSpliced(1, 2, all[2] ?? '', all[1] ?? ''),
    1,
    'the entry says it is number 2, it stands at 1',
  ],
  ['a line twice', (all) => all.toSpliced(2, 0, all[1] ?? ''), 2, 'the entry says it is number 1, it stands at 2'],
  ['a line that is none', (all) => all.toSpliced(2, 1, 'hello'), 2, 'the line is not a hash and an entry'],
  ['an empty line', (all) => all.toSpliced(2, 0, ''), 2, 'the line is not a hash and an entry'],
  [
    'an entry without a place',
    (all) => all.toSpliced(2, 1, sealed('{"n":2}')),
    2,
    'the entry has no place in the chain',
  ],
]

function sealed(text: string): string {
  return `${leafHash(text)} ${text}`
}

for (const [what, change, entries, reason] of changes) {
  test(`${what} is found, with the number of the entry`, () =>
    withFolder(async (folder) => {
      await write(folder, 5)
      await rewrite(folder, change)
      assert.partialDeepStrictEqual(await verifyTrail(folder), {
        ok: false,
        entries,
        segments: 1,
        reason: `entry ${entries} (${segmentPath(folder, 0)}): ${reason}`,
      })
      await assert.rejects(openAuditLog(folder), {
        message: `the audit trail is broken at entry ${entries}: ${reason}; run \`thinplane audit verify\``,
      })
      assert.equal((await readdir(folder)).includes('lock'), false)
    }))
}

test('entries cut off at the end show against a head that was noted', () =>
  withFolder(async (folder) => {
    await write(folder, 3)
    const { head } = await verifyTrail(folder)
    await rewrite(folder, (all) => all.slice(0, 2))
    const after = await verifyTrail(folder)
    assert.deepEqual([after.ok, after.entries, after.head === head], [true, 2, false])
  }))

test('what callers write into names does not break the trail', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder)
    for (const alias of ['a\nb', 'a\rb', 'a\u0085b', 'a\u2028b', '\ufeff', '"', '\\']) await log.append({ alias })
    await log.close()
    const again = await openAuditLog(folder)
    assert.equal(again.size, 7)
    await again.close()
    assert.partialDeepStrictEqual(await verifyTrail(folder), { ok: true, entries: 7 })
  }))

test('a trail of several segments is one chain, and opening finds its end', () =>
  withFolder(async (folder) => {
    await write(folder, 4)
    const all = await lines(folder)
    await rewrite(folder, () => all.slice(0, 3))
    await writeFile(segmentPath(folder, 1), `${all[3]}\n`)
    const log = await openAuditLog(folder)
    assert.equal((await log.append({ n: 4 })).seq, 4)
    await log.close()
    assert.partialDeepStrictEqual(await verifyTrail(folder), { ok: true, entries: 5, segments: 2 })
    await writeFile(segmentPath(folder, 2), '')
    const empty = await openAuditLog(folder)
    assert.equal(empty.size, 5)
    await empty.close()
    await rm(segmentPath(folder, 0))
    assert.partialDeepStrictEqual(await verifyTrail(folder), { ok: false, entries: 0, reason: 'segment 0 is missing' })
  }))

test('an empty folder verifies as an empty trail', () =>
  withFolder(async (folder) => {
    assert.deepEqual(await verifyTrail(folder), { ok: true, entries: 0, segments: 0, head: GENESIS, reason: '' })
  }))

test('one process writes a trail: another that lives is told so, one that died is taken over', () =>
  withFolder(async (folder) => {
    await writeFile(join(folder, 'lock'), String(process.ppid))
    await assert.rejects(openAuditLog(folder), {
      message: `another process (${process.ppid}) writes the audit trail in ${folder}: stop it, or use another --data folder`,
    })
    await writeFile(join(folder, 'lock'), '4194303')
    const log = await openAuditLog(folder)
    assert.equal(await readFile(join(folder, 'lock'), 'utf8'), String(process.pid))
    await log.close()
    assert.deepEqual(await readdir(folder), ['00000000.log'])
  }))

test('the same process does not open a trail twice', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder)
    const second = await openAuditLog(folder).catch(() => undefined)
    await second?.close()
    await log.close()
    assert.equal(second, undefined)
  }))

test('an entry that can not be written is refused, and those after it are not', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder)
    await assert.rejects(log.append({ n: 1n }), { name: 'TypeError' })
    assert.match(log.trouble ?? '', /BigInt/)
    assert.equal((await log.append({ n: 1 })).seq, 0)
    await log.append({ n: 2 })
    assert.equal(log.trouble, undefined)
    await log.close()
    assert.partialDeepStrictEqual(await verifyTrail(folder), { ok: true, entries: 2 })
  }))

/** Runs in a process whose files may not grow beyond a few kilobytes: a disk that is full, in the middle of an entry. */
const FULL_DISK = `
  const { openAuditLog } = await import(process.argv[1])
  const log = await openAuditLog(process.argv[2])
  const results = []
  for (let n = 0; n < 20; n += 1) {
    const size = n === 19 ? 1 : 1500
    results.push(await log.append({ n, filler: 'x'.repeat(size) }).then(({ seq }) => seq, (error) => error.code))
  }
  const { trouble } = log
  await log.close()
  process.stdout.write(JSON.stringify({ results, trouble }))
`

test('a full disk refuses entries and leaves no half of one', { skip: process.platform === 'win32' }, () =>
  withFolder(async (folder) => {
    const log = new URL('log.ts', import.meta.url).href
    const command = 'ulimit -f 16 && exec "$0" --input-type=module -e "$1" "$2" "$3"'
    const { stdout } = await promisify(execFile)('sh', ['-c', command, process.execPath, FULL_DISK, log, folder])
    const { results, trouble } = asRecord(parseJson(stdout)) ?? {}
    const written = asList(results).filter((result) => typeof result === 'number')
    assert.ok(written.length > 2 && written.length < 19)
    assert.deepEqual(
      written,
      Array.from({ length: written.length }, (_, seq) => seq),
    )
    assert.ok(asList(results).includes('EFBIG'))
    // The last entry is small enough for what is left, so the log took it and is well again.
    assert.equal(typeof asList(results)[19], 'number')
    assert.equal(trouble, undefined)
    assert.partialDeepStrictEqual(await verifyTrail(folder), { ok: true, entries: written.length })
  }),
)

test('a segment that is full is followed by the next, also over a restart', () =>
  withFolder(async (folder) => {
    for (let run = 0; run < 3; run += 1) {
      const log = await openAuditLog(folder, { segmentBytes: 2000 })
      for (let n = 0; n < 30; n += 1) await log.append({ n, run })
      await log.close()
    }
    const verdict = await verifyTrail(folder)
    assert.deepEqual([verdict.ok, verdict.entries, verdict.segments > 5], [true, 90, true])
  }))
