import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFile, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { asList, asRecord, parseJson } from '#kit/json.ts'
import { concatBytes, toHex, toUtf8 } from '#tlog/bytes.ts'
import { leafData } from '#tlog/hash.ts'
import { lines, rewrite, withFolder, write } from './folder.suite.ts'
import { openAuditLog } from './log.ts'
import { eachEntry, readEntry } from './read-entries.ts'
import { scanTrail } from './scan-trail.ts'
import { segmentPath, sha256 } from './segment.ts'

async function scan(folder: string) {
  return scanTrail(folder, { onLeaves: () => undefined })
}

function leafHash(text: string): string {
  return toHex(sha256(leafData(toUtf8(text))))
}

function sealed(text: string): string {
  return `${leafHash(text)} ${text}`
}

test('an entry that was appended is on the disk as it was given, behind its leaf hash', () =>
  withFolder(async (parent) => {
    const folder = join(parent, 'new', 'folder')
    const committed: string[] = []
    const log = await openAuditLog(folder, { onCommitted: (hashes) => committed.push(...hashes) })
    const first = await log.append('{"alias":"chät"}')
    const second = await log.append('{"id":"b"}')
    assert.deepEqual(await lines(folder), [`${first.hash} {"alias":"chät"}`, `${second.hash} {"id":"b"}`])
    assert.equal(first.hash, leafHash('{"alias":"chät"}'))
    assert.deepEqual(committed, [first.hash, second.hash])
    assert.deepEqual([first.index, second.index, log.size, log.trouble, log.mended], [0, 1, 2, undefined, ''])
    assert.equal((await stat(segmentPath(folder, 0))).mode & 0o777, 0o600)
    await log.close()
  }))

test('a thousand entries at once keep their order', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder)
    const places = await Promise.all(Array.from({ length: 1000 }, (_, n) => log.append(`{"n":${n}}`)))
    assert.deepEqual(
      places.map(({ index }) => index),
      Array.from({ length: 1000 }, (_, n) => n),
    )
    await log.close()
    const read: string[] = []
    await eachEntry(folder, ({ index, bytes }) => read.push(`${index} ${bytes.toString()}`))
    assert.deepEqual(
      read,
      Array.from({ length: 1000 }, (_, n) => `${n} {"n":${n}}`),
    )
  }))

test('closing waits for what was appended, and then nothing is taken', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder)
    const pending = log.append('{"n":0}')
    await log.close()
    assert.equal((await pending).index, 0)
    assert.equal(log.trouble, 'the audit log is closed')
    await assert.rejects(log.append('{"n":1}'), { message: 'the audit log is closed' })
    assert.deepEqual(await readdir(folder), ['000000000000.log'])
  }))

test('what is longer than a bundle can hold, or no single line, is refused with a reason and harms nothing', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder)
    const longest = `"${'ä'.repeat(32_766)}x"`
    assert.equal(Buffer.byteLength(longest), 65_535)
    await assert.rejects(log.append(`${longest} `), {
      message: 'the entry has 65536 bytes, at most 65535 fit into the log',
    })
    for (const text of ['', '{\n}'])
      await assert.rejects(log.append(text), { message: 'the entry is not one line, write it as canonical JSON' })
    assert.equal(log.trouble, undefined)
    assert.equal((await log.append(longest)).index, 0)
    await log.close()
    assert.partialDeepStrictEqual(await scan(folder), { entries: 1, bad: undefined })
    assert.equal((await readEntry(folder, 0))?.bytes.toString(), longest)
  }))

test('opening again continues the log', () =>
  withFolder(async (folder) => {
    await write(folder, 3)
    const log = await openAuditLog(folder)
    assert.deepEqual([log.size, log.mended], [3, ''])
    assert.equal((await log.append('{"n":3}')).index, 3)
    await log.close()
    assert.partialDeepStrictEqual(await scan(folder), { entries: 4, bad: undefined })
  }))

test('an entry that a crash cut in two is taken off, and the log says so', () =>
  withFolder(async (folder) => {
    await write(folder, 2)
    const whole = await readFile(segmentPath(folder, 0))
    for (const torn of ['a', `${'0'.repeat(64)} {"n":2,`]) {
      await writeFile(segmentPath(folder, 0), whole)
      await appendFile(segmentPath(folder, 0), torn)
      assert.partialDeepStrictEqual(await scan(folder), { entries: 2, tornBytes: torn.length, bad: undefined })
      const log = await openAuditLog(folder)
      assert.equal(
        log.mended,
        `cut ${torn.length} bytes of an unfinished entry from the end of ${segmentPath(folder, 0)}`,
      )
      assert.equal((await log.append('{"n":2}')).index, 2)
      await log.close()
      assert.partialDeepStrictEqual(await scan(folder), { entries: 3, tornBytes: 0, bad: undefined })
    }
  }))

const changes: readonly (readonly [
  what: string,
  change: (all: string[]) => readonly string[],
  index: number,
  reason: string,
])[] = [
  [
    'a changed entry',
    (all) => all.map((line, at) => (at === 2 ? line.replace('"n":2', '"n":3') : line)),
    2,
    'the entry does not match its hash',
  ],
  [
    'a changed hash',
    (all) => all.map((line, at) => (at === 1 ? `${'f'.repeat(64)}${line.slice(64)}` : line)),
    1,
    'the entry does not match its hash',
  ],
  ['a hash in capitals', (all) => all.map((line) => line.toUpperCase()), 0, 'the entry does not match its hash'],
  ['a line that is none', (all) => all.toSpliced(2, 1, 'hello'), 2, 'the line is not a hash and an entry'],
  ['an empty line', (all) => all.toSpliced(2, 0, ''), 2, 'the line is not a hash and an entry'],
  [
    'an entry that is too long',
    (all) => all.toSpliced(3, 0, sealed(`"${'x'.repeat(65_534)}"`)),
    3,
    'the line is longer than an entry of 65535 bytes',
  ],
  [
    'a line without end',
    (all) => all.toSpliced(3, 0, 'x'.repeat(9_000_000)),
    3,
    'the line is longer than an entry of 65535 bytes',
  ],
]

for (const [what, change, index, reason] of changes) {
  test(`${what} is found, with the index of the entry`, () =>
    withFolder(async (folder) => {
      await write(folder, 5)
      await rewrite(folder, change)
      assert.deepEqual((await scan(folder)).bad, { index, path: segmentPath(folder, 0), reason })
      await assert.rejects(openAuditLog(folder), {
        message: `the audit trail is broken at entry ${index}: ${reason}; run \`thinplane audit verify\``,
      })
      assert.equal((await readdir(folder)).includes('lock'), false)
    }))
}

test('what callers write into names does not break the log', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder)
    for (const alias of ['a\nb', 'a\rb', 'a\u0085b', 'a\u2028b', '\ufeff', '"', '\\', '\ud800'])
      await log.append(JSON.stringify({ alias }))
    await log.close()
    assert.partialDeepStrictEqual(await scan(folder), { entries: 8, bad: undefined })
    assert.deepEqual(JSON.parse((await readEntry(folder, 3))?.bytes.toString() ?? ''), { alias: 'a\u2028b' })
  }))

test('a full segment is followed by one named by its first entry, also over a restart; a missing one is found', () =>
  withFolder(async (folder) => {
    for (let run = 0; run < 3; run += 1) {
      const log = await openAuditLog(folder, { segmentBytes: 2000 })
      for (let n = 0; n < 30; n += 1) await log.append(`{"n":${log.size}}`)
      await log.close()
    }
    const { entries, segments, bad } = await scan(folder)
    assert.deepEqual([entries, segments > 3, bad], [90, true, undefined])
    for (const index of [0, 26, 27, 28, 89])
      assert.equal((await readEntry(folder, index))?.bytes.toString(), `{"n":${index}}`)
    assert.equal(await readEntry(folder, 90), undefined)
    const names = (await readdir(folder)).toSorted()
    const [, second = ''] = names
    const first = Number(second.slice(0, 12))
    await writeFile(join(folder, second), '')
    assert.match((await scan(folder)).bad?.reason ?? '', new RegExp(`^entries ${first} to \\d+ are missing$`))
  }))

test('threads find what one thread finds, at the same place', () =>
  withFolder(async (folder) => {
    const log = await openAuditLog(folder, { segmentBytes: 2000 })
    for (let n = 0; n < 200; n += 1) await log.append(`{"n":${n}}`)
    await log.close()
    const scans = async () => {
      const found = []
      for (const threadsFromBytes of [0, Infinity]) {
        const parts: Uint8Array[] = []
        const result = await scanTrail(folder, { threadsFromBytes, onLeaves: (leaves) => parts.push(leaves) })
        found.push({ ...result, leaves: toHex(concatBytes(...parts)) })
      }
      return found
    }
    const [threads, one] = await scans()
    assert.deepEqual(threads, one)
    assert.deepEqual([one?.entries, one?.leaves.length], [200, 200 * 64])
    const [, , third = ''] = (await readdir(folder)).toSorted()
    const text = await readFile(join(folder, third), 'utf8')
    await writeFile(join(folder, third), text.replace(/"n":(\d)(\d+)\}\n$/, '"n":$1x$2}\n'))
    const [threadsBad, oneBad] = await scans()
    assert.deepEqual(threadsBad, oneBad)
    assert.equal(oneBad?.bad?.path, join(folder, third))
  }))

test('a trail of the older form is left alone, with a sentence', () =>
  withFolder(async (folder) => {
    await writeFile(join(folder, '00000000.log'), '')
    await assert.rejects(openAuditLog(folder), {
      message: `${join(folder, '00000000.log')} is a trail of an older form: move it away, its own version reads it`,
    })
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
    const second = await openAuditLog(folder).catch(() => undefined)
    assert.equal(second, undefined)
    await log.close()
    assert.deepEqual(await readdir(folder), ['000000000000.log'])
  }))

/** Runs in a process whose files may not grow beyond a few kilobytes: a disk that is full, in the middle of an entry. */
const FULL_DISK = `
  const { readFileSync } = await import('node:fs')
  const { openAuditLog } = await import(process.argv[1])
  const log = await openAuditLog(process.argv[2])
  const results = []
  for (let n = 0; n < 20; n += 1) {
    const size = n === 19 ? 1 : 1500
    results.push(await log.append(JSON.stringify({ n, filler: 'x'.repeat(size) })).then(({ index }) => index, (error) => error.code))
    if (results.at(-1) === 'EFBIG') results.push(log.trouble !== undefined && readFileSync(process.argv[2] + '/000000000000.log').at(-1) === 10)
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
      Array.from({ length: written.length }, (_, index) => index),
    )
    assert.ok(asList(results).includes('EFBIG') && !asList(results).includes(false))
    // The last entry is small enough for what is left, so the log took it and is well again.
    assert.equal(typeof asList(results).at(-1), 'number')
    assert.equal(trouble, undefined)
    assert.partialDeepStrictEqual(await scan(folder), { entries: written.length, tornBytes: 0, bad: undefined })
  }),
)
