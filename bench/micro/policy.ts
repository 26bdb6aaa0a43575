import { fileURLToPath } from 'node:url'
import type { Ask } from '#contract/ask.ts'
import type { Principal } from '#contract/principal.ts'
import type { FindingCount } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import { testAlias } from '#contract/test-alias.ts'
import { createPolicyEngine } from '#policy/engine.ts'
import { loadPolicies } from '#policy/load.ts'
import { createClock } from '#policy/moment.ts'
import { openPolicy, permit, release } from '#policy/permit.ts'
import { type MicroResult, measure } from './measure.ts'

const PROTECTS = 'policy is asked twice a request and must not be felt'
const ASK: Ask = {
  dialect: 'openai-chat',
  alias: 'bench',
  stream: false,
  messages: [],
  tools: [],
  toolChoice: undefined,
  sampling: {},
  includeUsage: false,
  ground: undefined,
  conversation: undefined,
  purpose: undefined,
  rest: {},
}

/** A decision that was made before, and one that the engine has to make. */
export async function benchPolicy(): Promise<MicroResult[]> {
  const engine = await createPolicyEngine(
    await loadPolicies([fileURLToPath(new URL('../../policies', import.meta.url))]),
  )
  const alias = testAlias({ name: 'bench', targets: ['t'] })
  const deps = openPolicy({
    engine,
    aliases: new Map([['bench', alias]]),
    collections: new Map(),
    guards: { profiles: ['strict', 'balanced'], defaultProfile: 'balanced' },
    jurisdiction: () => '',
    planes: [],
    clock: createClock('UTC'),
    nowEpochMs: Date.now,
    budget: () => 'none',
  })
  const known = callerOf('known')
  const granted = permit(deps, known, ASK)
  return [
    measure({
      name: 'permit, cached',
      unit: 'decision',
      protects: PROTECTS,
      operations: 100_000,
      run: () => permit(deps, known, ASK).policies,
    }),
    measure({
      name: 'release, cached',
      unit: 'decision',
      protects: PROTECTS,
      operations: 100_000,
      run: () => release(deps, known, granted, { found: FOUND, targets: [TARGET] }).targets,
    }),
    measure({
      name: 'permit, asked of the engine',
      unit: 'decision',
      protects: 'first request of a caller after a reload',
      operations: 1000,
      run: () => permit(deps, callerOf(`caller-${(number += 1)}`), ASK).policies,
    }),
  ]
}

const FOUND: readonly FindingCount[] = [
  { type: 'EMAIL_ADDRESS', action: 'redact', count: 1, where: 'prompt' },
  { type: 'PHONE_NUMBER', action: 'redact', count: 2, where: 'prompt' },
]
const TARGET: Target = {
  name: 't',
  provider: 'openai-compatible',
  place: { cloud: 'gcp', region: 'us-east4' },
  endpoint: 'http://127.0.0.1:9',
  model: 'm',
  credential: { kind: 'none' },
  price: { usdPerMillionInput: 0, usdPerMillionCachedInput: 0, usdPerMillionOutput: 0, source: 'none', isKnown: true },
  deadlines: { connectMs: 1, firstTokenMs: 1, idleMs: 1, totalMs: 1 },
  simulated: true,
  tags: [],
  jurisdiction: undefined,
}

let number = 0

function callerOf(subject: string): Principal {
  return {
    subject,
    tenant: 't',
    kind: 'app',
    roles: ['developer'],
    groups: [],
    client: undefined,
    via: 'entra',
    credentialId: subject,
  }
}
