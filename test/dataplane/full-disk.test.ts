import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { skipWithoutIndex } from '#dataplane/test-agent.ts'
import { asCount, asRecord, parseJson } from '#kit/json.ts'
import { awsWorld, BUCKET } from './aws-world.ts'

const INGESTER = fileURLToPath(new URL('./ingester.ts', import.meta.url))
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/tmp']).status === 0
const skip = skipWithoutIndex || (canMount ? false : 'this machine lets nobody mount a small disk')

/** A disk of 2 MB, an ingest that fills it, more room, and the ingest again. */
const SCRIPT = `
mount -t tmpfs -o size=2m none "$DISK" || exit 9
"$NODE" "$INGESTER" "$OPTIONS"; echo "first ended with $?"
mount -o remount,size=400m "$DISK" || exit 9
"$NODE" "$INGESTER" "$OPTIONS"; echo "second ended with $?"
`

test(
  'a full disk ends the ingest with a reason; with more room it goes on and is whole',
  { skip, timeout: 120_000 },
  async (t) => {
    const world = await awsWorld(t)
    const documents = 90
    for (let at = 0; at < documents; at += 1) {
      const words = Array.from({ length: 4000 }, (_, word) => (word * 7919 * (at + 1)).toString(36))
      world.put(`docs/${at}.txt`, words.join(' '))
    }
    const disk = join(world.folder, 'disk')
    await mkdir(disk)
    const { accessKeyId, secretAccessKey, region, urls } = world.sim
    const options = { dataDir: disk, bucket: BUCKET, endpoint: urls.s3, region, keys: { accessKeyId, secretAccessKey } }
    const child = spawn('unshare', ['-rm', 'sh', '-c', SCRIPT], {
      env: { ...process.env, DISK: disk, NODE: process.execPath, INGESTER, OPTIONS: JSON.stringify(options) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    let complained = ''
    child.stdout.on('data', (piece: Buffer) => (printed += piece.toString()))
    child.stderr.on('data', (piece: Buffer) => (complained += piece.toString()))
    await once(child, 'exit')
    assert.match(printed, /first ended with 1/, `${printed.slice(-500)}\n${complained}`)
    assert.match(complained, /the disk of the index of `docs` is full: make room and ingest again, nothing is lost/)
    assert.match(printed, /second ended with 0/, complained)
    const report = asRecord(parseJson(/report (.*)/.exec(printed)?.[1] ?? ''))
    assert.equal(asCount(report?.['documents']), documents)
    assert.equal(asCount(report?.['failures']), 0)
  },
)
