/** What policy allowed, with its obligations. Made by policy/ only. */
export interface Permit extends Obligations {
  readonly alias: string
  /** Collections that may ground this request, of those that the alias or the client named. */
  readonly collections: readonly string[]
  /** What the caller said it is for, else what the alias is for; empty when neither says. */
  readonly purpose: string
  /** Ids of the policies that decided or obliged. */
  readonly policies: readonly string[]
}

/** What a permitted request is bound to. */
export interface Obligations {
  /** Name of the guard profile that applies. */
  readonly guardProfile: string
  /** Jurisdictions that the text may go to at all; undefined: policy sets no bound. */
  readonly jurisdictions: readonly string[] | undefined
  /** Days that databases may keep what is known about the request; undefined: no bound. */
  readonly retentionDays: number | undefined
  readonly logging: Logging
  /** With whom a kept answer may be shared. Default `caller`. */
  readonly cache: CacheScope
}

/** Nobody: none is kept; the same caller; every caller of the tenant whom policy lets ask. */
export type CacheScope = 'none' | 'caller' | 'tenant'

/** `pseudonymous`: caller, client and credential stand in the trail as keyed digests. */
export type Logging = 'standard' | 'pseudonymous'

/** The second answer of policy, after the guard: which targets a text of this classification may go to. */
export interface Release {
  readonly targets: readonly string[]
  /** For each forbidden target, the policies that forbade it (empty: nothing permitted it). */
  readonly forbidden: readonly { readonly target: string; readonly policies: readonly string[] }[]
  /** Ids of the policies that permitted the targets that are left. */
  readonly policies: readonly string[]
}
