import { Client } from 'pg'
import type { ExchangeReply, ExchangeRequest, LedgerStore } from './exchange.ts'
import { exchange } from './ledger.ts'
import { LEDGER_SCHEMA, type Sql } from './ledger-tables.ts'

/** Any number that nothing else in the database locks by. */
const LOCK = 7_461_102
const CONNECT_MS = 3000
const STATEMENT_MS = 4000
const PATIENCE_MS = 4500

/** A ledger in PostgreSQL. One connection, made when it is needed and made anew after a fault. */
export class PostgresStore implements LedgerStore {
  readonly kind = 'postgres'
  readonly #url: string
  #client: Client | undefined

  /** `url`: `postgres://USER:PASSWORD@HOST/DATABASE`. */
  constructor(url: string) {
    this.#url = url
  }

  async exchange(request: ExchangeRequest): Promise<ExchangeReply> {
    // What hangs is cut off: the connection goes, and with it the transaction.
    const timer = setTimeout(() => void this.close(), PATIENCE_MS)
    try {
      const client = (this.#client ??= await connect(this.#url))
      return await inTransaction(client, async () => exchange(sqlOf(client), await clockOf(client), request))
    } catch (error) {
      void this.close()
      throw new Error(`the database can not be used: ${faultOf(error)}`, { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }
}

async function connect(url: string): Promise<Client> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: STATEMENT_MS,
    statement_timeout: STATEMENT_MS,
    idle_in_transaction_session_timeout: STATEMENT_MS,
    application_name: 'thinplane',
  })
  // A connection that breaks between two exchanges is noticed by the next one.
  client.on('error', () => undefined)
  await client.connect()
  try {
    await inTransaction(client, async () => {
      for (const statement of LEDGER_SCHEMA) await client.query(statement)
    })
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
}

/** One exchange at a time, over all gateways. */
async function inTransaction<Value>(client: Client, work: () => Promise<Value>): Promise<Value> {
  await client.query('BEGIN')
  await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK])
  const value = await work()
  await client.query('COMMIT')
  return value
}

/** The clock of the database is one for all gateways. */
async function clockOf(client: Client) {
  const { rows } = await client.query<{ readonly ms: string }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms',
  )
  const ms = Number(rows[0]?.ms)
  return { beatMs: ms, epochMs: ms }
}

function sqlOf(client: Client): Sql {
  return {
    all: async (text, values) => {
      let at = 0
      const numbered = text.replaceAll('?', () => `$${(at += 1)}`)
      const { rows } = await client.query<Record<string, unknown>>(numbered, [...values])
      return rows
    },
  }
}

/** The database's own words never hold the password. */
function faultOf(error: unknown): string {
  if (error instanceof AggregateError) return faultOf(error.errors[0])
  return error instanceof Error && error.message !== '' ? error.message : 'no reason given'
}
