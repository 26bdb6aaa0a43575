import { type LoadedPolicies, type LoadedPolicy, cedar, staticPolicies } from './load.ts'
import { type Question, callOf } from './question.ts'
import type { Reads } from './reads.ts'
import { POLICY_SCHEMA } from './schema.ts'

export interface Decision {
  readonly allow: boolean
  /** The policies that decided: the permits, or the forbids. Empty when nothing permitted. */
  readonly policies: readonly LoadedPolicy[]
}

/** One set of policies, ready to be asked. Nothing is remembered here: see permit.ts for the cache. */
export interface PolicyEngine {
  readonly policies: ReadonlyMap<string, LoadedPolicy>
  /** What decisions depend on beside the question's own facts. */
  readonly reads: Reads
  /** About 150 µs. @throws when the question does not fit the schema, which is a bug. */
  decide(question: Question): Decision
}

let generations = 0

/** Prepares one set of policies. A reload makes a new engine. */
export async function createPolicyEngine({ policies, reads }: LoadedPolicies): Promise<PolicyEngine> {
  const engine = await cedar()
  generations += 1
  // The engine keeps prepared sets by name for ever: a few names in turn bound its memory over many reloads.
  const name = `thinplane-${generations % 8}`
  for (const prepared of [
    engine.preparsePolicySet(name, { staticPolicies: staticPolicies(policies) }),
    engine.preparseSchema(name, POLICY_SCHEMA),
  ]) {
    if (prepared.type === 'failure') throw new Error(prepared.errors.map(({ message }) => message).join('; '))
  }
  const known = (ids: readonly string[]): LoadedPolicy[] =>
    ids.map((id) => policies.get(id)).filter((policy) => policy !== undefined)
  return {
    policies,
    reads,
    decide: (question) => {
      const answer = engine.statefulIsAuthorized({
        ...callOf(question),
        preparsedSchemaName: name,
        validateRequest: true,
        preparsedPolicySetId: name,
      })
      if (answer.type === 'failure')
        throw new Error(`policy engine: ${answer.errors.map(({ message }) => message).join('; ')}`)
      const { decision, diagnostics } = answer.response
      // A policy that fails to evaluate did not have its say: a forbid may be missing, so the answer is no.
      if (diagnostics.errors.length > 0)
        return { allow: false, policies: known(diagnostics.errors.map(({ policyId }) => policyId)) }
      return { allow: decision === 'allow', policies: known(diagnostics.reason) }
    },
  }
}
