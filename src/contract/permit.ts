/** What policy allowed, with its obligations. Made by policy/ only. */
export interface Permit {
  readonly alias: string
  /** Collections that may ground this request, of those that the alias or the client named. */
  readonly collections: readonly string[]
  /** Name of the guard profile that applies. */
  readonly guardProfile: string
  /** Ids of the policies that decided. */
  readonly policies: readonly string[]
}

/** The second answer of policy, after the guard: which targets a text of this classification may go to. */
export interface Release {
  readonly targets: readonly string[]
  /** For each forbidden target, the policies that forbade it (empty: nothing permitted it). */
  readonly forbidden: readonly { readonly target: string; readonly policies: readonly string[] }[]
}
