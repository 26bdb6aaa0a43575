import type { GuardAction } from '#contract/screened.ts'

/** What the guard does for callers that policy sends here. */
export interface GuardProfile {
  readonly name: string
  /** By entity type; `default` applies to types that are not listed. */
  readonly actions: Readonly<Record<string, GuardAction>>
  /** The same for what a model says; what is replaced there is masked, and can not be put back. */
  readonly output: Readonly<Record<string, GuardAction>>
  /** Findings that are less sure than this are left alone. 0 to 1, default 0.5. */
  readonly minScore: number
  /** What happens when a prompt looks like an attempt to give the model orders, or toxic, to the models in-process. Default off. */
  readonly triage: { readonly injection: 'off' | 'flag' | 'block'; readonly toxicity: 'off' | 'flag' | 'block' }
  /** When the managed check is asked: about everything new, about requests of some risk, about a share of texts, never. */
  readonly managed: 'always' | 'by-risk' | 'sample' | 'off'
  /** Risk from which `by-risk` asks, 0 to 1. Default 0.5. */
  readonly riskFrom: number
  /** Share of texts that `sample` asks about, 0 to 1. Default 0.1. */
  readonly sample: number
  /** Whether retrieved passages are asked about too, once each. Default false. */
  readonly passages: boolean
  /** What happens to an answer that holds protected material, asked when it is complete. Default `off`: not asked. */
  readonly protectedMaterial: 'off' | 'flag' | 'block'
  /** Records what it would have done, and does nothing. Default false. */
  readonly shadow: boolean
  /** Severity (0 to 7) from which the managed check blocks. Default 4, "medium". */
  readonly severity: number
  /** What happens when the managed check gives no verdict: `refuse` (fail closed, the default) or `pass` (the entry says so). */
  readonly onUnavailable: 'refuse' | 'pass'
}

export function actionFor(profile: GuardProfile, type: string): GuardAction {
  return profile.actions[type] ?? profile.actions['default'] ?? 'redact'
}
