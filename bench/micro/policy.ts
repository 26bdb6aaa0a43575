import { fileURLToPath } from 'node:url'
import type { Ask } from '#contract/ask.ts'
import type { Principal } from '#contract/principal.ts'
import type { Alias } from '#contract/target.ts'
import { createPolicyEngine } from '#policy/engine.ts'
import { loadPolicies } from '#policy/load.ts'
import { permit } from '#policy/permit.ts'
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
  rest: {},
}

/** A decision that was made before, and one that the engine has to make. */
export async function benchPolicy(): Promise<MicroResult[]> {
  const engine = await createPolicyEngine(await loadPolicies(fileURLToPath(new URL('../../policies', import.meta.url))))
  const alias: Alias = { name: 'bench', targets: ['t'], collections: [], topK: 6, residency: '' }
  const deps = {
    engine,
    aliases: new Map([['bench', alias]]),
    collections: new Set<string>(),
    profiles: ['strict', 'balanced'],
    defaultProfile: 'balanced',
    jurisdiction: () => '',
  }
  const known = callerOf('known')
  return [
    measure({
      name: 'permit, cached',
      unit: 'decision',
      protects: PROTECTS,
      operations: 100_000,
      run: () => permit(deps, known, ASK).policies,
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
