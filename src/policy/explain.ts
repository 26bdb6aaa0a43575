import type { Expr, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { type LoadedPolicy, cedar } from './load.ts'
import { type Question, callOf } from './question.ts'

/** Why one policy did or did not apply to a question. */
export interface PolicyReason {
  readonly id: string
  readonly file: string
  readonly line: number
  readonly effect: 'permit' | 'forbid'
  /** Whether everything about it holds, so that it had its say. */
  readonly applies: boolean
  /** Whether principal, action and resource are the ones it is about. */
  readonly scope: boolean
  /** Each condition, cut at its outermost `&&`, with whether it holds; `error`: it could not be evaluated. */
  readonly conditions: readonly { readonly text: string; readonly holds: boolean | 'error' }[]
}

/** Explains a question policy by policy: those of another action are left out. */
export async function explainQuestion(policies: Iterable<LoadedPolicy>, question: Question): Promise<PolicyReason[]> {
  const reasons: PolicyReason[] = []
  for (const policy of policies) {
    if (!isAbout(policy.json, question.action)) continue
    const scope = await holds({ ...policy.json, effect: 'permit', conditions: [] }, question)
    const conditions: PolicyReason['conditions'][number][] = []
    for (const { kind, body } of policy.json.conditions) {
      for (const part of kind === 'when' ? conjuncts(body) : [body]) {
        const held = await holds(conditionOf(part), question)
        const isMet = held === 'error' ? held : kind === 'when' ? held : !held
        conditions.push({ text: `${kind} ${await textOf(part)}`, holds: isMet })
      }
    }
    reasons.push({
      id: policy.id,
      file: policy.file,
      line: policy.line,
      effect: policy.json.effect,
      applies: scope === true && conditions.every((condition) => condition.holds === true),
      scope: scope === true,
      conditions,
    })
  }
  return reasons
}

function isAbout({ action }: PolicyJson, name: string): boolean {
  if (action.op === 'All') return true
  const entities = 'entities' in action ? action.entities : 'entity' in action ? [action.entity] : []
  return entities.some((entity) => ('__entity' in entity ? entity.__entity.id : entity.id) === name)
}

function conjuncts(body: Expr): Expr[] {
  const both = body as { '&&'?: { left: Expr; right: Expr } }
  return both['&&'] === undefined ? [body] : [...conjuncts(both['&&'].left), ...conjuncts(both['&&'].right)]
}

function conditionOf(body: Expr): PolicyJson {
  return {
    effect: 'permit',
    principal: { op: 'All' },
    action: { op: 'All' },
    resource: { op: 'All' },
    conditions: [{ kind: 'when', body }],
  }
}

async function holds(policy: PolicyJson, question: Question): Promise<boolean | 'error'> {
  const { isAuthorized } = await cedar()
  const answer = isAuthorized({ ...callOf(question), policies: { staticPolicies: { only: policy } } })
  if (answer.type === 'failure' || answer.response.diagnostics.errors.length > 0) return 'error'
  return answer.response.decision === 'allow'
}

async function textOf(body: Expr): Promise<string> {
  const { policyToText } = await cedar()
  const answer = policyToText(conditionOf(body))
  if (answer.type === 'failure') return '(a condition that can not be shown)'
  return answer.text
    .slice(answer.text.indexOf('{') + 1, answer.text.lastIndexOf('}'))
    .replaceAll(/\s+/g, ' ')
    .trim()
}
