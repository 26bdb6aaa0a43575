import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { entryId, entryText } from '#bench/audit/entry.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import { decodeBundle } from '#tlog/bundle.ts'
import { concatBytes, fromUtf8 } from '#tlog/bytes.ts'
import { openCheckpoint } from '#tlog/checkpoint.ts'
import { HASH_BYTES } from '#tlog/hash.ts'
import { parseVkey } from '#tlog/key.ts'
import { nodesOfTiles, tilePath, tilesOf } from '#tlog/tile.ts'
import { rootOf } from '#tlog/tree.ts'
import { leafData } from '#tlog/hash.ts'
import { sha256 } from '#tlog/tree.suite.ts'
import { ORIGIN, fill, openTestTrail, run, thinplane } from './cli.ts'

const folder = await mkdtemp(join(tmpdir(), 'thinplane-audit-cli-'))
after(() => rm(folder, { recursive: true }))
const data = join(folder, 'data')
const COUNT = 700
const trail = await openTestTrail(data)
await fill(trail, COUNT)
await trail.close()
const idOf = entryId

test('verify says what is signed and by whose key, and takes a key from elsewhere', async () => {
  const whole = await thinplane('audit', 'verify', '--data', data)
  assert.match(
    whole.out,
    /^the trail is whole: 700 entries, 700 signed, root [0-9a-f]{64}\nsigned by the key found beside the log \(whoever can change/,
  )
  assert.equal(whole.status, 0)
  const { out: vkey } = await thinplane('audit', 'key', '--data', data)
  assert.equal(vkey.trim(), trail.vkey)
  assert.match(
    (await thinplane('audit', 'verify', '--data', data, '--key', trail.vkey)).out,
    /signed by the key given\n$/,
  )
  const other = vkey.trim().replace(/^.*?\+/, 'other.example/log+')
  const foreign = await thinplane('audit', 'verify', '--data', data, '--key', other)
  assert.deepEqual([foreign.status, foreign.out], [1, 'thinplane audit: the verifier key does not match its own id\n'])
  const policy = join(folder, 'policy')
  await writeFile(policy, `log ${trail.vkey}\nwitness w witness.example/w+00000000+AA==\nquorum w\n`)
  assert.match((await thinplane('audit', 'verify', '--data', data, '--policy', policy)).out, /line 2: /)
  await writeFile(policy, `log ${trail.vkey}\nquorum none\n`)
  assert.equal((await thinplane('audit', 'verify', '--data', data, '--policy', policy)).status, 0)
})

test('verify finds one changed byte, also where the hash of the line was made to fit', async () => {
  const copy = join(folder, 'copy')
  await cp(data, copy, { recursive: true })
  const file = join(copy, 'audit', '000000000000.log')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('"vllm-us-east4"', '"vllm-us-east5"'))
  const changed = await thinplane('audit', 'verify', '--data', copy, '--json')
  assert.equal(changed.status, 1)
  assert.partialDeepStrictEqual(parseJson(changed.out), { ok: false, entries: 0, badIndex: 0 })
  const lines = text.split('\n')
  await writeFile(file, lines.toSpliced(3, 1, lines[4] ?? '').join('\n'))
  const resealed = await thinplane('audit', 'verify', '--data', copy)
  assert.equal(resealed.status, 1)
  assert.match(resealed.out, /^the trail is BROKEN: the first 700 entries are not those that were signed;/)
})

test('a proof of an entry, by id or index, is good for this entry alone', async () => {
  const [proof, entry] = [join(folder, 'a.tlog-proof'), join(folder, 'a.json')]
  for (const which of [idOf(300), '300']) {
    assert.equal((await thinplane('audit', 'prove', which, '--data', data, '--out', proof, '--entry', entry)).status, 0)
    assert.equal(await readFile(entry, 'utf8'), entryText(300))
    const good = await thinplane('audit', 'check-proof', proof, '--key', trail.vkey, '--entry', entry)
    assert.deepEqual(
      [good.status, good.out],
      [0, `the proof is good: entry 300 of ${ORIGIN}, which had 700 entries then\n`],
    )
  }
  const checkpoint = await readFile(join(data, 'audit', 'checkpoint'), 'utf8')
  assert.ok((await readFile(proof, 'utf8')).endsWith(`\n\n${checkpoint}`))
  const { out: shown } = await thinplane('audit', 'show', idOf(300), '--data', data, '--json')
  const program = [join(import.meta.dirname, '../../thinplane.mjs'), 'audit', 'check-proof', proof, '--key', trail.vkey]
  assert.equal((await run(process.execPath, program, shown)).status, 0)
  const other = await run(process.execPath, program, entryText(301))
  assert.deepEqual([other.status, other.out], [1, 'the proof is NOT good: the proof does not lead to the root\n'])
  const none = await thinplane('audit', 'prove', '700', '--data', data)
  assert.deepEqual([none.status, none.out], [1, 'thinplane audit: there is no entry 700\n'])
  assert.equal((await thinplane('audit', 'check-proof', proof)).status, 2)
})

test('show, search and rebuild agree', async () => {
  const shown = await thinplane('audit', 'show', idOf(5), '--data', data)
  assert.match(shown.out, /entry 5 /)
  const found = await thinplane('audit', 'search', '--outcome', 'blocked', '--limit', '3', '--json', '--data', data)
  const indices = found.out
    .trim()
    .split('\n')
    .map((line) => asRecord(parseJson(line))?.['index'])
  assert.deepEqual(indices, [650, 600, 550])
  assert.equal(
    (await thinplane('audit', 'rebuild', '--data', data)).out,
    'the index has been made again from 700 entries\n',
  )
  assert.equal(
    (await thinplane('audit', 'search', '--outcome', 'blocked', '--limit', '3', '--json', '--data', data)).out,
    found.out,
  )
  assert.equal((await thinplane('audit', 'search', '--subject', 'nobody', '--data', data)).status, 1)
  assert.equal((await thinplane('audit', 'search', '--since', 'yesterday', '--data', data)).status, 2)
})

test('the export is a static log that can be read with the formats alone', async () => {
  const to = join(folder, 'static')
  const said = await thinplane('audit', 'export', '--tiles', to, '--data', data)
  assert.deepEqual([said.status, said.out], [0, `700 entries of ${ORIGIN} in 8 files in ${to}\n`])
  const { size, root } = await openCheckpoint(
    await readFile(join(to, 'checkpoint'), 'utf8'),
    await parseVkey(trail.vkey),
  )
  const tiles = new Map<string, Uint8Array>()
  for (const level of [0, 1]) {
    const { full, partial } = tilesOf(size, level)
    for (let number = 0; number < full + (partial > 0 ? 1 : 0); number += 1) {
      const path = tilePath(level, number, number < full ? 256 : partial)
      tiles.set(`${level}/${number}`, await readFile(join(to, path)))
    }
  }
  const tree = {
    sha256,
    node: nodesOfTiles(sha256, (level, number) => tiles.get(`${level}/${number}`) ?? new Uint8Array(0)),
  }
  assert.deepEqual(rootOf(tree, size), root)
  const bundles = [tilePath('entries', 0), tilePath('entries', 1), tilePath('entries', 2, 188)]
  const entries = (await Promise.all(bundles.map((path) => readFile(join(to, path))))).flatMap((bytes) =>
    decodeBundle(bytes),
  )
  assert.deepEqual(
    entries.map(fromUtf8),
    Array.from({ length: COUNT }, (_, index) => entryText(index)),
  )
  const leaves = concatBytes(...entries.map((entry) => sha256(leafData(entry))))
  assert.deepEqual(Buffer.from(leaves.subarray(0, 256 * HASH_BYTES)), await readFile(join(to, tilePath(0, 0))))
  const lines = await thinplane('audit', 'export', '--data', data)
  assert.equal(lines.out, entries.map((entry) => `${fromUtf8(entry)}\n`).join(''))
})

test('reconcile says the state, mends from a copy, and begins a new log', async () => {
  const [broken, copy] = [join(folder, 'broken'), join(folder, 'whole')]
  for (const to of [broken, copy]) await cp(data, to, { recursive: true })
  assert.match(
    (await thinplane('audit', 'reconcile', '--data', broken)).out,
    /700 entries, 700 signed\nthe log is what was signed/,
  )
  const file = join(broken, 'audit', '000000000000.log')
  await writeFile(file, `${(await readFile(file, 'utf8')).split('\n').slice(0, 650).join('\n')}\n`)
  const state = await thinplane('audit', 'reconcile', '--data', broken)
  assert.equal(state.status, 1)
  assert.match(
    state.out,
    /it can not be continued: 700 entries were signed, 650 are here\n.*--from DIR\n.*--new-log --reason TEXT\n$/s,
  )
  const mended = await thinplane('audit', 'reconcile', '--data', broken, '--from', copy)
  assert.equal(mended.status, 0)
  assert.match(mended.out, /^50 entries were appended from .*\n.*700 entries, 700 signed/)
  assert.equal((await thinplane('audit', 'reconcile', '--data', broken, '--new-log')).status, 2)
  const begun = await thinplane('audit', 'reconcile', '--data', broken, '--new-log', '--reason', 'a drill')
  assert.match(begun.out, /the new one is audit\.example\.com\/gateway\/2: give its key to the witnesses\n$/)
  const [archived = ''] = await readdir(join(broken, 'archive'))
  assert.equal((await thinplane('audit', 'verify', '--data', join(broken, 'archive', archived))).status, 0)
})
