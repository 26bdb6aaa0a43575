import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { type Border, openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import type { Credential } from '#contract/crossing.ts'
import { canonicalJson } from '#kit/canonical-json.ts'
import { Secret } from '#kit/secret.ts'
import { openAuditLog } from '#record/log.ts'
import { azureMonitor } from '#record/ship/azure-monitor.ts'
import { objectLock } from '#record/ship/object-lock.ts'
import { type Sink, startShipper } from '#record/ship/shipper.ts'
import { type SimClouds, startSimClouds } from '#simclouds/start.ts'
import { ownTrip } from '#bin/own-trip.ts'

const VIRGINIA = { cloud: 'azure', region: 'eastus' } as const

interface Stand {
  readonly clouds: SimClouds
  readonly border: Border
  readonly ship: (sink: Sink, entries: number) => Promise<void>
}

async function withStand(body: (stand: Stand) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-shipping-'))
  const clouds = await startSimClouds({ latencyScale: 0 })
  const border = openBorder({ from: VIRGINIA, rules: DEFAULT_RULES, egressMicroUsd: () => 0 })
  const log = await openAuditLog(join(folder, 'audit'))
  try {
    await body({
      clouds,
      border,
      ship: async (sink, entries) => {
        for (let n = 0; n < entries; n += 1) await log.append(entry(log.size))
        const shipper = await startShipper({
          sink,
          audit: join(folder, 'audit'),
          progressFile: join(folder, `shipped-${sink.name}`),
          size: () => log.size,
          everyMs: 5,
          onProblem: () => undefined,
          sleep: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20))),
        })
        const deadline = Date.now() + 10_000
        while (shipper.shipped < log.size && Date.now() < deadline)
          await new Promise((resolve) => setTimeout(resolve, 5))
        assert.equal(shipper.shipped, log.size, shipper.problem)
        await shipper.close()
      },
    })
  } finally {
    await log.close()
    await border.close(100)
    await clouds.close()
    await rm(folder, { recursive: true })
  }
}

function entry(n: number): string {
  return canonicalJson({
    actor: { user: { uid: `user-${n}` } },
    class_uid: 6003,
    metadata: { tenant_uid: 't', uid: `req-${n}` },
    time: Date.UTC(2026, 10, 25) + n,
    trace: { uid: 'abc' },
    unmapped: { alias: 'chat', outcome: 'answered', text: 'x'.repeat(n % 3 === 0 ? 900 : 10) },
  })
}

async function monitorSink({ clouds, border }: Stand, ruleId = clouds.settings.logsIngestion.ruleId): Promise<Sink> {
  const token = await clouds.mintToken({ audience: 'https://monitor.azure.com', version: 1, roles: [] })
  const credential: Credential = {
    kind: 'header',
    header: 'authorization',
    prefix: 'Bearer ',
    secret: new Secret(token),
  }
  const options = {
    endpoint: clouds.urls['logs-ingestion'],
    ruleId,
    stream: 'Custom-ThinplaneAudit',
    place: VIRGINIA,
    credential,
  }
  return azureMonitor(options, border.cross, ownTrip)
}

test('Azure Monitor gets every entry compressed, in calls under 1 MB, through throttling and resets', () =>
  withStand(async (stand) => {
    const { clouds } = stand
    clouds.faults.set({ service: 'logs-ingestion', kind: 'throttle', retryAfterS: 0, count: 2 })
    clouds.faults.set({ service: 'logs-ingestion', kind: 'reset-before', count: 1 })
    await stand.ship(await monitorSink(stand), 2500)
    const calls = clouds.requests.last('logs-ingestion').filter(({ status }) => status === 204)
    assert.ok(calls.length >= 2)
    for (const { headers } of calls) {
      assert.equal(headers['content-encoding'], 'gzip')
      assert.ok(Number(headers['content-length']) < 100_000)
    }
  }))

test('rows carry the columns that the rule declares, and a rule that is not ours takes nothing', () =>
  withStand(async (stand) => {
    const sink = await monitorSink(stand)
    const good = await sink.send([{ index: 7, hash: 'ab', json: entry(7) }])
    assert.deepEqual(good, { outcome: 'done' })
    const foreign = await monitorSink(stand, `dcr-${'9'.repeat(32)}`)
    const refused = await foreign.send([{ index: 7, hash: 'ab', json: entry(7) }])
    assert.ok(refused.outcome === 'later')
    assert.match(refused.problem, /answered 403 OperationFailed$/)
  }))

function bucketSink({ clouds, border }: Stand, checkpoint?: string): Sink {
  return objectLock(
    {
      endpoint: `${clouds.urls.s3}/${clouds.settings.s3.bucket}`,
      prefix: 'trail',
      origin: 'log.example/a',
      retentionDays: 30,
      place: { cloud: 'aws', region: 'us-east-1' },
      credential: bucketCredential(clouds),
      nowEpochMs: Date.now,
      checkpoint: () => Promise.resolve(checkpoint),
    },
    border.cross,
    ownTrip,
  )
}

function bucketCredential({ settings: { s3 } }: SimClouds): Credential {
  return {
    kind: 'aws-sigv4',
    service: 's3',
    region: s3.region,
    accessKeyId: new Secret(s3.accessKeyId),
    secretAccessKey: new Secret(s3.secretAccessKey),
  }
}

test('S3 gets locked objects with every entry as it stands, and the checkpoint behind them', () =>
  withStand(async (stand) => {
    const { clouds } = stand
    const checkpoint = 'log.example/a\n40\nAAAA\n\n— x y\n'
    await stand.ship(bucketSink(stand, checkpoint), 40)
    const puts = clouds.requests.last('s3').filter(({ method }) => method === 'PUT')
    assert.deepEqual(puts.map(({ target }) => target.replace(/-[0-9a-f]{16}$/, '-…')).toSorted(), [
      '/simulated-archive/trail/log.example/a/checkpoints/000000000040-…',
      '/simulated-archive/trail/log.example/a/entries/000000000000-000000000039.ndjson',
    ])
    const got = await stand.border.cross(ownTrip(), {
      layer: 'archive',
      to: { cloud: 'aws', region: 'us-east-1' },
      method: 'GET',
      url: `${clouds.urls.s3}/simulated-archive/trail/log.example/a/entries/000000000000-000000000039.ndjson`,
      headers: {},
      credential: bucketCredential(clouds),
      connectMs: 1000,
      firstByteMs: 1000,
      idleMs: 1000,
      totalMs: 1000,
      maxAnswerBytes: 1_000_000,
    })
    assert.equal(got.headers['x-amz-object-lock-mode'], 'COMPLIANCE')
    const untilMs = Date.parse(got.headers['x-amz-object-lock-retain-until-date'] ?? '')
    assert.ok(Math.abs(untilMs - Date.now() - 30 * 86_400_000) < 60_000)
    const bytes: Uint8Array[] = []
    for await (const piece of got.body) bytes.push(piece)
    const lines = gunzipSync(Buffer.concat(bytes)).toString('utf8').trimEnd().split('\n')
    assert.deepEqual(
      lines,
      Array.from({ length: 40 }, (_, n) => entry(n)),
    )
  }))

test('a batch that comes again finds its object there, and a wrong key is waited out', () =>
  withStand(async (stand) => {
    const batch = [{ index: 0, hash: 'ab', json: entry(0) }]
    const sink = bucketSink(stand)
    assert.deepEqual(await sink.send(batch), { outcome: 'done' })
    assert.deepEqual(await sink.send(batch), { outcome: 'done' })
    assert.deepEqual(
      stand.clouds.requests.last('s3').map(({ status }) => status),
      [200, 412],
    )
    stand.clouds.faults.set({ service: 's3', kind: 'error', status: 503, retryAfterS: 9, count: 1 })
    assert.deepEqual(await sink.send([{ index: 1, hash: 'ab', json: entry(1) }]), {
      outcome: 'later',
      problem: `${new URL(stand.clouds.urls.s3).host} answered 503 SlowDown`,
      retryAfterMs: 9000,
    })
  }))

test('what can not be put in one field of Azure Monitor is left out whole, never cut', () =>
  withStand(async (stand) => {
    const long = canonicalJson({ metadata: { uid: 'req-1' }, time: 1, unmapped: { text: 'x'.repeat(61_000) } })
    const sink = await monitorSink(stand)
    assert.deepEqual(await sink.send([{ index: 0, hash: 'ab', json: long }]), { outcome: 'done' })
    const [call] = stand.clouds.requests.last('logs-ingestion')
    assert.ok(Number(call?.headers['content-length']) < 1000)
  }))
