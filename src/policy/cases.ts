import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import type { Agent, Principal } from '#contract/principal.ts'
import type { FindingCount } from '#contract/screened.ts'
import { classify } from './classes.ts'
import { decideFirst, decideSecond, groundedOn, reasonOf } from './decide.ts'
import { type PolicyEngine, createPolicyEngine } from './engine.ts'
import { loadPolicies } from './load.ts'
import { createClock } from './moment.ts'
import type { CollectionFacts, RequestFacts, TargetFacts } from './question.ts'

/*
 * Tests of policies: a YAML table of requests and what should be decided about them. One file beside the policies,
 * `*.cases.yaml`; docs/policy.md describes it.
 */

const words = z.array(z.string()).default([])

const Caller = z.strictObject({
  subject: z.string().default('someone'),
  tenant: z.string().default('tenant'),
  kind: z.enum(['user', 'app', 'key']).default('user'),
  roles: words,
  groups: words,
  client: z.string().optional(),
  via: z.string().default('entra'),
  agent: z.boolean().default(false),
})

const Expected = z.strictObject({
  decision: z.enum(['permit', 'refuse']),
  by: z.array(z.string()).optional(),
  reason: z.string().optional(),
  targets: z.array(z.string()).optional(),
  forbidden: z.record(z.string(), z.string()).optional(),
  guard: z.string().optional(),
  jurisdictions: z.array(z.string()).optional(),
  retentionDays: z.int().optional(),
  logging: z.enum(['standard', 'pseudonymous']).optional(),
  cache: z.enum(['none', 'caller', 'tenant']).optional(),
})

const Case = z.strictObject({
  name: z.string().min(1),
  caller: z.union([z.string(), Caller]),
  alias: z.string(),
  dialect: z.enum(['openai-chat', 'anthropic-messages']).default('openai-chat'),
  purpose: z.string().default(''),
  collections: words,
  at: z.iso.datetime({ offset: true }).default('2026-01-05T12:00:00Z'),
  budget: z.enum(['none', 'under', 'near', 'over']).default('none'),
  found: z.record(z.string(), z.enum(['allow', 'flag', 'redact', 'mask', 'block'])).default({}),
  expect: Expected,
})

const CaseFile = z.strictObject({
  load: z.array(z.string()).default(['.']),
  timeZone: z.string().default('UTC'),
  guards: z.array(z.string()).min(1).default(['strict', 'balanced']),
  callers: z.record(z.string(), Caller).default({}),
  aliases: z.record(z.string(), z.strictObject({ residency: z.string().default(''), tags: words })),
  collections: z.record(z.string(), z.strictObject({ labels: words })).default({}),
  targets: z.record(
    z.string(),
    z.strictObject({
      cloud: z.enum(['azure', 'aws', 'gcp', 'local']),
      region: z.string(),
      jurisdiction: z.string().optional(),
      provider: z.string().default('openai-compatible'),
      tags: words,
      simulated: z.boolean().default(false),
    }),
  ),
  cases: z.array(Case).min(1),
})

type CaseFile = z.infer<typeof CaseFile>
type Case = z.infer<typeof Case>

export interface CaseResult {
  readonly name: string
  /** What differs from what was expected; empty when nothing does. */
  readonly differences: readonly string[]
}

export interface CaseFileResult {
  readonly file: string
  readonly results: readonly CaseResult[]
  /** Policies of the file's own folder that decided or obliged in no case: untested. */
  readonly untested: readonly string[]
}

/**
 * Runs one file of cases. `jurisdiction` says where a place lies when a target does not.
 * @throws when the file can not be read or its policies can not be used.
 */
export async function runCases(file: string, jurisdiction: (place: Place) => string): Promise<CaseFileResult> {
  const checked = CaseFile.safeParse(parse(await readFile(file, 'utf8')))
  if (!checked.success) throw new Error(`${file}: ${z.prettifyError(checked.error)}`)
  const table = checked.data
  const folders = table.load.map((folder) => resolve(dirname(file), folder))
  const loaded = await loadPolicies(folders)
  const engine = await createPolicyEngine(loaded)
  const used = new Set<string>()
  const results = table.cases.map((each) => ({
    name: each.name,
    differences: runCase(engine, table, each, jurisdiction, used),
  }))
  const own = await loadPolicies(folders.slice(0, 1))
  return { file, results, untested: [...own.policies.keys()].filter((id) => !used.has(id)) }
}

function runCase(
  engine: PolicyEngine,
  table: CaseFile,
  each: Case,
  jurisdiction: (place: Place) => string,
  used: Set<string>,
): string[] {
  const alias = table.aliases[each.alias]
  if (alias === undefined) return [`there is no alias \`${each.alias}\` in the file`]
  const caller = typeof each.caller === 'string' ? table.callers[each.caller] : each.caller
  if (caller === undefined) return ['the file has no caller of this name']
  const principal = principalOf(caller)
  const collections = new Map(
    Object.entries(table.collections).map(([name, { labels }]): [string, CollectionFacts] => [name, { name, labels }]),
  )
  const guards = { profiles: table.guards, defaultProfile: table.guards.at(-1) ?? '' }
  const facts: RequestFacts = {
    alias: { name: each.alias, ...alias },
    dialect: each.dialect,
    purpose: each.purpose,
    collections: groundedOn(each.collections, [], collections),
    moment: createClock(table.timeZone)(Date.parse(each.at)),
    budget: each.budget,
  }
  const first = decideFirst(engine, guards, principal, facts)
  for (const id of first.policies) used.add(id)
  const { expect } = each
  if (first.refused !== undefined) {
    return differences([
      ['decision', expect.decision, 'refuse'],
      ['by', expect.by?.toSorted(), [...first.policies].toSorted()],
      ['reason', expect.reason, reasonOf(first.refused.decision) ?? ''],
    ])
  }
  const answers = decideSecond(
    engine,
    principal,
    facts,
    first,
    classify(foundOf(each)),
    Object.entries(table.targets).map(([name, target]): TargetFacts => {
      const { cloud, region } = target
      return { ...target, name, jurisdiction: target.jurisdiction ?? jurisdiction({ cloud, region }) }
    }),
  )
  for (const answer of answers) for (const id of answer.policies) used.add(id)
  const targets = answers.filter(({ allow }) => allow).map(({ target }) => target)
  const forbidding = answers.filter(({ allow }) => !allow)
  const isRefused = targets.length === 0
  return differences([
    ['decision', expect.decision, isRefused ? 'refuse' : 'permit'],
    ['by', expect.by?.toSorted(), isRefused ? (forbidding[0]?.policies ?? []) : [...first.policies].toSorted()],
    ['reason', expect.reason, isRefused ? (forbidding[0]?.reason ?? '') : ''],
    ['targets', expect.targets?.toSorted(), targets.toSorted()],
    ['guard', expect.guard, first.obligations.guardProfile],
    ['jurisdictions', expect.jurisdictions?.toSorted(), first.obligations.jurisdictions ?? []],
    ['retentionDays', expect.retentionDays, first.obligations.retentionDays],
    ['logging', expect.logging, first.obligations.logging],
    ['cache', expect.cache, first.obligations.cache],
    ...Object.entries(expect.forbidden ?? {}).map(([target, id]): Compared => {
      const policies = forbidding.find((answer) => answer.target === target)?.policies ?? []
      return [`forbidden.${target}`, id, policies.includes(id) ? id : policies.join(', ') || 'nothing']
    }),
  ])
}

type Compared = readonly [what: string, expected: unknown, actual: unknown]

/** What was expected and is otherwise; what was not expected is not compared. */
function differences(compared: readonly Compared[]): string[] {
  return compared
    .filter(([, expected, actual]) => expected !== undefined && JSON.stringify(expected) !== JSON.stringify(actual))
    .map(([what, expected, actual]) => `${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`)
}

/** Policies read that an agent acts, not which facets it has. */
export const SOME_AGENT: Agent = { actor: [], subject: [], tenant: [], blueprint: '', relation: [] }

function principalOf({ agent, client, ...rest }: z.infer<typeof Caller>): Principal {
  const principal = { ...rest, client, credentialId: '' }
  return agent ? { ...principal, agent: SOME_AGENT } : principal
}

function foundOf({ found }: Case): FindingCount[] {
  return Object.entries(found).map(([type, action]) => ({ type, action, count: 1, where: 'prompt' }))
}
