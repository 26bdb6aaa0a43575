import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type AuditLog, openAuditLog } from '#record/log.ts'
import type { Shipped } from './follow.ts'
import { type Sent, type Shipper, type Sink, startShipper } from './shipper.ts'

interface Stand {
  readonly log: AuditLog
  readonly start: (sink: Partial<Sink> & Pick<Sink, 'send'>) => Promise<Shipper>
  readonly progress: () => Promise<string>
  readonly problems: (string | undefined)[]
  /** Milliseconds that it waited, one for each time. */
  readonly waits: number[]
}

/** A log with small segments, and a shipper whose waiting takes no time. */
async function withStand(body: (stand: Stand) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-ship-'))
  const log = await openAuditLog(join(folder, 'audit'), { segmentBytes: 2000 })
  const shippers: Shipper[] = []
  const problems: (string | undefined)[] = []
  const waits: number[] = []
  try {
    await body({
      log,
      problems,
      waits,
      progress: () => readFile(join(folder, 'progress'), 'utf8'),
      start: async (sink) => {
        const shipper = await startShipper({
          sink: { name: 'test', maxBatchBytes: 500, ...sink },
          audit: join(folder, 'audit'),
          progressFile: join(folder, 'progress'),
          size: () => log.size,
          everyMs: 7,
          onProblem: (problem) => problems.push(problem),
          sleep: async (ms) => {
            waits.push(ms)
            await new Promise((resolve) => setImmediate(resolve))
          },
        })
        shippers.push(shipper)
        return shipper
      },
    })
  } finally {
    for (const shipper of shippers) await shipper.close()
    await log.close()
    await rm(folder, { recursive: true })
  }
}

async function fill(log: AuditLog, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n += 1) await log.append(`{"n":${n},"text":"${'ä'.repeat(n % 40)}"}`)
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000
  while (performance.now() < deadline) {
    if (condition()) return
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  assert.fail('it did not come to pass')
}

/** A sink that takes what it gets, or answers as it is told first. */
function keeping(answers: (Sent | Error)[] = []) {
  const batches: (readonly Shipped[])[] = []
  const send = (batch: readonly Shipped[]): Promise<Sent> => {
    const answer = answers.shift()
    if (answer instanceof Error) return Promise.reject(answer)
    if (answer !== undefined) return Promise.resolve(answer)
    batches.push(batch)
    return Promise.resolve({ outcome: 'done' })
  }
  const numbers = (): number[] => batches.flat().map(({ json }) => (JSON.parse(json) as { readonly n: number }).n)
  return { batches, send, numbers }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

test('every entry arrives once and in order, over segments, in batches of the size asked for', () =>
  withStand(async ({ log, start, progress }) => {
    await fill(log, 0, 100)
    const sink = keeping()
    const shipper = await start(sink)
    await until(() => shipper.shipped === 100)
    await fill(log, 100, 50)
    await until(() => shipper.shipped === 150)
    assert.deepEqual(sink.numbers(), upTo(150))
    assert.deepEqual(
      sink.batches.flat().map(({ index }) => index),
      upTo(150),
    )
    assert.ok(sink.batches.length > 10)
    for (const batch of sink.batches) {
      const bytes = batch.reduce((sum, { json }) => sum + Buffer.byteLength(json), 0)
      assert.ok(batch.length === 1 || bytes <= 500, `${bytes} bytes`)
    }
    assert.equal(await progress(), '150\n')
  }))

test('it goes on where it stopped', () =>
  withStand(async ({ log, start }) => {
    await fill(log, 0, 30)
    const first = keeping()
    const one = await start(first)
    await until(() => one.shipped === 30)
    await one.close()
    await fill(log, 30, 30)
    const second = keeping()
    const two = await start(second)
    await until(() => two.shipped === 60)
    assert.deepEqual(second.numbers(), upTo(60).slice(30))
  }))

test('a sink that fails is waited for, longer each time, as it asks, and nothing is lost', () =>
  withStand(async ({ log, start, problems, waits }) => {
    await fill(log, 0, 10)
    const later = (retryAfterMs?: number): Sent => ({ outcome: 'later', problem: 'busy', retryAfterMs })
    const sink = keeping([later(), later(), new Error('a fault of the sink'), later(60_000)])
    const shipper = await start(sink)
    await until(() => shipper.shipped === 10)
    assert.deepEqual(sink.numbers(), upTo(10))
    assert.deepEqual(waits.slice(0, 4), [1000, 2000, 4000, 60_000])
    assert.deepEqual(problems, ['busy', undefined])
  }))

test('a batch that is too large is halved, and one entry that is too large is waited for', () =>
  withStand(async ({ log, start }) => {
    await fill(log, 0, 40)
    const sizes: number[] = []
    const sink = keeping()
    const shipper = await start({
      send: (batch) => {
        sizes.push(batch.length)
        return batch.length > 2 ? Promise.resolve({ outcome: 'too-large', problem: 'too large' }) : sink.send(batch)
      },
    })
    await until(() => shipper.shipped === 40)
    assert.deepEqual(sink.numbers(), upTo(40))
    await shipper.close()
    const stuck = await start({ send: () => Promise.resolve({ outcome: 'too-large', problem: 'too large' }) })
    await fill(log, 40, 1)
    await until(() => stuck.problem === 'too large')
    assert.equal(stuck.shipped, 40)
  }))

test('a progress file that is damaged is said, not guessed', () =>
  withStand(async ({ log, start, progress }) => {
    await fill(log, 0, 1)
    const shipper = await start(keeping())
    await until(() => shipper.shipped === 1)
    await shipper.close()
    assert.equal(await progress(), '1\n')
    const folder = await mkdtemp(join(tmpdir(), 'thinplane-ship-'))
    const progressFile = join(folder, 'progress')
    await writeFile(progressFile, 'one')
    const options = { sink: { name: 't', maxBatchBytes: 1, ...keeping() }, audit: folder, progressFile, size: () => 0 }
    await assert.rejects(startShipper({ ...options, everyMs: 1, onProblem: () => undefined }), /does not say how far/)
    await rm(folder, { recursive: true })
  }))
