import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { canonicalJson } from '#kit/canonical-json.ts'
import { type Spending, createSpend } from '#policy/spend.ts'
import { openAuditLog } from '#record/log.ts'
import { requestEvent } from '#record/ocsf.ts'
import type { Entry } from '#contract/entry.ts'
import { seedSpend } from './seed-spend.ts'

const NOON = Date.UTC(2026, 10, 25, 12)

function entry(atEpochMs: number, microUsd: number): string {
  const entry = {
    id: 'req-1',
    traceId: '',
    atEpochMs,
    ms: 1,
    status: 200,
    code: '',
    outcome: 'answered',
    dialect: 'openai-chat',
    alias: 'chat',
    target: '',
    peer: '',
    principal: {
      subject: 'ada',
      tenant: 't',
      kind: 'user',
      roles: [],
      groups: [],
      groupCount: 0,
      via: 'v',
      client: '',
      credentialId: '',
    },
    usage: { input: 0, cachedRead: 0, cachedWrite: 0, output: 0, reasoning: 0 },
    cost: { modelMicroUsd: microUsd, egressMicroUsd: 0 },
  } as unknown as Entry
  return canonicalJson(requestEvent(entry))
}

test('what was spent today is counted from the log, over segments, and nothing of yesterday or of now', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-seed-'))
  const log = await openAuditLog(folder, { segmentBytes: 3000 })
  try {
    for (let n = 0; n < 20; n += 1) await log.append(entry(NOON - 86_400_000 + n, 1_000_000))
    for (let n = 0; n < 30; n += 1) await log.append(entry(NOON - 3_600_000 + n, 10))
    const until = log.size
    await log.append(entry(NOON, 1_000_000))
    let sum = 0
    const spend = createSpend(() => NOON)
    const counted = {
      ...spend,
      entry: (spending: Spending) => {
        if (spending.atEpochMs >= NOON - 43_200_000) sum += spending.cost.modelMicroUsd
      },
    }
    await seedSpend(counted, folder, until, NOON)
    assert.equal(sum, 300)
    await seedSpend(counted, folder, 0, NOON)
    assert.equal(sum, 300)
  } finally {
    await log.close()
    await rm(folder, { recursive: true })
  }
})
