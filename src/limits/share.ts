/** The whole of every limit; a gateway's share is a part of it. */
export const WHOLE = 1_000_000_000

/** What a gateway may use of a counter that the ledger has not told it anything about. Shares of all together never give more than the limit. */
export function impliedLease(limit: number, share: number): number {
  // A third of three is one, whatever the rounding of the share.
  return Math.floor((limit / WHOLE) * share + 1e-6)
}
