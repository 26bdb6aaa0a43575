/* What a gateway and the ledger tell each other, about once a second. Amounts are whole numbers. */

/** The state of one purse; amounts count since the purse was made. */
export interface Report {
  readonly counter: string
  readonly holder: string
  /** Epoch milliseconds when its window ends. */
  readonly endMs: number
  readonly limit: number
  readonly used: number
  /** Held for requests under way. */
  readonly open: number
  /** What the gateway goes on using, whatever the answer is: it has given up the rest. */
  readonly keep: number
  /** What it would like to have. */
  readonly want: number
  /** What requests were refused for, on top of used and open; others who have some to spare are told. */
  readonly need: number
}

export interface Grant {
  readonly counter: string
  /** What may be used without asking, counted since the purse was made. */
  readonly granted: number
  /** What was used elsewhere, and by earlier purses of this gateway. */
  readonly others: number
}

/** A counter of the ledger that this gateway has no purse for. */
export interface Inherited extends Grant {
  readonly endMs: number
}

export interface ExchangeRequest {
  readonly replica: string
  /** Made anew at each start of the process. */
  readonly run: string
  /** The share that the gateway uses for counters that the ledger has not told it about. */
  readonly share: number
  /** Nothing is known here yet: the ledger tells everything. */
  readonly isJoining: boolean
  /** The last exchange of a process that ends in order: whatever it holds goes back. */
  readonly isLeaving: boolean
  /** Windows that are long over may be forgotten. */
  readonly isTidying: boolean
  /** What gateways that have vanished hold is given back: somebody knows that they will use nothing any more. */
  readonly isReclaiming: boolean
  readonly reports: readonly Report[]
}

export interface ExchangeReply {
  /** Another process goes by the same replica id: nothing was changed. */
  readonly isReplaced: boolean
  readonly share: number
  /** Gateways that live, this one among them. */
  readonly replicas: number
  readonly grants: readonly Grant[]
  readonly inherited: readonly Inherited[]
  /** Counters that other gateways are short of. */
  readonly wanted: readonly { readonly counter: string; readonly endMs: number }[]
}

/** Where gateways share their counters. Calls do not overlap. */
export interface LedgerStore {
  /** What people call it: `file` or `postgres`. */
  readonly kind: string
  /** @throws when the store can not be reached or is no store: the state of it is as it was, or changed as asked. */
  exchange(request: ExchangeRequest): Promise<ExchangeReply>
  close(): Promise<void>
}
