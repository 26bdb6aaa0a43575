import type { GuardAction } from '#contract/screened.ts'

/** What the guard does for callers that policy sends here. */
export interface GuardProfile {
  readonly name: string
  /** By entity type; `default` applies to types that are not listed and can tell who somebody is. */
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

/** Found, but nobody's data on their own: acted upon only where a profile names them. */
const HARMLESS: ReadonlySet<string> = new Set(['DATE_TIME', 'DE_PLZ', 'LOCATION', 'ORGANIZATION', 'UK_POSTCODE', 'URL'])

/** What no detector here can look into: counted, unless a profile says otherwise. */
const UNSEEN = 'IMAGE'

/** Kinds of a kind: an action for phone numbers is meant for these as well. */
const KIND_OF: Readonly<Record<string, string>> = {
  PH_MOBILE_NUMBER: 'PHONE_NUMBER',
  TR_PHONE_NUMBER: 'PHONE_NUMBER',
}

/** What the profile does with a type: its own action, that of the wider kind, `allow` for harmless ones, the default. */
export function actionFor({ actions }: Pick<GuardProfile, 'actions'>, type: string): GuardAction {
  const named = actions[type] ?? actions[KIND_OF[type] ?? type]
  if (named !== undefined) return named
  if (type === UNSEEN) return 'flag'
  return HARMLESS.has(type) ? 'allow' : (actions['default'] ?? 'redact')
}
