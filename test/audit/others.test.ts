import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Witness } from '#record/witness-feed.ts'
import { openTrailKey } from '#record/trail-key.ts'
import { trailPaths } from '#record/signed.ts'
import { signCheckpoint } from '#tlog/checkpoint.ts'
import { formatVkey, parseVkey } from '#tlog/key.ts'
import { formatNote } from '#tlog/note.ts'
import { checkPolicy, parsePolicy } from '#tlog/policy.ts'
import { leavesOf, treeOf } from '#tlog/tree.suite.ts'
import { consistencyProof, rootOf } from '#tlog/tree.ts'
import { formatAddCheckpoint } from '#tlog/witness-request.ts'
import { freePort } from '#bin/free-port.ts'
import { eventually } from '../plane.ts'
import { ORIGIN, fill, missing, openTestTrail, run, thinplane } from './cli.ts'

/*
 * The log as others see it, whose code nobody here wrote: Debian's package `torchwood` (spicy-torchwood checks proofs,
 * litewitness witnesses) and openssl. Each is skipped where it is not installed.
 */
const folder = await mkdtemp(join(tmpdir(), 'thinplane-others-'))
const running: ChildProcess[] = []
after(async () => {
  for (const child of running) child.kill()
  await rm(folder, { recursive: true, force: true })
})

const spicy = await missing('spicy-torchwood', '-h')
const litewitness =
  (await missing('litewitness', '-h')) || (await missing('witnessctl')) || (await missing('ssh-agent', '-h'))
const openssl = await missing('openssl', 'version')

test('spicy-torchwood believes our proofs, and not for a changed entry', { skip: spicy }, async () => {
  const data = join(folder, 'spicy')
  const trail = await openTestTrail(data)
  await fill(trail, 1700)
  await trail.close()
  for (const index of ['0', '255', '256', '999', '1699']) {
    const entry = join(folder, `entry-${index}.json`)
    const proof = `${entry}.spicy`
    await thinplane('audit', 'prove', index, '--form', 'spicy', '--data', data, '--entry', entry, '--out', proof)
    const good = await run('spicy-torchwood', ['-verify', trail.vkey, entry])
    assert.equal(good.status, 0, good.out)
    await writeFile(
      entry,
      (await readFile(entry, 'utf8')).replace('answered', 'answerex').replace('blocked', 'blockex'),
    )
    const bad = await run('spicy-torchwood', ['-verify', trail.vkey, entry])
    assert.notEqual(bad.status, 0, bad.out)
  }
})

test('litewitness cosigns the log as it grows, and refuses a fork of it', { skip: litewitness }, async () => {
  const data = join(folder, 'lite')
  const { signer } = await openTrailKey(trailPaths(data).key, ORIGIN)
  const lite = await startLitewitness(formatVkey(signer.key))
  const statuses: number[] = []
  const ask = async (body: string) => {
    const answer = await fetch(`${lite.url}/add-checkpoint`, { method: 'POST', body })
    statuses.push(answer.status)
    return { status: answer.status, text: await answer.text() }
  }
  const witness: Witness = { name: 'lite', key: await parseVkey(lite.vkey), ask }
  const trail = await openTestTrail(data, [witness])
  for (const size of [300, 700, 701]) {
    await fill(trail, size - trail.log.size)
    await trail.publish()
    await eventually(() => (trail.status().cosignedSize === size ? true : undefined), `${size} cosigned entries`)
  }
  await trail.close()
  const again = await openTestTrail(data, [witness])
  await fill(again, 9)
  await again.close()
  const policy = await parsePolicy(`log ${trail.vkey}\nwitness lite ${lite.vkey}\nquorum lite`)
  const { checkpoint } = await checkPolicy(policy, await readFile(trailPaths(data).cosigned, 'utf8'))
  assert.equal(checkpoint.size, 710)
  assert.ok(statuses.every((status) => status === 200 || status === 409))
  // The same key signs another tree: neither it nor what comes behind it is cosigned.
  const forked = treeOf(leavesOf(900))
  const offer = async (size: number, oldSize: number, proof: readonly Uint8Array[]) => {
    const note = formatNote(await signCheckpoint({ origin: ORIGIN, size, root: rootOf(forked, size) }, signer))
    return (await ask(formatAddCheckpoint({ oldSize, proof, checkpoint: note }))).status
  }
  assert.equal(await offer(900, 710, consistencyProof(forked, 710, 900)), 422)
  assert.ok([409, 422].includes(await offer(710, 710, [])))
  assert.equal(await offer(500, 300, consistencyProof(forked, 300, 500)), 409)
})

interface Lite {
  readonly url: string
  readonly vkey: string
}

/** litewitness signs with a key that it asks an ssh-agent for. */
async function startLitewitness(logVkey: string): Promise<Lite> {
  const at = (name: string): string => join(folder, name)
  running.push(spawn('ssh-agent', ['-D', '-a', at('agent.sock')], { stdio: 'ignore' }))
  await done('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('ssh')])
  await eventually(async () => {
    const added = await run('env', [`SSH_AUTH_SOCK=${at('agent.sock')}`, 'ssh-add', '-q', at('ssh')])
    return added.status === 0 ? true : undefined
  }, 'the agent')
  const fingerprint = (await done('ssh-keygen', ['-lf', at('ssh.pub')])).split(' ')[1] ?? ''
  await done('witnessctl', ['add-log', '-db', at('lite.db'), '-origin', ORIGIN])
  await done('witnessctl', ['add-key', '-db', at('lite.db'), '-origin', ORIGIN, '-key', logVkey])
  const listen = `127.0.0.1:${await freePort(0)}`
  const names = ['-db', at('lite.db'), '-key', fingerprint, '-name', 'witness.example/lite']
  running.push(spawn('litewitness', [...names, '-ssh-agent', at('agent.sock'), '-listen', listen], { stdio: 'ignore' }))
  const vkey = await eventually(async () => {
    const page = await fetch(`http://${listen}/`).then(
      async (answer) => answer.text(),
      () => '',
    )
    return /witness\.example\/lite\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+/.exec(page.replaceAll('&#43;', '+'))?.[0]
  }, 'litewitness')
  return { url: `http://${listen}`, vkey }
}

async function done(program: string, args: readonly string[]): Promise<string> {
  const { status, out } = await run(program, args)
  assert.equal(status, 0, out)
  return out
}

test('openssl finds the signature of the checkpoint good', { skip: openssl }, async () => {
  const data = join(folder, 'openssl')
  const trail = await openTestTrail(data)
  await fill(trail, 3)
  await trail.close()
  const note = await readFile(trailPaths(data).checkpoint, 'utf8')
  const [text = '', lines = ''] = note.split('\n\n')
  const signature = Buffer.from(lines.trim().split(' ').at(-1) ?? '', 'base64').subarray(4)
  const { publicKey } = await parseVkey(trail.vkey)
  // SubjectPublicKeyInfo of an Ed25519 key: RFC 8410, section 4.
  await writeFile(join(folder, 'key.der'), Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]))
  await writeFile(join(folder, 'signature'), signature)
  const args = ['pkeyutl', '-verify', '-rawin', '-pubin', '-keyform', 'DER', '-inkey', join(folder, 'key.der')]
  for (const [body, status] of [
    [`${text}\n`, 0],
    [`${text}\n\n`, 1],
  ] as const) {
    await writeFile(join(folder, 'body'), body)
    const { status: got, out } = await run('openssl', [
      ...args,
      '-sigfile',
      join(folder, 'signature'),
      '-in',
      join(folder, 'body'),
    ])
    assert.equal(got, status, out)
  }
})
