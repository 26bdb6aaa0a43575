/** What the ledger goes by in time. */
export interface LedgerClock {
  /** Milliseconds that do not jump, of one clock for all gateways: who lives. */
  readonly beatMs: number
  /** Epoch milliseconds: which windows are over. */
  readonly epochMs: number
}

/** Windows are kept for so long after their end: requests that began in them end by then. */
export const KEPT_MS = 3_600_000

/** A database inside of a transaction. `?` stands for a value; whole numbers come as numbers. */
export interface Sql {
  all(text: string, values: readonly SqlValue[]): SqlRows | Promise<SqlRows>
}

export type SqlValue = string | number
export type SqlRows = readonly Readonly<Record<string, unknown>>[]

/** One gateway. */
export interface ReplicaRow {
  readonly replica: string
  readonly run: string
  readonly share: number
  /** When it was heard of last, by the ledger's beat. */
  readonly seen: number
}

/** What one gateway has of one counter; amounts count since the window began. */
export interface LeaseRow {
  readonly counter: string
  readonly replica: string
  /** The purse that reported last. */
  readonly holder: string
  /** What this gateway had used before that purse was made. */
  readonly base: number
  readonly used: number
  readonly open: number
  readonly granted: number
  readonly short: number
  /** The limit, as it was reported last. */
  readonly cap: number
  /** Epoch milliseconds. */
  readonly ends: number
}

/** The part of SQL that SQLite and PostgreSQL have in common is enough. */
export const LEDGER_SCHEMA = [
  `CREATE TABLE IF NOT EXISTS limit_replicas (
    replica TEXT PRIMARY KEY, run TEXT NOT NULL, share BIGINT NOT NULL, seen BIGINT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS limit_leases (
    counter TEXT NOT NULL, replica TEXT NOT NULL, holder TEXT NOT NULL, base BIGINT NOT NULL, used BIGINT NOT NULL,
    open BIGINT NOT NULL, granted BIGINT NOT NULL, short BIGINT NOT NULL, cap BIGINT NOT NULL, ends BIGINT NOT NULL,
    PRIMARY KEY (counter, replica))`,
  'CREATE INDEX IF NOT EXISTS limit_leases_short ON limit_leases (short)',
  'CREATE INDEX IF NOT EXISTS limit_leases_ends ON limit_leases (ends)',
] as const

const LEASE_COLUMNS = [
  'counter',
  'replica',
  'holder',
  'base',
  'used',
  'open',
  'granted',
  'short',
  'cap',
  'ends',
] as const
/** Rows of one statement: 500 of ten values are well below what either database takes. */
const ROWS_AT_ONCE = 500
/** Counters that a gateway is told of as wanted, in one exchange. */
const MAX_WANTED = 500

/** The statements of the ledger. */
export class LedgerTables {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  async replicas(): Promise<readonly ReplicaRow[]> {
    const rows = await this.#sql.all('SELECT replica, run, share, seen FROM limit_replicas', [])
    return rows.map((row) => ({
      replica: String(row['replica']),
      run: String(row['run']),
      share: Number(row['share']),
      seen: Number(row['seen']),
    }))
  }

  async putReplica({ replica, run, share, seen }: ReplicaRow): Promise<void> {
    await this.#sql.all(
      'INSERT INTO limit_replicas (replica, run, share, seen) VALUES (?, ?, ?, ?) ON CONFLICT (replica) DO UPDATE SET run = excluded.run, share = excluded.share, seen = excluded.seen',
      [replica, run, share, seen],
    )
  }

  /** A gateway that ends in order gives back what it has not used. */
  async leave(replica: string): Promise<void> {
    await this.#sql.all('UPDATE limit_leases SET granted = used + open, short = 0 WHERE replica = ?', [replica])
    await this.#sql.all('DELETE FROM limit_replicas WHERE replica = ?', [replica])
  }

  /** What gateways other than these hold is given back. */
  async reclaim(live: readonly string[]): Promise<void> {
    await this.#sql.all(
      `UPDATE limit_leases SET granted = used + open, short = 0 WHERE replica NOT IN (${live.map(() => '?').join(', ')})`,
      live,
    )
  }

  async openLeases(epochMs: number): Promise<readonly LeaseRow[]> {
    return (await this.#sql.all(`SELECT ${LEASE_COLUMNS.join(', ')} FROM limit_leases WHERE ends > ?`, [epochMs])).map(
      leaseRow,
    )
  }

  async shortLeases(epochMs: number): Promise<readonly LeaseRow[]> {
    const rows = await this.#sql.all(
      `SELECT ${LEASE_COLUMNS.join(', ')} FROM limit_leases WHERE short > 0 AND ends > ? LIMIT ${MAX_WANTED}`,
      [epochMs],
    )
    return rows.map(leaseRow)
  }

  async leasesOf(counters: readonly string[]): Promise<readonly LeaseRow[]> {
    const found: LeaseRow[] = []
    for (const some of inTurns(counters)) {
      const marks = some.map(() => '?').join(', ')
      const rows = await this.#sql.all(
        `SELECT ${LEASE_COLUMNS.join(', ')} FROM limit_leases WHERE counter IN (${marks})`,
        some,
      )
      for (const row of rows) found.push(leaseRow(row))
    }
    return found
  }

  /** No two rows may be of one counter. */
  async putLeases(rows: readonly LeaseRow[]): Promise<void> {
    const marks = `(${LEASE_COLUMNS.map(() => '?').join(', ')})`
    const changes = LEASE_COLUMNS.slice(2).map((column) => `${column} = excluded.${column}`)
    for (const some of inTurns(rows)) {
      await this.#sql.all(
        `INSERT INTO limit_leases (${LEASE_COLUMNS.join(', ')}) VALUES ${some.map(() => marks).join(', ')} ON CONFLICT (counter, replica) DO UPDATE SET ${changes.join(', ')}`,
        some.flatMap((row) => LEASE_COLUMNS.map((column) => row[column])),
      )
    }
  }

  /** Forgets windows that are long over, and gateways that are. */
  async forget({ beatMs, epochMs }: LedgerClock): Promise<void> {
    await this.#sql.all('DELETE FROM limit_leases WHERE ends < ?', [epochMs - KEPT_MS])
    await this.#sql.all('DELETE FROM limit_replicas WHERE seen < ?', [beatMs - KEPT_MS])
  }
}

function leaseRow(row: Readonly<Record<string, unknown>>): LeaseRow {
  const count = (column: string): number => Number(row[column])
  return {
    counter: String(row['counter']),
    replica: String(row['replica']),
    holder: String(row['holder']),
    base: count('base'),
    used: count('used'),
    open: count('open'),
    granted: count('granted'),
    short: count('short'),
    cap: count('cap'),
    ends: count('ends'),
  }
}

function* inTurns<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += ROWS_AT_ONCE) yield items.slice(at, at + ROWS_AT_ONCE)
}
