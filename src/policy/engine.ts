import type { CedarValueJson, EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { Principal } from '#contract/principal.ts'
import { Lru } from '#kit/lru.ts'
import { type LoadedPolicies, type LoadedPolicy, cedar } from './load.ts'
import { type Action, POLICY_SCHEMA } from './schema.ts'

export interface Question {
  readonly principal: Principal
  readonly action: Action
  readonly resource: {
    readonly type: 'Alias' | 'Collection' | 'Target'
    readonly id: string
    readonly attributes: Readonly<Record<string, string>>
  }
  readonly context: Readonly<Record<string, CedarValueJson>>
}

export interface Decision {
  readonly allow: boolean
  /** The policies that decided: the permits, or the forbids. Empty when nothing permitted. */
  readonly policies: readonly LoadedPolicy[]
}

export interface PolicyEngine {
  readonly policies: ReadonlyMap<string, LoadedPolicy>
  /** Answers from the cache when the same was asked before; `cacheKey` must name every input. */
  decide(cacheKey: string, question: () => Question): Decision
}

const CACHE_ENTRIES = 20_000
let generations = 0

/**
 * Prepares one set of policies. Decisions are cached for its lifetime: policies read the caller, the resource and
 * the context that are in the key, and nothing else (no clock). A reload makes a new engine, and with it a new cache.
 */
export async function createPolicyEngine({ policies }: LoadedPolicies): Promise<PolicyEngine> {
  const engine = await cedar()
  generations += 1
  // The engine keeps prepared sets by name for ever: a few names in turn bound its memory over many reloads.
  const name = `thinplane-${generations % 8}`
  const staticPolicies = Object.fromEntries([...policies.values()].map(({ id, text }) => [id, text]))
  for (const prepared of [
    engine.preparsePolicySet(name, { staticPolicies }),
    engine.preparseSchema(name, POLICY_SCHEMA),
  ]) {
    if (prepared.type === 'failure') throw new Error(prepared.errors.map(({ message }) => message).join('; '))
  }
  const cache = new Lru<string, Decision>(CACHE_ENTRIES)

  const ask = ({ principal, action, resource, context }: Question): Decision => {
    const answer = engine.statefulIsAuthorized({
      principal: uid('Caller', callerId(principal)),
      action: uid('Action', action),
      resource: uid(resource.type, resource.id),
      context: { ...context },
      preparsedSchemaName: name,
      validateRequest: true,
      preparsedPolicySetId: name,
      entities: entitiesOf(principal, resource),
    })
    if (answer.type === 'failure')
      throw new Error(`policy engine: ${answer.errors.map(({ message }) => message).join('; ')}`)
    const { decision, diagnostics } = answer.response
    // A policy that fails to evaluate did not have its say: a forbid may be missing, so the answer is no.
    if (diagnostics.errors.length > 0)
      return { allow: false, policies: known(diagnostics.errors.map(({ policyId }) => policyId)) }
    return { allow: decision === 'allow', policies: known(diagnostics.reason) }
  }

  const known = (ids: readonly string[]): LoadedPolicy[] =>
    ids.map((id) => policies.get(id)).filter((policy) => policy !== undefined)

  return {
    policies,
    decide: (cacheKey, question) => {
      let decision = cache.get(cacheKey)
      if (decision === undefined) {
        decision = ask(question())
        cache.set(cacheKey, decision)
      }
      return decision
    },
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
      },
      parents,
    },
    ...parents.map((parent) => ({ uid: parent, attrs: {}, parents: [] })),
    { uid: uid(resource.type, resource.id), attrs: { ...resource.attributes }, parents: [] },
  ]
}
