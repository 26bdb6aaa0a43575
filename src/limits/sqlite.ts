import { uptime } from 'node:os'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { ExchangeReply, ExchangeRequest } from './exchange.ts'
import { exchange } from './ledger.ts'
import { LEDGER_SCHEMA, type LedgerClock, type Sql } from './ledger-tables.ts'

/** Other processes hold the file for milliseconds. */
const BUSY_MS = 2000

/** A ledger in a file, for gateways of one machine. */
export interface SqliteLedger {
  readonly exchange: (request: ExchangeRequest) => Promise<ExchangeReply>
  readonly close: () => void
}

/**
 * Opens the file, makes it when there is none.
 * @throws when it is no database or can not be written.
 */
export function openSqliteLedger(path: string, clock: () => LedgerClock = machineClock): SqliteLedger {
  const database = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL')
    for (const statement of LEDGER_SCHEMA) database.exec(statement)
  } catch (error) {
    database.close()
    throw error
  }
  const sql = preparing(database)
  return {
    exchange: async (request) => {
      // Takes the file for itself before it reads: two that read first would both grant the same.
      database.exec('BEGIN IMMEDIATE')
      try {
        const reply = await exchange(sql, clock(), request)
        database.exec('COMMIT')
        return reply
      } catch (error) {
        database.exec('ROLLBACK')
        throw error
      }
    },
    close: () => database.close(),
  }
}

/** Processes of one machine see the same uptime, and nobody can set it. */
function machineClock(): LedgerClock {
  return { beatMs: Math.round(uptime() * 1000), epochMs: Date.now() }
}

/** Statements are few and come again: texts differ by their number of rows only. */
function preparing(database: DatabaseSync): Sql {
  const prepared = new Map<string, StatementSync>()
  return {
    all: (text, values) => {
      let statement = prepared.get(text)
      if (statement === undefined) {
        if (prepared.size >= 64) prepared.clear()
        statement = database.prepare(text)
        prepared.set(text, statement)
      }
      return statement.all(...values)
    },
  }
}
