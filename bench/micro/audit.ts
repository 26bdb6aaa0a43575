import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalJson } from '#kit/canonical-json.ts'
import { openAuditLog } from '#record/log.ts'
import { type MicroResult, resultOf } from './measure.ts'

const WRITERS = [1, 64, 256] as const
const REPEATS = 5
const REPEAT_MS = 400

/** About what one request leaves: 1.6 KB. */
function entryOf(index: number): object {
  const crossing = {
    layer: 'inference',
    spanId: '0123456789abcdef',
    from: 'azure:eastus',
    to: 'gcp:us-east4',
    host: 'model.example.com',
    status: 200,
  }
  return {
    v: 1,
    id: `req-${index}`,
    traceId: '0'.repeat(32),
    atEpochMs: 1_764_000_000_000 + index,
    outcome: 'answered',
    principal: {
      subject: 'cccccccc-0000-4000-8000-000000000003',
      tenant: '11111111-2222-4333-8444-555555555555',
      kind: 'app',
      roles: ['developer'],
    },
    findings: [{ type: 'EMAIL_ADDRESS', action: 'redact', count: 1, where: 'prompt' }],
    usage: { input: 260, cachedRead: 0, cachedWrite: 0, output: 170, reasoning: 0 },
    crossings: [
      {
        ...crossing,
        bytesOut: 2100,
        bytesIn: 1300,
        firstByteMs: 1.234,
        ms: 2.345,
        egressMicroUsd: 0.42,
        error: '',
        atEpochMs: 1_764_000_000_000,
      },
    ],
    stages: Array.from({ length: 9 }, (_, stage) => ({
      stage: `stage-${stage}`,
      place: 'azure:eastus',
      startMs: stage * 0.1,
      ms: 0.123,
    })),
  }
}

/** Entries made durable one after the other by each of so many writers: what a group commit shares. */
export async function benchAudit(parent: string): Promise<MicroResult[]> {
  const results: MicroResult[] = []
  for (const writers of WRITERS) {
    const folder = await mkdtemp(join(parent, 'audit-'))
    const log = await openAuditLog(folder)
    const repeats: number[] = []
    let next = 0
    for (let repeat = 0; repeat <= REPEATS; repeat += 1) {
      const started = performance.now()
      const before = next
      const write = async (): Promise<void> => {
        while (performance.now() - started < REPEAT_MS) await log.append(canonicalJson(entryOf((next += 1))))
      }
      await Promise.all(Array.from({ length: writers }, write))
      if (repeat > 0) repeats.push(((performance.now() - started) * 1000) / (next - before))
    }
    await log.close()
    await rm(folder, { recursive: true })
    results.push(
      resultOf(
        {
          name: `audit append, ${writers} ${writers === 1 ? 'writer' : 'writers'}`,
          unit: 'entry',
          protects: 'synced entries must not be what limits',
        },
        repeats,
      ),
    )
  }
  return results
}
