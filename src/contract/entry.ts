import type { Usage } from './event.ts'
import type { Crossing } from './crossing.ts'
import type { FindingCount } from './screened.ts'
import type { Logging } from './permit.ts'
import type { Receipt } from './context.ts'
import type { RouteKind } from './route.ts'
import type { LimitTally } from './limit.ts'
import type { Agent } from './principal.ts'

/** One record of the audit trail: how one request ended. Types, counts and digests, never prompt text. */
export interface Entry {
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
  /** Address that the request came from. */
  readonly peer: string
  readonly policy: EntryPolicy
  readonly digests: EntryDigests
  readonly findings: readonly FindingCount[]
  /** How the managed check came out. */
  readonly safety: EntrySafety
  readonly receipt: Receipt | undefined
  /** Images of the request, and what making them smaller saved; absent when it has none. */
  readonly images: ImageTally | undefined
  /** What limits held and counted; absent when no rule applied. */
  readonly limits: LimitTally | undefined
  /** Targets tried, in order; the last one answered if `outcome` says so. */
  readonly attempts: readonly Attempt[]
  /** Absent when it did not come to that. */
  readonly route: EntryRoute | undefined
  readonly target: string
  /** Wire format and model of that target. */
  readonly provider: string
  readonly model: string
  readonly usage: Usage
  /** True when the stream was cut and usage is counted from what was seen. */
  readonly usageEstimated: boolean
  /** Millionths of a USD. */
  readonly cost: {
    readonly egressMicroUsd: number
    /** The legs that lost a race included. */
    readonly modelMicroUsd: number
    /** What the model would have cost, had the answer not been kept or shared. Absent: nothing was saved. */
    readonly savedMicroUsd?: number
  }
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
  /** At most 50 of them; `groupCount` says how many there are. */
  readonly groups: readonly string[]
  readonly groupCount: number
  readonly via: string
  readonly client: string
  readonly credentialId: string
  /** What the token says about an agent that acts; absent for people and applications. */
  readonly agent: Agent | undefined
}

/** What policy was asked, and what it answered. */
export interface EntryPolicy {
  /** Ids of the policies that decided or obliged, of both answers. */
  readonly policies: readonly string[]
  readonly guardProfile: string
  /** Targets that were forbidden for this text. */
  readonly forbidden: readonly string[]
  readonly collections: readonly string[]
  readonly purpose: string
  /** Absent: no bound. */
  readonly jurisdictions: readonly string[] | undefined
  readonly retentionDays: number | undefined
  readonly logging: Logging
}

/** Keys in canonical order. Bytes of the images themselves, before and after. */
export interface ImageTally {
  readonly bytesIn: number
  readonly bytesOut: number
  readonly count: number
  readonly shrunk: number
}

/** HMAC-SHA-256 with the tenant's key, hex; empty when there was nothing. */
export interface EntryDigests {
  /** Of the request's body as it came. */
  readonly prompt: string
  /** Of the text that the caller was given, pieces joined. */
  readonly answer: string
}

/** Keys in canonical order. */
export interface EntrySafety {
  /** What the services were paid for this request, by their list prices, in millionths of a USD. */
  readonly microUsd: number
  readonly mode: 'always' | 'by-risk' | 'sample' | 'off'
  /** Category and severity of what was over its limit. */
  readonly over: readonly { readonly category: string; readonly severity: number }[]
  /** Why there is no verdict: service, status or kind of fault. */
  readonly problem: string
  /** Records of up to 1,000 characters that the services were asked about. */
  readonly records: number
  /** What was not paid because a text was known or was not to be asked about. */
  readonly savedMicroUsd: number
  readonly services: readonly string[]
  /** True when the profile only records what it would have done. */
  readonly shadow: boolean
  readonly verdict: 'pass' | 'block' | 'unavailable' | 'cached' | 'skipped' | 'not-asked'
}

/** Keys in canonical order. */
export interface Attempt {
  /** Empty when it answered; `LOST_RACE` when another's content came first. */
  readonly error: string
  /** What a leg that lost is taken to cost: the prompt that it was sent, in millionths of a USD. Absent: nothing. */
  readonly lostMicroUsd?: number
  readonly ms: number
  /** `hedge` when it was asked beside another. Absent: one after the other. */
  readonly role?: 'hedge'
  readonly target: string
}

/** How the target was chosen. Keys in canonical order. */
export interface EntryRoute {
  readonly kind: RouteKind
  /** Candidates, what ruled each out, and the choice, in one line. */
  readonly line: string
}

export interface StageTime {
  readonly stage: string
  readonly place: string
  /** From the request's arrival. */
  readonly startMs: number
  readonly ms: number
}
