import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Entry } from '#contract/entry.ts'
import type { Alias } from '#contract/target.ts'
import { createPolicyEngine } from './engine.ts'
import { loadPolicies } from './load.ts'
import { createClock } from './moment.ts'
import type { TargetFacts } from './question.ts'
import { type Replayed, replayEntry } from './replay.ts'

const ALL = '@id("all") permit (principal, action, resource);'
const CHAT = {
  name: 'chat',
  targets: ['us', 'eu'],
  collections: [],
  residency: '',
  purpose: '',
  tags: [],
  usdPerCallerAndDay: 1,
} as unknown as Alias

function target(name: string, jurisdiction: string): TargetFacts {
  return { name, cloud: 'aws', region: name, jurisdiction, provider: 'bedrock', tags: [], simulated: false }
}

function entry(changes: object = {}): Entry {
  return {
    alias: 'chat',
    atEpochMs: Date.UTC(2026, 10, 24, 10),
    dialect: 'openai-chat',
    findings: [],
    outcome: 'answered',
    target: 'us',
    principal: {
      subject: 'ada',
      tenant: 't',
      kind: 'user',
      roles: ['developer'],
      groups: ['g1'],
      groupCount: 1,
      via: 'entra',
      client: '',
      credentialId: '',
      agent: undefined,
    },
    policy: {
      policies: ['all'],
      guardProfile: 'balanced',
      forbidden: [],
      collections: [],
      purpose: '',
      jurisdictions: undefined,
      retentionDays: undefined,
      logging: 'standard',
    },
    ...changes,
  } as unknown as Entry
}

async function replay(policies: string, recorded: Entry): Promise<Replayed> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-replay-'))
  try {
    await writeFile(join(folder, 'a.cedar'), policies)
    const engine = await createPolicyEngine(await loadPolicies([folder]))
    return replayEntry(
      {
        engine,
        aliases: new Map([['chat', CHAT]]),
        collections: new Map(),
        targets: new Map(['us', 'eu'].map((name) => [name, target(name, name.toUpperCase())])),
        guards: { profiles: ['strict', 'balanced'], defaultProfile: 'balanced' },
        clock: createClock('UTC'),
        budget: () => 'over',
      },
      recorded,
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}

const forbidUs = `${ALL} @id("eu") @reason("stay") forbid (principal, action == Thinplane::Action::"release", resource) when { context.classes.contains("contact") && resource.jurisdiction == "US" };`
const found = [{ type: 'EMAIL_ADDRESS', action: 'redact', count: 1, where: 'prompt' }]
const spoken = [{ ...found[0], where: 'answer' }]

const cases: readonly (readonly [what: string, policies: string, recorded: Entry, expected: Replayed])[] = [
  ['the same policies', ALL, entry(), { outcome: 'same' }],
  ['a rule about findings, without findings', forbidUs, entry(), { outcome: 'same' }],
  ['a finding in the answer is not in the prompt', forbidUs, entry({ findings: spoken }), { outcome: 'same' }],
  [
    'a rule about findings, with one',
    forbidUs,
    entry({ findings: found }),
    { outcome: 'changed', how: 'not to us, which answered; forbidden targets: none -> us', policies: ['all'] },
  ],
  [
    'a stricter guard',
    `${ALL} @id("g") @guard("strict") @retention("7") permit (principal, action == Thinplane::Action::"oblige", resource);`,
    entry(),
    {
      outcome: 'changed',
      how: 'guard balanced -> strict; retention unbound -> 7 days',
      policies: ['all', 'g'],
    },
  ],
  [
    'a role that is no longer enough',
    '@id("admins") permit (principal in Thinplane::Role::"admin", action, resource);',
    entry(),
    { outcome: 'refused', how: 'model `chat`: no policy permits it', policies: [] },
  ],
  [
    'the hour of then and the budget of then',
    `${ALL} @id("late") @reason("later") forbid (principal, action == Thinplane::Action::"use", resource) when { context.time.hour == 10 && context.budget == "over" };`,
    entry(),
    { outcome: 'refused', how: 'model `chat`: later', policies: ['late'] },
  ],
  [
    'a refusal that would be none',
    ALL,
    entry({ outcome: 'denied', target: '' }),
    { outcome: 'permitted', how: 'targets us, eu', policies: ['all'] },
  ],
  [
    'a caller nobody knew',
    ALL,
    entry({ principal: undefined }),
    { outcome: 'unknown', why: 'the caller was not identified' },
  ],
  [
    'a model that is gone',
    ALL,
    entry({ alias: 'old' }),
    { outcome: 'unknown', why: 'there is no model `old` any more' },
  ],
  [
    'groups that the trail does not list',
    'permit (principal in Thinplane::Group::"g9", action, resource);',
    entry({ principal: { ...entry().principal, groupCount: 60 } }),
    { outcome: 'unknown', why: "the trail lists 1 of the caller's 60 groups" },
  ],
  [
    'a pseudonym where the policy reads the name',
    'permit (principal, action, resource) when { principal.subject == "ada" };',
    entry({ principal: { ...entry().principal, subject: 'p-0123' } }),
    { outcome: 'unknown', why: 'the caller stands in the trail under a pseudonym' },
  ],
]

for (const [what, policies, recorded, expected] of cases) {
  test(`replay: ${what}`, async () => {
    assert.deepEqual(await replay(policies, recorded), expected)
  })
}
