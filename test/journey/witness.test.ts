import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startServer } from '#dataplane/http.ts'
import { type Witness, openWitness, witnessRoutes } from '#dataplane/witness/witness.ts'
import { openWitnessKey } from '#dataplane/witness/witness-key.ts'
import { openTrailKey } from '#record/trail-key.ts'
import { signCheckpoint } from '#tlog/checkpoint.ts'
import { formatVkey } from '#tlog/key.ts'
import { formatNote } from '#tlog/note.ts'
import { leavesOf, treeOf } from '#tlog/tree.suite.ts'
import { consistencyProof, rootOf } from '#tlog/tree.ts'
import { formatAddCheckpoint } from '#tlog/witness-request.ts'
import { checkPolicy, parsePolicy } from '#tlog/policy.ts'
import { type ConfigDraft, chat, eventually, post, startPlane } from '../plane.ts'

/*
 * A control plane whose log three agents witness, two of which have to agree. Each witness is the agent's own server
 * and code on a port of its own; the calls go through the control plane's border.
 */
const folder = await mkdtemp(join(tmpdir(), 'thinplane-witnesses-'))
const NAMES = ['aws', 'gcp', 'own'] as const
/** Made before the plane starts, as `up` does it, so that the witnesses can be told the key. */
const log = await openTrailKey(join(folder, 'audit.key'), 'thinplane-control')
const logVkey = formatVkey(log.signer.key)

interface Agent {
  readonly witness: Witness
  readonly port: number
  close: () => Promise<void>
}

async function startAgent(name: string, port = 0): Promise<Agent> {
  const dataDir = join(folder, name)
  const witness = await openWitness({
    folder: join(dataDir, 'witness'),
    signer: await openWitnessKey(dataDir, `${name}.example/witness`),
    logs: [log.signer.key],
    now: Date.now,
  })
  const server = await startServer({
    host: '127.0.0.1',
    port,
    routes: witnessRoutes(witness),
    onError: () => ({ status: 500, body: {} }),
  })
  return { witness, port: Number(new URL(server.url).port), close: () => server.close() }
}

const agents = new Map<string, Agent>()
for (const name of NAMES) agents.set(name, await startAgent(name))

function agent(name: string): Agent {
  const found = agents.get(name)
  assert.ok(found)
  return found
}

function witnessed(draft: ConfigDraft): void {
  draft['audit'] = {
    quorum: 2,
    witnesses: NAMES.map((name) => ({
      name,
      url: `http://127.0.0.1:${agent(name).port}/witness`,
      key: agent(name).witness.vkey,
    })),
  }
}

const data = join(folder, 'data')
await cp(join(folder, 'audit.key'), join(data, 'audit.key'))
let plane = await startPlane({ folder: data, change: witnessed })
after(async () => {
  await plane.close()
  for (const { close } of agents.values()) await close()
  await rm(folder, { recursive: true })
})

const policy = await parsePolicy(
  [
    `log ${logVkey}`,
    ...NAMES.map((name) => `witness ${name} ${agent(name).witness.vkey}`),
    `group clouds 2 ${NAMES.join(' ')}`,
    'quorum clouds',
  ].join('\n'),
)

async function gauge(name: string): Promise<number> {
  const text = await (await fetch(`${plane.url}/metrics`)).text()
  return Number(new RegExp(`^${name.replaceAll(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
}

async function entries(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'))
}

async function cosigned(size: number): Promise<readonly string[]> {
  await eventually(
    async () => ((await gauge('thinplane_audit_cosigned_entries')) >= size ? true : undefined),
    `${size} cosigned entries`,
  )
  const verdict = await checkPolicy(policy, await readFile(join(data, 'audit', 'checkpoint.cosigned'), 'utf8'))
  assert.ok(verdict.checkpoint.size >= size)
  return [...verdict.cosigned.keys()].toSorted()
}

test('checkpoints are cosigned by the agents, and the metrics say how far', async () => {
  assert.equal((await (await fetch(`${plane.url}/.well-known/thinplane-log.vkey`)).text()).trim(), logVkey)
  await entries(3)
  assert.ok((await cosigned(3)).length >= 2)
  assert.equal(await gauge('thinplane_audit_signed_entries'), 3)
  await eventually(
    async () => ((await gauge('thinplane_audit_witness_age_seconds{witness="own"}')) < 60 ? true : undefined),
    'the age of a witness',
  )
})

test('one witness away delays nothing: the other two are the quorum, and requests do not notice', async () => {
  await agent('own').close()
  await entries(4)
  assert.deepEqual(await cosigned(7), ['aws', 'gcp'])
})

test('a witness that comes back catches up', async () => {
  agents.set('own', await startAgent('own', agent('own').port))
  await entries(1)
  await cosigned(8)
  await eventually(async () => {
    const text = await readFile(join(data, 'audit', 'checkpoint'), 'utf8')
    return text.includes('own.example/witness') ? true : undefined
  }, 'the cosignature of the third witness')
})

test('a forked tree that the log itself signed is refused by every agent', async () => {
  const forked = treeOf(leavesOf(40))
  const note = await signCheckpoint({ origin: log.signer.key.name, size: 40, root: rootOf(forked, 40) }, log.signer)
  for (const name of NAMES) {
    const url = `http://127.0.0.1:${agent(name).port}/witness/add-checkpoint`
    const offer = async (oldSize: number): Promise<Response> =>
      fetch(url, {
        method: 'POST',
        body: formatAddCheckpoint({
          oldSize,
          proof: consistencyProof(forked, oldSize, 40),
          checkpoint: formatNote(note),
        }),
      })
    const conflict = await offer(0)
    assert.deepEqual([conflict.status, conflict.headers.get('content-type')], [409, 'text/x.tlog.size'])
    assert.equal((await offer(Number(await conflict.text()))).status, 422)
  }
})

test('a log put back from an older backup is found by its witnesses, and nothing is recorded in it', async () => {
  const backup = join(folder, 'backup')
  await plane.close()
  await cp(data, backup, { recursive: true })
  plane = await startPlane({ folder: data, change: witnessed })
  await entries(2)
  await cosigned(10)
  await plane.close()
  // The whole folder, the copy of the signed checkpoint outside the log too: nothing here knows of ten entries.
  await rm(data, { recursive: true })
  await cp(backup, data, { recursive: true })
  plane = await startPlane({ folder: data, change: witnessed })
  const reason = await eventually(async () => {
    const answer = await fetch(`${plane.url}/readyz`)
    return answer.status === 503 ? await answer.text() : undefined
  }, 'the refusal')
  assert.match(
    reason,
    /^(?:aws|gcp|own) has cosigned 10 entries of this log, and not of what is here: nothing is recorded until `thinplane audit reconcile` has settled it\n$/,
  )
  const refused = await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'))
  assert.equal(refused.status, 503)
  assert.equal(await gauge('thinplane_audit_entries'), 8)
  assert.equal(await gauge('thinplane_audit_signed_entries'), 8)
})
