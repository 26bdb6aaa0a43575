import type { ExchangeReply, ExchangeRequest, Grant, Inherited, Report } from './exchange.ts'
import { type LeaseRow, type LedgerClock, LedgerTables, type ReplicaRow, type Sql } from './ledger-tables.ts'
import { WHOLE, impliedLease } from './share.ts'

/** A gateway that was not heard of for this long counts for nothing; what it holds counts as used. */
export const EXPIRED_MS = 10_000
/** Clocks of gateways may differ by so much: a window that is over for the ledger may not be for one of them. */
const CLOCKS_DIFFER_MS = 120_000

/**
 * One exchange, inside of a transaction that nothing else runs beside. What is granted for a counter, over all
 * gateways, is never more than its limit; only what was really used can be more.
 */
export async function exchange(sql: Sql, clock: LedgerClock, request: ExchangeRequest): Promise<ExchangeReply> {
  const tables = new LedgerTables(sql)
  const replicas = await tables.replicas()
  const mine = replicas.find(({ replica }) => replica === request.replica)
  if (mine !== undefined && mine.run !== request.run && !request.isJoining) return REPLACED
  // A reboot sets the beat back: what was seen later than now is not seen.
  const live = replicas.filter(
    ({ replica, seen }) => replica !== request.replica && seen <= clock.beatMs && clock.beatMs - seen <= EXPIRED_MS,
  )
  if (request.isReclaiming) await tables.reclaim([request.replica, ...live.map(({ replica }) => replica)])
  const turn = new Turn(tables, request, live)
  const share = turn.share()
  // What a share is of are the counters that come: those that are there are told, each by itself.
  const isMore = request.isJoining || mine === undefined || share > request.share
  const inherited = isMore && !request.isLeaving ? await turn.join(clock.epochMs) : []
  const grants = await turn.reports()
  const wanted = await turn.wanted(clock.epochMs)
  if (request.isLeaving) await tables.leave(request.replica)
  else {
    const { replica, run } = request
    await tables.putReplica({ replica, run, share: Math.max(share, request.share), seen: clock.beatMs })
  }
  if (request.isTidying) await tables.forget(clock)
  return { isReplaced: false, share, replicas: live.length + 1, grants, inherited, wanted }
}

const REPLACED: ExchangeReply = { isReplaced: true, share: 0, replicas: 0, grants: [], inherited: [], wanted: [] }

/** What one exchange works with. */
class Turn {
  readonly #tables: LedgerTables
  readonly #request: ExchangeRequest
  readonly #live: readonly ReplicaRow[]

  constructor(tables: LedgerTables, request: ExchangeRequest, live: readonly ReplicaRow[]) {
    this.#tables = tables
    this.#request = request
    this.#live = live
  }

  /** As much as all gateways would have, and no more than the others have left. */
  share(): number {
    const taken = this.#live.reduce((sum, { share }) => sum + share, 0)
    return Math.max(0, Math.min(Math.floor(WHOLE / (this.#live.length + 1)), WHOLE - taken))
  }

  /** Every counter that exists gets a row of this gateway; what it may use of those to come needs none. */
  async join(epochMs: number): Promise<readonly Inherited[]> {
    const rows: LeaseRow[] = []
    const inherited: Inherited[] = []
    for (const [counter, leases] of byCounter(await this.#tables.openLeases(epochMs - CLOCKS_DIFFER_MS))) {
      const [first] = leases
      if (first === undefined) continue
      const { ends } = first
      const cap = Math.max(...leases.map((lease) => lease.cap))
      const others = this.#others(leases, cap)
      const own = leases.find(({ replica }) => replica === this.#request.replica)
      // What an earlier process or purse held for requests when it was heard of last, it may have used.
      const base = own === undefined ? 0 : own.used + own.open
      // A process that runs knows its own counters.
      if (own !== undefined && !this.#request.isJoining) {
        inherited.push({ counter, endMs: ends, granted: Math.max(0, own.granted - base), others: others.spent + base })
        continue
      }
      const fair = Math.floor((cap - others.spent - base) / (this.#live.length === 0 ? 1 : 4 * (this.#live.length + 1)))
      const implied = impliedLease(cap, this.#request.share)
      const granted = Math.max(own?.granted ?? implied, base, Math.min(cap - others.held, base + Math.max(0, fair)))
      rows.push({
        counter,
        replica: this.#request.replica,
        holder: '',
        base,
        used: base,
        open: 0,
        granted,
        short: 0,
        cap,
        ends,
      })
      inherited.push({ counter, endMs: ends, granted: granted - base, others: others.spent + base })
    }
    await this.#tables.putLeases(rows)
    return inherited
  }

  async reports(): Promise<readonly Grant[]> {
    const { reports } = this.#request
    const known = byCounter(await this.#tables.leasesOf(reports.map(({ counter }) => counter)))
    const rows: LeaseRow[] = []
    const grants: Grant[] = []
    for (const report of reports) {
      const { row, grant } = this.#settle(report, known.get(report.counter) ?? [])
      rows.push(row)
      grants.push(grant)
    }
    await this.#tables.putLeases(rows)
    return grants
  }

  /** Counters that gateways which live are short of, and of which this one has something to spare. */
  async wanted(epochMs: number): Promise<ExchangeReply['wanted']> {
    const names = new Set(this.#live.map(({ replica }) => replica))
    const short = (await this.#tables.shortLeases(epochMs)).filter(({ replica }) => names.has(replica))
    if (short.length === 0) return []
    const own = new Map(
      (await this.#tables.leasesOf(short.map(({ counter }) => counter)))
        .filter(({ replica }) => replica === this.#request.replica)
        .map((row) => [row.counter, row]),
    )
    const wanted = new Map<string, number>()
    for (const { counter, ends } of short) {
      const row = own.get(counter)
      if (row === undefined || row.granted > row.used + row.open) wanted.set(counter, ends)
    }
    return [...wanted].map(([counter, endMs]) => ({ counter, endMs }))
  }

  #settle(report: Report, leases: readonly LeaseRow[]): { readonly row: LeaseRow; readonly grant: Grant } {
    const { counter, holder, limit, open } = report
    const { replica } = this.#request
    const own = leases.find((lease) => lease.replica === replica)
    const isSame = own?.holder === holder
    const base = own === undefined ? 0 : isSame ? own.base : own.used + own.open
    const used = base + report.used
    const others = this.#others(leases, limit)
    // A purse that comes after another one of this gateway has no more than that one left.
    const most = own === undefined || isSame ? Number.POSITIVE_INFINITY : own.granted
    const kept = Math.max(Math.min(base + report.keep, most), used + open)
    const granted = Math.max(kept, Math.min(base + report.want, limit - others.held))
    const short = report.need === 0 ? 0 : Math.max(0, used + open + report.need - granted)
    return {
      row: { counter, replica, holder, base, used, open, granted, short, cap: limit, ends: report.endMs },
      grant: { counter, granted: granted - base, others: others.spent + base },
    }
  }

  /** What other gateways have used, and what they may use. Those that live may use a part of what they were not asked about. */
  #others(leases: readonly LeaseRow[], limit: number): { readonly spent: number; readonly held: number } {
    let spent = 0
    let held = 0
    const told = new Set<string>()
    for (const { replica, used, open, granted } of leases) {
      told.add(replica)
      if (replica === this.#request.replica) continue
      const most = Math.max(granted, used + open)
      held += most
      // What somebody who vanished had in hand may be used: nobody can say.
      spent += this.#live.some((one) => one.replica === replica) ? used : most
    }
    for (const { replica, share } of this.#live) if (!told.has(replica)) held += impliedLease(limit, share)
    return { spent, held }
  }
}

function byCounter(rows: readonly LeaseRow[]): ReadonlyMap<string, readonly LeaseRow[]> {
  return Map.groupBy(rows, ({ counter }) => counter)
}
