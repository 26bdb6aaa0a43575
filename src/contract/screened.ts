import type { Ask } from './ask.ts'

/** Something that a detector found. Offsets are UTF-16 code units in the text that was scanned. */
export interface Finding {
  /** Presidio's entity name (`EMAIL_ADDRESS`, `CREDIT_CARD`, ...) or `SECRET`. */
  readonly type: string
  readonly start: number
  readonly end: number
  /** 0 to 1: how sure the detector is. */
  readonly score: number
  /** The rule that found it, such as `aws-access-key-id`. */
  readonly detector: string
}

/** What to do with a finding. `flag` records only; `redact` puts a placeholder; `mask` can not be undone. */
export type GuardAction = 'allow' | 'flag' | 'redact' | 'mask' | 'block'

/** Types and counts of what the guard found, for the audit entry and for policy. Never the values. */
export interface FindingCount {
  readonly type: string
  readonly action: GuardAction
  /** In shadow, what would have been done; `action` is `flag` then. */
  readonly would?: GuardAction
  readonly count: number
  /** Where: the caller's prompt, a retrieved passage, or the model's answer. */
  readonly where: 'prompt' | 'passage' | 'answer'
}

declare const screened: unique symbol

/** Text that the guard has passed: the only text that a model can be given. Only guard/ can make it. */
export interface Screened {
  readonly ask: Ask
  readonly [screened]: true
}

/** Placeholder to original, for one conversation of one principal. In memory only. */
export interface Vault {
  /** The original behind a placeholder such as `<EMAIL_ADDRESS_4821>`, or undefined if it was never issued here. */
  original(placeholder: string): string | undefined
  /** How many placeholders were issued. */
  readonly size: number
  /** The entity types of which placeholders were issued: nothing else can become one. */
  readonly types: ReadonlySet<string>
}
