import type { Usage } from './event.ts'
import type { Crossing } from './crossing.ts'
import type { FindingCount } from './screened.ts'
import type { Receipt } from './context.ts'

/** One record of the audit trail: how one request ended. Types, counts and digests, never prompt text. */
export interface Entry {
  /** Form of this record. */
  readonly v: 1
  readonly id: string
  readonly traceId: string
  readonly atEpochMs: number
  readonly ms: number
  /** From the request's arrival to the first content byte; -1 when none was sent. */
  readonly firstContentMs: number
  readonly outcome: Outcome
  /** HTTP status; 499 when the caller left. */
  readonly status: number
  /** Refusal code, or empty. */
  readonly code: string
  readonly dialect: string
  readonly stream: boolean
  readonly alias: string
  readonly principal: EntryPrincipal | undefined
  readonly policy: {
    readonly policies: readonly string[]
    readonly guardProfile: string
    readonly forbidden: readonly string[]
  }
  readonly findings: readonly FindingCount[]
  /** How the managed check came out. */
  readonly safety: EntrySafety
  readonly receipt: Receipt | undefined
  /** Targets tried, in order; the last one answered if `outcome` says so. */
  readonly attempts: readonly Attempt[]
  readonly target: string
  readonly usage: Usage
  /** True when the stream was cut and usage is counted from what was seen. */
  readonly usageEstimated: boolean
  /** Millionths of a USD. */
  readonly cost: { readonly modelMicroUsd: number; readonly egressMicroUsd: number }
  readonly crossings: readonly Crossing[]
  readonly stages: readonly StageTime[]
  /** What the data plane did inside `ground`, from its own spans, moved onto this process's clock. */
  readonly remote: readonly StageTime[]
  /** The stage and the place where most time went. */
  readonly lag: { readonly stage: string; readonly place: string; readonly ms: number }
}

export type Outcome = 'answered' | 'blocked' | 'denied' | 'refused' | 'failed' | 'abandoned'

export interface EntryPrincipal {
  readonly subject: string
  readonly tenant: string
  readonly kind: string
  readonly roles: readonly string[]
  readonly via: string
  readonly client: string
  readonly credentialId: string
}

export interface EntrySafety {
  readonly mode: 'always' | 'off'
  readonly verdict: 'pass' | 'block' | 'unavailable' | 'cached' | 'not-asked'
  /** Category and severity of what was over its limit. */
  readonly over: readonly { readonly category: string; readonly severity: number }[]
}

export interface Attempt {
  readonly target: string
  /** Empty when it answered. */
  readonly error: string
  readonly ms: number
}

export interface StageTime {
  readonly stage: string
  readonly place: string
  /** From the request's arrival. */
  readonly startMs: number
  readonly ms: number
}
