import type { Principal } from '#contract/principal.ts'
import type { FindingCount, GuardAction } from '#contract/screened.ts'
import type { Entry } from '#contract/entry.ts'
import { loadConfig } from '#config/load.ts'
import { SOME_AGENT } from '#policy/cases.ts'
import { classify } from '#policy/classes.ts'
import { decideFirst, decideSecond, groundedOn } from '#policy/decide.ts'
import { type PolicyReason, explainQuestion } from '#policy/explain.ts'
import { recordedPrincipal } from '#policy/replay.ts'
import {
  type BudgetState,
  type Question,
  type RequestFacts,
  aliasQuestion,
  groundQuestion,
  releaseQuestion,
} from '#policy/question.ts'
import { type Given, WrongUsage } from './command.ts'
import { type PolicySetup, setUpPolicy } from './policy-setup.ts'
import { findRequest } from './trail-entries.ts'

interface Asked {
  readonly principal: Principal
  readonly facts: RequestFacts
  readonly found: readonly FindingCount[]
}

interface Explained {
  readonly question: string
  readonly decision: string
  readonly policies: readonly PolicyReason[]
}

/** `thinplane policy explain`: which policies decided about a request, and which condition of the others failed. */
export async function explainCommand(given: Given): Promise<number> {
  const loaded = await loadConfig(given.text('config') ?? 'thinplane.yaml')
  const setup = await setUpPolicy(loaded)
  const id = given.text('request')
  const asked =
    id === undefined
      ? askedOf(setup, given)
      : askedBy(setup, await findRequest(given.text('data') ?? loaded.resolve(loaded.config.data), id))
  const explained = await explain(setup, asked)
  process.stdout.write(given.flag('json') ? `${JSON.stringify(explained)}\n` : explained.map(show).join('\n'))
  return explained.some(({ decision }) => decision.startsWith('refused')) ? 1 : 0
}

async function explain(setup: PolicySetup, { principal, facts, found }: Asked): Promise<Explained[]> {
  const { engine, guards } = setup
  const policies = [...engine.policies.values()]
  const explained: Explained[] = []
  const add = async (question: string, decision: string, asks: Question): Promise<void> => {
    explained.push({ question, decision, policies: await explainQuestion(policies, asks) })
  }
  const first = decideFirst(engine, guards, principal, facts)
  const use = engine.decide(aliasQuestion(principal, 'use', facts))
  await add(`use model ${facts.alias.name}`, verdict(use.allow), aliasQuestion(principal, 'use', facts))
  if (!use.allow) return explained
  for (const collection of facts.collections) {
    const question = groundQuestion(principal, collection, facts)
    await add(`ground on collection ${collection.name}`, verdict(engine.decide(question).allow), question)
  }
  if (first.refused !== undefined) return explained
  const { guardProfile, jurisdictions, retentionDays, logging } = first.obligations
  const obligations = [
    `guard ${guardProfile}`,
    jurisdictions === undefined ? '' : `jurisdictions ${jurisdictions.join(', ')}`,
    retentionDays === undefined ? '' : `retention ${retentionDays} days`,
    `logging ${logging}`,
  ]
  await add('oblige', obligations.filter((text) => text !== '').join(', '), aliasQuestion(principal, 'oblige', facts))
  const targets = (setup.aliases.get(facts.alias.name)?.targets ?? [])
    .map((name) => setup.targets.get(name))
    .filter((target) => target !== undefined)
  const text = classify(found)
  const answers = decideSecond(engine, principal, facts, first, text, targets)
  for (const [at, target] of targets.entries()) {
    const answer = answers[at]
    const decision = `${verdict(answer?.allow === true)}${answer?.reason === undefined ? '' : `: ${answer.reason}`}`
    await add(`release to target ${target.name}`, decision, releaseQuestion(principal, target, text, facts))
  }
  return explained
}

function verdict(allow: boolean): string {
  return allow ? 'permitted' : 'refused'
}

function show({ question, decision, policies }: Explained): string {
  const rows = policies.map(({ id, file, line, effect, applies, scope, conditions }) => {
    const head = `  ${applies ? '●' : '○'} ${effect.padEnd(6)} ${id}  (${file}:${line})`
    if (applies) return head
    if (!scope) return `${head}\n      ✖ not about this caller or resource`
    return [
      head,
      ...conditions
        .filter(({ holds }) => holds !== true)
        .map(({ text, holds }) => `      ✖ ${text}${holds === 'error' ? '  (could not be evaluated)' : ''}`),
    ].join('\n')
  })
  return `${question}: ${decision}\n${rows.join('\n')}\n`
}

function askedOf(setup: PolicySetup, given: Given): Asked {
  const name = given.text('alias')
  if (name === undefined) throw new WrongUsage('name a request of the trail with --request, or a model with --alias')
  const alias = setup.aliases.get(name)
  if (alias === undefined)
    throw new Error(`there is no model \`${name}\`, choose one of ${[...setup.aliases.keys()].join(', ')}`)
  const at = Date.parse(given.text('at') ?? new Date().toISOString())
  if (Number.isNaN(at)) throw new WrongUsage('--at takes a time such as 2026-11-25T10:00:00Z')
  const kind = oneOf(given, 'kind', ['user', 'app', 'key'] as const) ?? 'user'
  return {
    principal: {
      subject: given.text('subject') ?? 'someone',
      tenant: given.text('tenant') ?? '',
      kind,
      roles: words(given, 'roles'),
      groups: words(given, 'groups'),
      client: undefined,
      via: '',
      credentialId: '',
      agent: given.flag('agent') ? SOME_AGENT : undefined,
    },
    facts: {
      alias,
      dialect: 'openai-chat',
      purpose: given.text('purpose') ?? alias.purpose,
      collections: groundedOn(alias.collections, words(given, 'collections'), setup.collections),
      moment: setup.clock(at),
      budget: oneOf(given, 'budget', ['none', 'under', 'near', 'over'] as const) ?? 'none',
    },
    found: words(given, 'found').map((text) => findingOf(text)),
  }
}

const ACTIONS: readonly GuardAction[] = ['allow', 'flag', 'redact', 'mask', 'block']

function findingOf(text: string): FindingCount {
  const [type = '', named = 'redact'] = text.split('=')
  const action = ACTIONS.find((each) => each === named)
  if (action === undefined)
    throw new WrongUsage(`--found takes TYPE or TYPE=ACTION, with an action of ${ACTIONS.join(', ')}`)
  return { type, action, count: 1, where: 'prompt' }
}

function oneOf<T extends string>(given: Given, name: string, allowed: readonly T[]): T | undefined {
  const value = given.text(name)
  const found = allowed.find((each) => each === value)
  if (value !== undefined && found === undefined) throw new WrongUsage(`--${name} is one of ${allowed.join(', ')}`)
  return found
}

function words(given: Given, name: string): string[] {
  return (given.text(name) ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

/** The same request asked again, of the policies as they are now. */
function askedBy(setup: PolicySetup, entry: Entry): Asked {
  const { principal } = entry
  const alias = setup.aliases.get(entry.alias)
  if (principal === undefined) throw new Error('the caller of this request was not identified, so policy was not asked')
  if (alias === undefined) throw new Error(`there is no model \`${entry.alias}\` in this configuration`)
  const collections = entry.policy.collections.length > 0 ? entry.policy.collections : alias.collections
  const budget: BudgetState = alias.usdPerCallerAndDay === undefined ? 'none' : 'under'
  return {
    principal: recordedPrincipal(principal),
    facts: {
      alias,
      dialect: entry.dialect,
      purpose: entry.policy.purpose === '' ? alias.purpose : entry.policy.purpose,
      collections: groundedOn(collections, [], setup.collections),
      moment: setup.clock(entry.atEpochMs),
      budget,
    },
    found: entry.findings,
  }
}
