import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { skipWithoutIndex } from '#dataplane/test-agent.ts'
import { ROOT } from '../plane.ts'
import { awsWorld, BUCKET } from './aws-world.ts'
import type { AwsWorld } from './aws-world.ts'

/** Everything that an agent can read; `changes` replaces texts of it. */
async function doctor(world: AwsWorld, ...changes: readonly (readonly [string, string])[]) {
  const { urls } = world.sim
  await mkdir(join(world.folder, 'docs'), { recursive: true })
  await writeFile(join(world.folder, 'docs/a.md'), 'a')
  await writeFile(join(world.folder, 'orders.csv'), 'id\n1\n')
  const config = `
guard: {profiles: {balanced: {managed: off}}}
targets: {vllm: {provider: openai-compatible, place: {cloud: local, region: local}, endpoint: http://127.0.0.1:9, model: m}}
aliases: {chat: {targets: [vllm]}}
dataPlane:
  jwksUrl: http://127.0.0.1:9/jwks
  data: state
  aws:
    keys: {accessKeyId: {env: AGENT_KEY}, secretAccessKey: {env: AGENT_SECRET}}
    endpoints: {s3: '${urls.s3}', sqs: '${urls.sqs}', glue: '${urls.glue}', athena: '${urls.athena}', bedrock: '${urls.bedrock}'}
  embedding: {model: 'amazon.titan-embed-text-v2:0'}
  rerank: {}
  collections:
    files: {folder: docs}
    lake: {s3: {bucket: ${BUCKET}, prefix: docs/, queue: '${urls.sqs}/123456789012/events', job: {name: prepare}}}
  queries:
    local: {sql: SELECT id FROM orders, duckdb: {tables: {orders: {path: orders.csv}}}}
    cloud: {sql: SELECT 1, athena: {database: sales}}
`
  const file = join(world.folder, 'thinplane.yaml')
  await writeFile(
    file,
    changes.reduce((text, [from, to]) => text.replace(from, to), config),
  )
  const env = { ...process.env, AGENT_KEY: world.sim.accessKeyId, AGENT_SECRET: world.sim.secretAccessKey }
  return await new Promise<{ status: number; text: string }>((resolve) => {
    execFile(process.execPath, ['thinplane.mjs', 'doctor', file, '--agent'], { env, cwd: ROOT }, (error, out, err) => {
      resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, text: out + err })
    })
  })
}

async function world(t: Parameters<typeof awsWorld>[0]): Promise<AwsWorld> {
  const made = await awsWorld(t)
  made.put('docs/a.md', 'a')
  made.sim.queues.create('events')
  made.sim.jobs.onJob('prepare', { runMs: 1, run: () => undefined })
  made.sim.catalogue.createDatabase('sales')
  return made
}

test('the doctor walks what the agent reads, and starts nothing', { skip: skipWithoutIndex }, async (t) => {
  const own = await world(t)
  const { status, text } = await doctor(own)
  assert.equal(status, 0, text)
  assert.match(
    text,
    /dataPlane\.collections\.lake: s3:\/\/lake\/docs\/\n {2}ok {7}list {13}its first document can be had\n/,
  )
  assert.match(text, /ok {7}queue {12}some 0 messages wait; it has no dead-letter queue\n/)
  assert.match(text, /ok {7}job {14}it has never run\n/)
  assert.match(text, /6 chains, all fine\n$/)
  assert.deepEqual(own.sim.jobs.runs('prepare'), [])
})

test('what is broken is named with its mend, and the rest is walked', { skip: skipWithoutIndex }, async (t) => {
  const { status, text } = await doctor(
    await world(t),
    [`bucket: ${BUCKET}`, 'bucket: nowhere'],
    ['job: {name: prepare}', 'job: {name: nothing}'],
    ['folder: docs', 'folder: nothing'],
    ['path: orders.csv', 'path: nothing.csv'],
    ['database: sales', 'database: sales, workgroup: nothing'],
    ['/events', '/nothing'],
  )
  assert.equal(status, 1, text)
  assert.match(
    text,
    /failed {3}list {13}it does not answer \(NoSuchBucket\)\n {11}mend: allow `s3:ListBucket` on `arn:aws:s3:::nowhere`/,
  )
  assert.match(text, /failed {3}list {13}it does not answer \(ENOENT\)\n {11}mend: look at `folder`/)
  assert.match(text, /failed {3}job .*EntityNotFoundException/)
  assert.match(text, /failed {3}queue .*(?:NonExistentQueue|QueueDoesNotExist)/)
  assert.match(text, /failed {3}run {14}the files of the table `orders` can not be read\n/)
  assert.match(text, /failed {3}run {14}.*(?:Athena|workgroup).*\n/)
  assert.match(text, /ok {7}ask {14}it answers/)
  assert.match(text, /6 chains, 4 broken\n$/)
})
