import type { GuardAction } from '#contract/screened.ts'

/** What the guard does for callers that policy sends here. */
export interface GuardProfile {
  readonly name: string
  /** By entity type; `default` applies to types that are not listed. */
  readonly actions: Readonly<Record<string, GuardAction>>
  /** Findings that are less sure than this are left alone. 0 to 1, default 0.5. */
  readonly minScore: number
  /** Whether the managed check is asked. */
  readonly managed: 'always' | 'off'
  /** Severity (0 to 7) from which the managed check blocks. Default 4, "medium". */
  readonly severity: number
  /** What happens when the managed check gives no verdict: `refuse` (fail closed, the default) or `pass` (the entry says so). */
  readonly onUnavailable: 'refuse' | 'pass'
}

export function actionFor(profile: GuardProfile, type: string): GuardAction {
  return profile.actions[type] ?? profile.actions['default'] ?? 'redact'
}
