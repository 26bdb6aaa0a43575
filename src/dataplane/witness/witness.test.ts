import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { signCheckpoint } from '#tlog/checkpoint.ts'
import { cosignatureBy } from '#tlog/cosignature.ts'
import { COSIGNER_KEY, LOG_KEY, type Signer, parseVkey } from '#tlog/key.ts'
import { formatNote, parseNote, parseSignatures } from '#tlog/note.ts'
import { createPrivateKey, openSigner } from '#tlog/signer.ts'
import { leavesOf, sha256, treeOf } from '#tlog/tree.suite.ts'
import { consistencyProof, rootOf } from '#tlog/tree.ts'
import { formatAddCheckpoint } from '#tlog/witness-request.ts'
import { openWitness } from './witness.ts'
import { openWitnessKey } from './witness-key.ts'

const ORIGIN = 'log.example/w'
const log = await openSigner(ORIGIN, LOG_KEY, await createPrivateKey())
const stranger = await openSigner(ORIGIN, LOG_KEY, await createPrivateKey())
const own = await openSigner('witness.example/w', COSIGNER_KEY, await createPrivateKey())
const tree = treeOf(leavesOf(50))
const forked = treeOf(leavesOf(50).toSpliced(3, 1, sha256(new Uint8Array(1))))
const NOW_MS = 1_790_000_000_000

async function withWitness(
  run: (open: () => ReturnType<typeof openWitness>, folder: string, conflicts: unknown[]) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-witness-'))
  const conflicts: unknown[] = []
  const open = () =>
    openWitness({
      folder,
      signer: own,
      logs: [log.key],
      now: () => NOW_MS,
      onConflict: (...facts) => conflicts.push(facts),
    })
  try {
    await run(open, folder, conflicts)
  } finally {
    await rm(folder, { recursive: true })
  }
}

interface Offered {
  readonly from?: typeof tree
  readonly signer?: Signer
  readonly proof?: readonly Uint8Array[]
}

async function offer(
  oldSize: number,
  size: number,
  { from = tree, signer = log, proof }: Offered = {},
): Promise<string> {
  const note = await signCheckpoint({ origin: signer.key.name, size, root: rootOf(from, size) }, signer)
  return formatAddCheckpoint({
    oldSize,
    proof: proof ?? (oldSize <= size ? consistencyProof(from, oldSize, size) : []),
    checkpoint: formatNote(note),
  })
}

test('a tree that grows is cosigned each time, and the cosignature verifies with its time', () =>
  withWitness(async (open) => {
    const witness = await open()
    for (const [oldSize, size] of [
      [0, 0],
      [0, 7],
      [7, 7],
      [7, 40],
    ] as const) {
      const body = await offer(oldSize, size)
      const { status, body: lines, textType } = await witness.addCheckpoint(body)
      assert.deepEqual([status, textType], [200, 'text/plain; charset=utf-8'])
      const { text } = parseNote(body.slice(body.indexOf('\n\n') + 2))
      const note = { text, signatures: parseSignatures(String(lines)) }
      assert.equal((await cosignatureBy(note, await parseVkey(witness.vkey)))?.timeS, NOW_MS / 1000)
    }
  }))

test('what a witness cosigned it knows after a restart', () =>
  withWitness(async (open, folder) => {
    await (await open()).addCheckpoint(await offer(0, 9))
    const again = await open()
    assert.deepEqual(await again.addCheckpoint(await offer(0, 12)), {
      status: 409,
      body: '9\n',
      textType: 'text/x.tlog.size',
    })
    assert.equal((await again.addCheckpoint(await offer(9, 12))).status, 200)
    const [file = ''] = await readdir(folder)
    assert.equal(file, `${hash('sha256', ORIGIN, 'hex')}.checkpoint`)
    await writeFile(join(folder, file), 'nothing')
    await assert.rejects(open(), {
      message: `${join(folder, file)} is damaged: put back what this witness knew of ${ORIGIN}`,
    })
  }))

test('a tree that does not follow is never cosigned, whoever signed it, and is told', () =>
  withWitness(async (open, folder, conflicts) => {
    const witness = await open()
    assert.equal((await witness.addCheckpoint(await offer(0, 10))).status, 200)
    const before = await readFile(join(folder, (await readdir(folder))[0] ?? ''), 'utf8')
    const bad: readonly (readonly [number, string])[] = [
      [422, await offer(10, 20, { from: forked })],
      [422, await offer(10, 10, { from: forked })],
      [422, await offer(10, 20, { proof: [] })],
      [409, await offer(5, 20)],
      [409, await offer(0, 5)],
      [400, await offer(30, 20)],
      [403, await offer(10, 20, { signer: stranger })],
      [404, await offer(0, 3, { signer: await openSigner('log.example/none', LOG_KEY, await createPrivateKey()) })],
      [400, 'old x\n\n'],
      [400, ''],
    ]
    for (const [status, body] of bad) assert.equal((await witness.addCheckpoint(body)).status, status, body)
    assert.deepEqual(conflicts, [
      [ORIGIN, 10, 20],
      [ORIGIN, 10, 10],
      [ORIGIN, 10, 20],
    ])
    assert.equal(await readFile(join(folder, (await readdir(folder))[0] ?? ''), 'utf8'), before)
    assert.equal((await witness.addCheckpoint(await offer(10, 20))).status, 200)
  }))

test('of two checkpoints at once from one size, one is cosigned and the other learns the new size', () =>
  withWitness(async (open) => {
    const witness = await open()
    const answers = await Promise.all(
      [offer(0, 10), offer(0, 20)].map(async (body) => witness.addCheckpoint(await body)),
    )
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 409],
    )
  }))

test('the key of a witness stays, and a damaged one is said', () =>
  withWitness(async (_open, folder) => {
    const first = await openWitnessKey(folder, 'w.example/a')
    assert.deepEqual((await openWitnessKey(folder, 'w.example/a')).key, first.key)
    await writeFile(join(folder, 'witness.key'), '{')
    await assert.rejects(openWitnessKey(folder, 'w.example/a'), {
      message: `${join(folder, 'witness.key')} is not the key of a witness: put it back from a backup`,
    })
  }))
