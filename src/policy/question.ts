import type { CedarValueJson, Context, EntityJson, EntityUidJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { Principal } from '#contract/principal.ts'
import type { Classification } from './classes.ts'
import type { Moment } from './moment.ts'
import type { Action } from './schema.ts'

/** One question to the engine: the facts of one request, as the schema names them. */
export interface Question {
  readonly principal: Principal
  readonly action: Action
  readonly resource: {
    readonly type: 'Alias' | 'Collection' | 'Target'
    readonly id: string
    readonly attributes: Readonly<Record<string, CedarValueJson>>
  }
  readonly context: Context
}

/** What both answers of policy depend on beside the caller. */
export interface RequestFacts {
  readonly alias: AliasFacts
  readonly dialect: string
  /** What the caller said it is for, else what the alias is for. */
  readonly purpose: string
  readonly collections: readonly CollectionFacts[]
  readonly moment: Moment
  /** State of the caller's budget for the alias. */
  readonly budget: BudgetState
}

/** `none`: the alias has no budget. `near`: over four fifths are spent. */
export type BudgetState = 'none' | 'under' | 'near' | 'over'

export interface AliasFacts {
  readonly name: string
  readonly residency: string
  readonly tags: readonly string[]
}

export interface CollectionFacts {
  readonly name: string
  readonly labels: readonly string[]
}

export interface TargetFacts {
  readonly name: string
  readonly cloud: string
  readonly region: string
  readonly jurisdiction: string
  readonly provider: string
  readonly tags: readonly string[]
  readonly simulated: boolean
}

export function aliasQuestion(principal: Principal, action: 'use' | 'oblige', facts: RequestFacts): Question {
  const { alias, dialect, purpose, moment, budget } = facts
  return {
    principal,
    action,
    resource: { type: 'Alias', id: alias.name, attributes: { residency: alias.residency, tags: [...alias.tags] } },
    context: { dialect, purpose, labels: [...labelsOf(facts)], time: timeOf(moment), budget },
  }
}

export function groundQuestion(principal: Principal, collection: CollectionFacts, facts: RequestFacts): Question {
  return {
    principal,
    action: 'ground',
    resource: { type: 'Collection', id: collection.name, attributes: { labels: [...collection.labels] } },
    context: { alias: facts.alias.name, purpose: facts.purpose, time: timeOf(facts.moment) },
  }
}

export function releaseQuestion(
  principal: Principal,
  target: TargetFacts,
  text: Classification,
  facts: RequestFacts,
): Question {
  const { name, cloud, region, jurisdiction, provider, tags, simulated } = target
  const { alias, purpose, collections, moment, budget } = facts
  return {
    principal,
    action: 'release',
    resource: {
      type: 'Target',
      id: name,
      attributes: { cloud, region, jurisdiction, provider, tags: [...tags], simulated },
    },
    context: {
      alias: alias.name,
      residency: alias.residency,
      purpose,
      grounded: collections.length > 0,
      labels: [...labelsOf(facts)],
      findings: [...text.findings],
      classes: [...text.classes],
      remaining: [...text.remaining],
      time: timeOf(moment),
      budget,
    },
  }
}

function labelsOf({ collections }: RequestFacts): Set<string> {
  return new Set(collections.flatMap(({ labels }) => labels))
}

function timeOf({ epochMs, hour, weekday }: Moment): CedarValueJson {
  return { now: { __extn: { fn: 'datetime', arg: new Date(epochMs).toISOString() } }, hour, weekday }
}

/** The question in the engine's own form, without policies and schema. */
export function callOf({ principal, action, resource, context }: Question): {
  principal: EntityUidJson
  action: EntityUidJson
  resource: EntityUidJson
  context: Context
  entities: EntityJson[]
} {
  return {
    principal: uid('Caller', callerId(principal)),
    action: uid('Action', action),
    resource: uid(resource.type, resource.id),
    context: { ...context },
    entities: entitiesOf(principal, resource),
  }
}

function uid(type: string, id: string): { readonly type: string; readonly id: string } {
  return { type: `Thinplane::${type}`, id }
}

function callerId(principal: Principal): string {
  return `${principal.tenant}/${principal.subject}`
}

function entitiesOf(principal: Principal, resource: Question['resource']): EntityJson[] {
  const parents = [
    ...principal.roles.map((role) => uid('Role', role)),
    ...principal.groups.map((group) => uid('Group', group)),
  ]
  return [
    {
      uid: uid('Caller', callerId(principal)),
      attrs: {
        tenant: principal.tenant,
        subject: principal.subject,
        kind: principal.kind,
        via: principal.via,
        client: principal.client ?? '',
        agent: principal.agent !== undefined,
      },
      parents,
    },
    ...parents.map((parent) => ({ uid: parent, attrs: {}, parents: [] })),
    { uid: uid(resource.type, resource.id), attrs: { ...resource.attributes }, parents: [] },
  ]
}
