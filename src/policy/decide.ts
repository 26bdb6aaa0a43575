import type { Obligations } from '#contract/permit.ts'
import type { Principal } from '#contract/principal.ts'
import type { Classification } from './classes.ts'
import type { Decision, PolicyEngine } from './engine.ts'
import { type GuardOrder, combine } from './obligations.ts'
import {
  type CollectionFacts,
  type RequestFacts,
  type TargetFacts,
  aliasQuestion,
  groundQuestion,
  releaseQuestion,
} from './question.ts'

/*
 * The two answers of policy, from plain facts: used by the journey (through permit.ts, with a cache), and by
 * `thinplane policy test`, `explain` and `replay`, so that what is tested is what decides.
 */

/** The first answer, before the guard. `refused` is what the caller may not do; undefined: permitted. */
export interface FirstAnswer {
  readonly refused: { readonly what: string; readonly decision: Decision } | undefined
  readonly obligations: Obligations
  /** Ids of the policies that decided or obliged; of a refusal, those that forbade. */
  readonly policies: readonly string[]
}

export function decideFirst(
  engine: PolicyEngine,
  guards: GuardOrder,
  principal: Principal,
  facts: RequestFacts,
): FirstAnswer {
  const use = engine.decide(aliasQuestion(principal, 'use', facts))
  if (!use.allow) return refusal(use, `model \`${facts.alias.name}\``, guards)
  const decisions = [use]
  for (const collection of facts.collections) {
    const ground = engine.decide(groundQuestion(principal, collection, facts))
    if (!ground.allow) return refusal(ground, `collection \`${collection.name}\``, guards)
    decisions.push(ground)
  }
  const oblige = engine.decide(aliasQuestion(principal, 'oblige', facts))
  // Obligations can not be waived: a forbid says nothing here, and neither does the absence of a permit.
  if (oblige.allow) decisions.push(oblige)
  const policies = decisions.flatMap((decision) => decision.policies)
  return {
    refused: undefined,
    obligations: combine(policies, guards),
    policies: [...new Set(policies.map(({ id }) => id))],
  }
}

function refusal(decision: Decision, what: string, guards: GuardOrder): FirstAnswer {
  return {
    refused: { what, decision },
    obligations: combine([], guards),
    policies: decision.policies.map(({ id }) => id),
  }
}

/** The second answer for one target. */
export interface TargetAnswer {
  readonly target: string
  readonly allow: boolean
  /** Ids of the policies that decided; of a bound by obligation, those that set it. */
  readonly policies: readonly string[]
  /** Why not, for people; undefined when allowed. */
  readonly reason: string | undefined
}

/** The second answer, after the guard: one for each target. */
export function decideSecond(
  engine: PolicyEngine,
  principal: Principal,
  facts: RequestFacts,
  permit: { readonly obligations: Obligations; readonly policies: readonly string[] },
  text: Classification,
  targets: readonly TargetFacts[],
): TargetAnswer[] {
  return targets.map((target) => {
    const decision = engine.decide(releaseQuestion(principal, target, text, facts))
    const policies = decision.policies.map(({ id }) => id)
    if (!decision.allow) return { target: target.name, allow: false, policies, reason: reasonOf(decision) }
    const { jurisdictions } = permit.obligations
    if (jurisdictions === undefined || jurisdictions.includes(target.jurisdiction))
      return { target: target.name, allow: true, policies, reason: undefined }
    return {
      target: target.name,
      allow: false,
      policies: permit.policies.filter((id) => engine.policies.get(id)?.jurisdictions !== undefined),
      reason: `the text may go to ${jurisdictions.join(', ') || 'no jurisdiction'} only`,
    }
  })
}

/** Why a decision is no, for people; undefined when nothing permitted it. */
export function reasonOf({ policies }: Decision): string | undefined {
  const [policy] = policies
  return policy && (policy.reason ?? `policy \`${policy.id}\` forbids it`)
}

/** Collections that a request is grounded on: the alias's own and those that it asked for, each once. */
export function groundedOn(
  own: readonly string[],
  asked: readonly string[],
  collections: ReadonlyMap<string, CollectionFacts>,
): CollectionFacts[] {
  return [...new Set([...own, ...asked])].map((name) => collections.get(name) ?? { name, labels: [] })
}
